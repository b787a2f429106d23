"""Changing a variable of an execution that is not over: what it sees from then on."""

from collections.abc import Sequence

from domain.engine.decide import fold
from domain.engine.ports import InboxKind
from domain.errors import Invalid, NotFound
from domain.executions import Execution, LogReader
from domain.executions_control import Control, Message, ask, load
from domain.executions_plans import Plans
from domain.ids import ExecutionId, encode
from domain.json import JSON
from domain.storable import checked, checked_text
from domain.tenancy import Principal
from domain.versions import VersionStore

MAX_NAME = 200


async def set_variable(
    execution_id: ExecutionId,
    name: str,
    value: JSON,
    *,
    by: Principal,
    versions: VersionStore,
    log: LogReader,
    plans: Plans,
    given: Control,
    key: str | None = None,
) -> Execution:
    """Steps that begin or resume after it see the value. The same `key` again changes nothing more.

    Raises NotFound, InvalidState when it is over, TooLarge, and Invalid for a variable that neither the workflow
    declares nor a step has set.
    """
    checked_text(name, "name", least=1, most=MAX_NAME)
    checked(value, "value")
    execution = await load(execution_id, given.executions)
    known = await _known(execution, versions, log, plans)
    if name not in known:
        listed = ", ".join(known) or "none"
        raise Invalid(
            f"The execution has no variable {name!r}",
            path=("name",),
            remedy=f"Its variables: {listed}. Declare it in the workflow, or set one that is there.",
        )
    message = Message(kind=InboxKind.VARIABLE, payload={"name": name, "value": value})
    return await ask(execution_id, message, by=by, given=given, key=key)


async def _known(execution: Execution, versions: VersionStore, log: LogReader, plans: Plans) -> Sequence[str]:
    """The names of its variables, in order: declared ones and those that its steps have set."""
    found = await versions.by_ids([execution.version_id])
    if not found:
        raise NotFound("execution", encode("execution", execution.id))
    (version,) = found
    events = (await log.whole([execution.id]))[execution.id]
    return sorted({*version.definition.variables, *fold(plans.of(version), events).vars})
