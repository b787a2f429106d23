"""What is doubtful about how a workflow is started: changes when triggers may be open in another way."""

from collections.abc import Iterator, Sequence

from domain.errors import Finding
from domain.graphs import TriggerSpec
from domain.json import JSON, as_object
from domain.validation.codes import found

_NONE = (None, False, "", "none")


def trigger_findings(triggers: Sequence[TriggerSpec]) -> Iterator[Finding]:
    """Webhooks that ask nobody who they are; paths lead into the document's list of triggers."""
    for at, trigger in enumerate(triggers):
        if trigger.type.lower() == "webhook" and _is_open(trigger.config.get("authentication")):
            message = "Anybody who knows this webhook's address can start the workflow"
            path = ("triggers", str(at), "authentication")
            yield found("WEBHOOK_WITHOUT_AUTHENTICATION", message, path=path)


def _is_open(authentication: JSON) -> bool:
    kind = as_object(authentication).get("type", authentication)
    return kind in _NONE if isinstance(kind, str | bool | None) else not kind
