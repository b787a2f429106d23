"""Test mode: where an execution stops, what stands in for its nodes, which may act outside, and what is to come of it.

A node is named by its id, inside a body with the nodes around it (`loop.price`), and in a sub-workflow behind the node
that calls it (`call/price`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from domain.engine.ports import ExecutionStatus
from domain.json import JSON, JSONObject
from domain.starts import NewExecution

BREAKPOINT = "breakpoint:"
"""What the signals that release a stopped step begin with; only `executionContinue` sends them."""
CALLED = "/"
"""What stands between a node and the nodes of the workflow it calls."""
_PASS = re.compile(r"\[\d+\]|#\d+")


class When(StrEnum):
    """`after`: before whatever the node's completion activates."""

    BEFORE = "before"
    AFTER = "after"


class Mode(StrEnum):
    """How a stopped step is released: on to the next breakpoint, or to the next step."""

    CONTINUE = "CONTINUE"
    STEP = "STEP"


class Mark(StrEnum):
    """How a step of a test went about it, and the key that says so in its events.

    `effects`: it was allowed to act outside.
    """

    PINNED = "pinned"
    SIMULATED = "simulated"
    EFFECTS = "effects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakpoint:
    node: str
    when: When = When.BEFORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Stands in for a node's run. `handle` None: over the node's usual output."""

    output: JSON
    handle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`stepping`: stop before every step. `effects`: the nodes that may act outside; all others only seem to.

    `expected`: outputs by node or by step path. `assertions`: expressions that hold at the end. `status`: how it ends.
    """

    breakpoints: tuple[Breakpoint, ...] = ()
    stepping: bool = False
    pins: Mapping[str, Pin] = field(default_factory=dict[str, Pin])
    effects: frozenset[str] = frozenset()
    expected: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    assertions: tuple[str, ...] = ()
    status: ExecutionStatus = ExecutionStatus.COMPLETED

    def breaks(self, name: str, when: When) -> bool:
        return any(point.node == name and point.when is when for point in self.breakpoints)

    def within(self, name: str) -> "Trial":
        """What of it is about the execution that the node `name` begins, but for what is to come of that one."""
        prefix = name + CALLED
        return Trial(
            breakpoints=tuple(
                Breakpoint(node=point.node.removeprefix(prefix), when=point.when)
                for point in self.breakpoints
                if point.node.startswith(prefix)
            ),
            pins={node.removeprefix(prefix): pin for node, pin in self.pins.items() if node.startswith(prefix)},
            effects=frozenset(node.removeprefix(prefix) for node in self.effects if node.startswith(prefix)),
        )


def node_name(path: str) -> str:
    """The name in a trial of the node whose step has this path: `loop.price` of `loop[3].price#2` or of its undoing."""
    return _PASS.sub("", path.removesuffix(":undo"))


def breakpoint_signal(path: str) -> str:
    """The signal that releases the step stopped at `path`."""
    return BREAKPOINT + path


def as_test(execution: NewExecution, trial: Trial | None) -> NewExecution:
    """The same execution in test mode, so its first event says; unchanged without a trial."""
    if trial is None:
        return execution
    first, *others = execution.events
    first = first.saying(test=trial_to_json(trial))
    return replace(execution, events=(first, *others), test=True)


def trial_to_json(trial: Trial | None) -> JSONObject | None:
    """As the log, snapshots and saved test cases hold it."""
    if trial is None:
        return None
    return {
        "breakpoints": [{"node": point.node, "when": point.when.value} for point in trial.breakpoints],
        "stepping": trial.stepping,
        "pins": {node: {"output": pin.output, "handle": pin.handle} for node, pin in trial.pins.items()},
        "effects": sorted(trial.effects),
        "expected": dict(trial.expected),
        "assertions": list(trial.assertions),
        "status": trial.status.value,
    }


def trial_from_json(value: JSON) -> Trial | None:
    """The inverse of `trial_to_json`; raises KeyError, TypeError or ValueError for anything else."""
    document: Any = value
    if not document:
        return None
    return Trial(
        breakpoints=tuple(
            Breakpoint(node=point["node"], when=When(point["when"])) for point in document["breakpoints"]
        ),
        stepping=document["stepping"],
        pins={node: Pin(output=pin["output"], handle=pin["handle"]) for node, pin in document["pins"].items()},
        effects=frozenset(document["effects"]),
        expected=document["expected"],
        assertions=tuple(document["assertions"]),
        status=ExecutionStatus(document["status"]),
    )
