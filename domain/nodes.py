"""What the rest of Weir needs to know of a node kind; the kinds themselves are files in `jobs.nodes`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from domain.errors import Finding
from domain.graphs import Node
from domain.json import JSON, JSONObject

PASSED: Final = "x-input"
INPUT: Final[JSONObject] = {PASSED: True}
"""In place of the schema of an output: it is the node's input."""
Output: TypeAlias = JSONObject | Callable[[JSONObject], JSONObject]
"""The JSON Schema of what a node gives, INPUT, or how one of them follows from its config as written.

Expressions are judged by it: what it leaves out of a closed object is told never to be there.
"""


class NodeCategory(StrEnum):
    TRIGGER = "TRIGGER"
    FLOW = "FLOW"
    DATA = "DATA"
    CODE = "CODE"
    HUMAN = "HUMAN"
    INTEGRATION = "INTEGRATION"
    OUTPUT = "OUTPUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExample:
    title: str
    config: JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKind:
    """A kind's face: `name` as documents spell it, a JSON Schema for `config`, its handles and documentation.

    `effects`: whether a run may be seen outside the execution. `entry`: an execution begins here.
    `result`: its output is the execution's output. `merges`: its `config.mode` and `config.n` are its join.
    `forks`: its `config.errorHandling` and `config.timeout` are about what it begins. `body`: its `config.body` is a
    graph that it runs. `output`: what leaves it by any handle but `error`, None: anything. `package`: the package and
    version a plug-in's kind comes from, None for one of Weir's own.
    """

    name: str
    title: str
    description: str
    category: NodeCategory
    config_schema: JSONObject
    input_handles: tuple[str, ...] = ("in",)
    output_handles: tuple[str, ...] = ("out",)
    documentation: str = ""
    examples: tuple[NodeExample, ...] = ()
    effects: bool = False
    entry: bool = False
    result: bool = False
    merges: bool = False
    forks: bool = False
    body: bool = False
    output: Output | None = None
    package: str | None = None

    def output_of(self, config: JSONObject) -> JSONObject:
        """The schema of what a node with this config gives, INPUT when that is its input, `{}` when nobody knows."""
        return self.output(config) if callable(self.output) else self.output or {}


class NodeCatalog(Protocol):
    """Every kind that can run here."""

    def kinds(self) -> Mapping[str, NodeKind]:
        """All kinds by name."""
        ...

    def handles(self, node: Node) -> Sequence[str]:
        """The output handles of this node, its config considered (a switch has one per case)."""
        ...

    def check(self, node: Node) -> Sequence[Finding]:
        """What is wrong with the node's config; paths begin with `config`."""
        ...


def error_json(code: str, message: str) -> dict[str, JSON]:
    """The shape of an error in logs, scopes and results."""
    return {"code": code, "message": message}
