"""What people do with environments: name them, order them, give them values, take them away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.environments import DEFAULT, NAME, Environment, EnvironmentStore, StaleEnvironment, missing
from domain.errors import Conflict, Invalid
from domain.json import JSONObject
from domain.storable import checked, checked_text
from domain.tenancy import Principal

MAX_ENVIRONMENTS = 20
MAX_BYTES = 256 * 1024
MAX_NAME = 200
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentChange:
    """What to change; None leaves a field as it is, a given one is replaced as a whole."""

    variables: JSONObject | None = None
    connections: Mapping[str, str] | None = None


async def create(
    name: str, values: EnvironmentChange, *, by: Principal, store: EnvironmentStore, now: datetime
) -> Environment:
    """The last in the order. Raises Invalid, EnvironmentNameTaken, Conflict when there are 20 already."""
    if name == DEFAULT or NAME.fullmatch(name) is None:
        raise Invalid(
            f"{name[:80]!r} cannot be an environment's name",
            path=("name",),
            remedy=f"Lower-case letters, digits and hyphens, a letter first, at most 63; not {DEFAULT!r}.",
        )
    there = await store.all()
    if len(there) >= MAX_ENVIRONMENTS:
        raise Conflict(f"There are {MAX_ENVIRONMENTS} environments already, the most a tenant has", path=("name",))
    new = Environment(
        name=name,
        position=there[-1].position + 1 if there else 1,
        created_at=now,
        updated_at=now,
        updated_by=str(by.actor),
    )
    new = _changed(new, values)
    await store.insert(new)
    return new


async def update(
    name: str,
    change: EnvironmentChange,
    expected_revision: int | None,
    *,
    by: Principal,
    store: EnvironmentStore,
    now: datetime,
) -> Environment:
    """For executions that begin from now on. Raises NotFound, Invalid, StaleEnvironment."""
    for _ in range(_ATTEMPTS):
        current = await load(name, store, "name")
        if expected_revision not in (None, current.revision):
            raise StaleEnvironment(current.revision)
        new = replace(
            _changed(current, change), revision=current.revision + 1, updated_at=now, updated_by=str(by.actor)
        )
        if await store.save(new, expected_revision=current.revision):
            return new
    raise StaleEnvironment((await load(name, store, "name")).revision)


async def reorder(names: Sequence[str], *, store: EnvironmentStore) -> Sequence[Environment]:
    """All of them, in their new order. Raises Invalid unless each is named once."""
    there = {environment.name for environment in await store.all()}
    if len(names) != len(there) or set(names) != there:
        raise Invalid(
            "Every environment must be named once",
            path=("names",),
            remedy=f"They are: {', '.join(sorted(there)) or 'none'}; {DEFAULT!r} always comes first and is not named.",
        )
    await store.order(names)
    return await store.all()


async def delete(name: str, *, store: EnvironmentStore, now: datetime) -> None:
    """What runs there, runs on; its history stays. Raises NotFound, Invalid."""
    checked_text(name, "name", most=MAX_NAME)
    if not await store.delete(name, now):
        raise missing(name, "name")


async def load(name: str, store: EnvironmentStore, *path: str) -> Environment:
    """Raises NotFound."""
    for environment in await store.all():
        if environment.name == name:
            return environment
    raise missing(name, *path)


def _changed(environment: Environment, change: EnvironmentChange) -> Environment:
    variables = environment.variables if change.variables is None else change.variables
    connections = environment.connections if change.connections is None else change.connections
    checked(variables, "variables", most=MAX_BYTES)
    for name, stand_in in connections.items():
        checked_text(name, "connections", least=1, most=MAX_NAME)
        checked_text(stand_in, "connections", name, least=1, most=MAX_NAME)
    checked(dict(connections), "connections", most=MAX_BYTES)
    return replace(environment, variables=variables, connections=connections)
