"""The `connector` node: an action of a declared provider."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import orjson
from pydantic import Field

from domain.connections import Connection
from domain.engine.outcomes import Completed, Failed, LogLevel, LogLine, Outcome
from domain.errors import Finding, Refusal
from domain.graphs import ERROR, OUT
from domain.json import JSON, JSONObject, as_list, as_object
from domain.nodes import NodeCategory
from domain.validation.inputs import check_input
from domain.validation.schemas import did_you_mean
from jobs.connectors import PROVIDERS
from jobs.connectors.declarations import Action, Provider
from jobs.connectors.documentation import table
from jobs.connectors.pages import Next, next_page
from jobs.connectors.requests import Built, CannotBuild, Target, build, found, target, with_query
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.calls import call, masked, unexpected
from jobs.nodes.fields import ConnectionOf
from jobs.nodes.refusals import refused
from jobs.outgoing import OutgoingRequest, OutgoingResponse

DEFAULT_TIMEOUT: Final = 60.0
MAX_PAGES: Final = 100
Name = Annotated[str, Field(min_length=1, max_length=100)]


class ConnectorConfig(NodeConfig):
    provider: Name = Field(description="The service.", json_schema_extra={"enum": list(PROVIDERS)})
    action: Name = Field(description="What is done there.")
    connection: Annotated[str, Field(min_length=1, max_length=200), ConnectionOf()] = Field(
        description="The name of the connection with the service's credentials."
    )
    input: dict[str, object] = Field(default_factory=dict[str, object], description="What the action takes, by name.")
    max_items: Annotated[int, Field(ge=1, le=10_000)] = Field(
        100, description="The most elements that are gathered by an action that lists, over its pages."
    )


async def run(step: StepContext, config: ConnectorConfig) -> Outcome:
    problems = list(_unknown(config.provider, config.action))
    if problems:
        return Failed(code="CONFIG_INVALID", message=problems[0].message, retryable=False, remedy=problems[0].remedy)
    provider = PROVIDERS[config.provider]
    action = provider.actions[config.action]
    input = action.without_absent(as_object(step.config.get("input")))
    for finding in check_input(action.input_schema, input)[:1]:
        message = f"The input does not fit {config.action}: {finding.message}"
        return Failed(code="CONFIG_INVALID", message=message, retryable=False, remedy=finding.remedy)
    try:
        connection = await step.services.connections.get(config.connection)
        return await _Calls(step, provider, action, connection, config.max_items).run(input)
    except CannotBuild as error:
        return Failed(code="CONFIG_INVALID", message=str(error), retryable=False, remedy=error.remedy)
    except Refusal as refusal:
        return refused(refusal)


class _Calls:
    """The requests of one attempt."""

    def __init__(
        self, step: StepContext, provider: Provider, action: Action, connection: Connection, most: int
    ) -> None:
        self._step = step
        self._provider = provider
        self._action = action
        self._connection = connection
        self._target: Target = target(provider, connection)
        self._most = most

    async def run(self, input: JSONObject) -> Outcome:
        """Raises CannotBuild."""
        gathered: list[JSON] = []
        request = build(self._provider, self._action, self._target.base_url, input)
        for _ in range(MAX_PAGES):
            response = await self._send(request)
            if isinstance(response, Failed):
                return response
            body = _read(response)
            refusal = self._refusal(response, body)
            if refusal is not None:
                return refusal
            output = found(body, self._action.output)
            if self._action.pages is None:
                return Completed(output=output)
            gathered += as_list(output)
            following = next_page(self._action.pages, body, output, response.headers.get("link", ""))
            if following is None or len(gathered) >= self._most:
                return Completed(output=gathered[: self._most])
            request = self._following(following, input)
        line = LogLine(level=LogLevel.WARNING, message=f"There are more elements than on {MAX_PAGES} pages")
        return Completed(output=gathered, logs=(line,))

    def _following(self, following: Next, input: JSONObject) -> Built:
        if following.url is None:
            changed = {**input, **(following.members or {})}
            return build(self._provider, self._action, self._target.base_url, changed)
        if not self._target.owns(following.url):
            raise CannotBuild("The next page is said to lie at another server", "Ask for fewer elements: maxItems.")
        return Built(method="GET", url=following.url, headers=self._provider.headers, content=None)

    async def _send(self, built: Built) -> OutgoingResponse | Failed:
        headers = {"accept": "application/json", **built.headers, **self._target.headers}
        if built.method != "GET":
            headers["idempotency-key"] = self._step.idempotency_key
        request = OutgoingRequest(
            method=built.method,
            url=with_query(built.url, self._target.query, self._provider),
            headers=headers,
            content=built.content,
            timeout=self._step.timeout or DEFAULT_TIMEOUT,
            follow_redirects=False,  # credentials go nowhere else
        )
        return await call(self._step, self._connection, request)

    def _refusal(self, response: OutgoingResponse, body: JSON) -> Failed | None:
        words = found(body, self._provider.error)
        says = words if isinstance(words, str) else None
        if not 200 <= response.status < 300:
            return unexpected(response, self._connection, self._step.at, code="CONNECTOR_STATUS", says=says)
        if self._provider.ok is None or found(body, self._provider.ok) is True:
            return None
        told = masked(says or "it does not say why", self._connection)[:500]
        return Failed(
            code="CONNECTOR_REFUSED",
            message=f"{self._provider.title} refuses: {told}",
            retryable=False,
            remedy=f"Look the word up in the documentation of {self._provider.title}.",
            details={"status": response.status, "error": told},
        )


def _read(response: OutgoingResponse) -> JSON:
    """JSON where it is some, text where there is any."""
    if not response.content:
        return None
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return response.content.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _unknown(provider: str, action: str) -> Iterator[Finding]:
    known = PROVIDERS.get(provider)
    if known is None:
        message, remedy = f"There is no provider {provider[:60]!r}", did_you_mean(provider, PROVIDERS)
        yield Finding(code="UNKNOWN_PROVIDER", message=message, path=("provider",), remedy=remedy)
    elif action not in known.actions:
        message, remedy = f"{known.title} has no action {action[:60]!r}", did_you_mean(action, known.actions)
        yield Finding(code="UNKNOWN_ACTION", message=message, path=("action",), remedy=remedy)


def rules(config: JSONObject) -> Iterator[Finding]:
    provider, action = config.get("provider"), config.get("action")
    if not isinstance(provider, str) or not isinstance(action, str):
        return
    for name, value in (("provider", provider), ("action", action)):
        if "{{" in value:
            message = f"{name!r} cannot be an expression: it says which input there is"
            yield Finding(code="BAD_CONNECTOR", message=message, path=(name,), remedy="Write its name.")
            return
    problems = list(_unknown(provider, action))
    yield from problems
    given = config.get("input", {})
    if problems or not isinstance(given, Mapping):
        return
    for name, member in PROVIDERS[provider].actions[action].input.items():
        if member.required and name not in given:
            message = f"{name!r} is missing"
            yield Finding(code="MISSING", message=message, path=("input", name), remedy=member.description)


def output(config: JSONObject) -> JSONObject:
    provider = PROVIDERS.get(str(config.get("provider")))
    action = provider.actions.get(str(config.get("action"))) if provider else None
    return {"type": "array"} if action and action.pages is not None else {}


KIND = define(
    name="connector",
    title="Connector",
    description="Does something at a service such as Slack, GitHub or Stripe.",
    category=NodeCategory.INTEGRATION,
    config=ConnectorConfig,
    run=run,
    rules=rules,
    output=output,
    outputs=(OUT, ERROR),
    effects=True,
    documentation=f"""
The output is what the service answers; of an action that lists, the list, gathered over its pages up to `maxItems`.

{table(PROVIDERS)}

What each action takes, and what the `connection` of each provider needs, stands in docs/connectors.md. Members of
`input` that are not listed there are passed on as they are; listed ones that are null are left out.

**Errors.** An answer with another status than 2xx is `CONNECTOR_STATUS`, with `error.details.status` and
`error.details.body`; 408, 425, 429 and 5xx are tried again when the node has a `retry`, not before a `Retry-After` has
passed. `CONNECTOR_REFUSED`: the service says no in an answer with the status 200. `CONFIG_INVALID`: the input or the
connection lacks something. `CIRCUIT_OPEN`: the service has failed too often lately; beyond these those of the `http`
node. Redirects are not followed. Requests that change something carry the step's `Idempotency-Key`.
""",
    examples={
        "Tell a channel": {
            "provider": "slack",
            "action": "postMessage",
            "connection": "our slack",
            "input": {"channel": "#orders", "text": "Order {{ input.id }} is on its way."},
        },
        "Open an issue": {
            "provider": "github",
            "action": "createIssue",
            "connection": "bot",
            "input": {"owner": "octo-org", "repo": "shop", "title": "{{ input.title }}", "labels": ["bug"]},
        },
        "All customers": {
            "provider": "stripe",
            "action": "listCustomers",
            "connection": "stripe",
            "input": {"limit": 100},
            "maxItems": 1_000,
        },
    },
)
