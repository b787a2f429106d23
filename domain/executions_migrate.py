"""Moving waiting executions to another version of their workflow, one by one, with a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.engine.compatibility import Obstacle, obstacles
from domain.engine.ports import ExecutionStatus, InboxKind
from domain.environments import Placed
from domain.errors import Invalid, NotFound
from domain.executions import Execution, ExecutionFilter, ExecutionOrder, LogReader
from domain.executions_control import Control
from domain.executions_plans import Plans
from domain.ids import ExecutionId, WorkflowId, encode
from domain.inbox import Posted
from domain.json import JSONObject
from domain.paging import Direction, Page, Place
from domain.placements import Placements
from domain.tenancy import Principal
from domain.versions import Version, VersionStore
from domain.workflows import WorkflowReader
from domain.workflows_edit import load

MOST = 500
_AT_ONCE = 20
"""Logs read at once: a waiting execution's can be long."""
_WAITING = (ExecutionStatus.WAITING, ExecutionStatus.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRequest:
    """From one version to another; `first` executions begun after `after`, the earliest first. `dry_run`: look only."""

    workflow_id: WorkflowId
    from_version: int
    to_version: int
    dry_run: bool = False
    first: int = 100
    after: ExecutionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What becomes of one execution: it migrates, or `obstacles` say why not."""

    execution: Execution
    obstacles: Sequence[Obstacle] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """`next`: the execution to go on after, None when all were looked at."""

    migrations: Sequence[Migration]
    next: ExecutionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrating:
    """What migrations need: bound to one tenant."""

    workflows: WorkflowReader
    versions: VersionStore
    placements: Placements
    log: LogReader
    plans: Plans
    control: Control


async def migrate(request: MigrationRequest, *, by: Principal, given: Migrating, now: datetime) -> MigrationReport:
    """Look at the waiting executions of a version, and tell the owners of those that can go on with the other one.

    The wishes are durable then; each owner looks again when it carries out its own. Asked twice is asked once.
    Raises NotFound (workflow, version), Invalid.
    """
    if request.from_version == request.to_version:
        raise Invalid("The versions are the same", path=("toVersion",), remedy="Name the version to go on with.")
    if not 1 <= request.first <= MOST:
        raise Invalid(f"first is {request.first}; it is at least 1 and at most {MOST}", path=("first",))
    await load(request.workflow_id, given.workflows)
    old = await _version(request, request.from_version, "fromVersion", given)
    new = await _version(request, request.to_version, "toVersion", given)
    found = await given.control.executions.page(
        ExecutionFilter(workflow_id=request.workflow_id, status=_WAITING, version_id=old.id, until=now),
        ExecutionOrder(direction=Direction.ASC),
        Page(first=request.first, after=_after(request)),
    )
    migrations: list[Migration] = []
    for begin in range(0, len(found.items), _AT_ONCE):
        migrations += await _migrate(found.items[begin : begin + _AT_ONCE], old, new, request, by, given)
    more = found.items[-1].id if found.has_next else None
    return MigrationReport(migrations=migrations, next=more)


async def _migrate(
    executions: Sequence[Execution],
    old: Version,
    new: Version,
    request: MigrationRequest,
    by: Principal,
    given: Migrating,
) -> Sequence[Migration]:
    logs = await given.log.whole([execution.id for execution in executions])
    places = await given.placements.find({(each.workflow_id, each.environment) for each in executions})
    before, after = given.plans.of(old), given.plans.of(new)
    migrations: list[Migration] = []
    for execution in executions:
        found = obstacles(before, after, logs[execution.id])
        if not found and not request.dry_run:
            place = places.get((execution.workflow_id, execution.environment))
            variables = _variables(new, place.placed if place is not None else Placed())
            payload: JSONObject = {"to": encode("version", new.id), "by": str(by.actor), "variables": variables}
            if not await _posted(execution, payload, given):
                continue  # over meanwhile
        migrations.append(Migration(execution=execution, obstacles=found))
    told = [each.execution.id for each in migrations if not each.obstacles]
    if told and not request.dry_run:
        await given.control.doorbell.ring(given.control.tenant_id, told)
    return migrations


async def _posted(execution: Execution, payload: JSONObject, given: Migrating) -> bool:
    key = str(payload["to"])
    control = given.control
    posted = await control.inbox.post(control.tenant_id, execution.id, InboxKind.MIGRATE, key, payload)
    return posted in (Posted.ACCEPTED, Posted.REPEATED)


def _variables(new: Version, placed: Placed) -> JSONObject:
    """What the new version's variables are there; the execution takes those it does not have."""
    declared = new.definition.variables
    return {name: variable.default for name, variable in declared.items()} | dict(placed.variables_of(declared))


async def _version(request: MigrationRequest, number: int, path: str, given: Migrating) -> Version:
    version = await given.versions.by_number(request.workflow_id, number)
    if version is None:
        raise NotFound("version", str(number), path=(path,))
    return version


def _after(request: MigrationRequest) -> Place | None:
    return Place(id=request.after) if request.after is not None else None
