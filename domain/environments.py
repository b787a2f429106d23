"""Environments: the named stages a version passes, and what differs in each of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from domain.errors import Conflict, NotFound
from domain.graphs import Variable
from domain.ids import SplitId
from domain.json import JSON, JSONObject, as_object

DEFAULT = "default"
"""The environment every tenant has: its versions are those that publishing and rolling back make active."""
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """`position` counts from 1 in the order versions are promoted, after the default one.

    `variables`: over the defaults of every workflow that declares them. `connections`: the connection that stands for
    another one there, by name. `updated_by` is the actor's TypeID.
    """

    name: str
    position: int
    variables: JSONObject = field(default_factory=dict[str, JSON])
    connections: Mapping[str, str] = field(default_factory=dict[str, str])
    revision: int = 1
    created_at: datetime
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where an execution runs, with what is different there. `split_id`: what has chosen its version."""

    environment: str = DEFAULT
    variables: JSONObject = field(default_factory=dict[str, JSON])
    connections: Mapping[str, str] = field(default_factory=dict[str, str])
    split_id: SplitId | None = None

    def variables_of(self, declared: Mapping[str, Variable]) -> JSONObject:
        """Those of its values that the workflow declares."""
        return {name: value for name, value in self.variables.items() if name in declared}

    def trigger(self) -> JSONObject:
        """What the execution's first event keeps of it, beside what began the execution."""
        if self.environment == DEFAULT:
            return {}
        return {"environment": self.environment, "connections": dict(self.connections)}


def placed_by(trigger: JSONObject) -> Placed:
    """What `Placed.trigger` has written; the variables are in the execution's own."""
    environment = trigger.get("environment")
    if not isinstance(environment, str):
        return Placed()
    return Placed(environment=environment, connections=connections_of(trigger))


def connections_of(trigger: JSONObject) -> Mapping[str, str]:
    """The connections that stand for others, by name, for an execution with this `trigger`."""
    return {name: str(stand_in) for name, stand_in in as_object(trigger.get("connections")).items()}


class StaleEnvironment(Conflict):
    """The environment was changed since the caller read it."""

    def __init__(self, current_revision: int) -> None:
        super().__init__(
            f"The environment has changed: its revision is {current_revision}",
            current_revision=current_revision,
            path=("expectedRevision",),
            remedy="Read it again, apply your change to what is there now, and send that revision.",
        )


class EnvironmentNameTaken(Conflict):
    """Another environment of the tenant has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is already an environment named {name!r}", path=("name",))


class EnvironmentStore(Protocol):
    """Born with a tenant."""

    async def all(self) -> Sequence[Environment]:
        """In their order; the default one is not among them."""
        ...

    async def insert(self, environment: Environment) -> None:
        """Raises EnvironmentNameTaken."""
        ...

    async def save(self, environment: Environment, *, expected_revision: int) -> bool:
        """Write its values if the stored revision is the expected one; False when it is not."""
        ...

    async def order(self, names: Sequence[str]) -> None:
        """Number them in this order; all of them are there."""
        ...

    async def delete(self, name: str, at: datetime) -> bool:
        """With what is active in it; splits in it end. False when there is none."""
        ...


def missing(name: str, *path: str) -> NotFound:
    return NotFound("environment", name[:100], path=path or ("environment",))
