"""What grows while a graph is walked: one scope per pass through a graph, and the loop that makes scopes of a body.

Both change in place inside a Draft and are copied when a State is made.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from msgspec import Struct, field
from msgspec.structs import replace

from domain.engine.outcomes import Cause, ErrorHandling
from domain.json import JSON, JSONObject

ROOT = ""
"""The scope of the execution itself."""

Trail = tuple[str, ...]
"""The node ids of the containers around a graph, outermost first; empty for the execution's own graph."""


class Failure(Struct, frozen=True, kw_only=True):
    error: JSONObject
    path: str | None


def nth(path: str, generation: int) -> str:
    """The path of a node's n-th activation, counted from 1: `price`, `price#2`."""
    return path if generation == 1 else f"{path}#{generation}"


class Round(Struct, kw_only=True):
    """What has come to a node in one round: edges and who took them, None for dead. `over`: it has run or died."""

    edges: dict[int, str | None] = field(default_factory=dict[int, "str | None"])
    over: bool = False

    def copy(self) -> "Round":
        return Round(edges=dict(self.edges), over=self.over)


class Scope(Struct, kw_only=True):
    """One pass through a graph: the execution's own, or one iteration of a body.

    `prefix`: what the paths of its steps begin with (`loop[3].`). `owner`: the path of the step whose body it is.
    `edges`: settled edges of the current pass, the source's path when taken, None when dead.
    `rounds`: what came to a node that waits for several edges, of each round by its number.
    `fired`: the current activation of a node, absent while it waits for its edges. `generations`: activations so far.
    `arrived`: (taken, dead) incoming edges of a node. `passes`: how often a back edge was taken.
    `view`: what expressions see as `steps`. `tolerated`: failures borne by a merge or a parallel, by its id.
    `paths`: its steps, in an iteration. `active`: how many of them are open. `over`: the iteration has ended.
    """

    prefix: str = ROOT
    trail: Trail = ()
    owner: str | None = None
    index: int = 0
    edges: dict[int, str | None] = field(default_factory=dict[int, "str | None"])
    rounds: dict[str, dict[int, Round]] = field(default_factory=dict[str, dict[int, Round]])
    fired: dict[str, str] = field(default_factory=dict[str, str])
    generations: dict[str, int] = field(default_factory=dict[str, int])
    arrived: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    passes: dict[int, int] = field(default_factory=dict[int, int])
    view: dict[str, JSON] = field(default_factory=dict[str, JSON])
    results: dict[str, JSON] = field(default_factory=dict[str, JSON])
    tolerated: dict[str, tuple[Failure, ...]] = field(default_factory=dict[str, tuple[Failure, ...]])
    failure: Failure | None = None
    paths: list[str] = field(default_factory=list[str])
    active: int = 0
    over: bool = False

    def path_to(self, name: str) -> str:
        """The path of the node's activation in this pass: the current one, else the one that comes next."""
        return self.fired.get(name) or nth(f"{self.prefix}{name}", self.generations.get(name, 0) + 1)

    def copy(self) -> Self:
        return replace(
            self,
            edges=dict(self.edges),
            rounds={name: {number: each.copy() for number, each in of.items()} for name, of in self.rounds.items()},
            fired=dict(self.fired),
            generations=dict(self.generations),
            arrived=dict(self.arrived),
            passes=dict(self.passes),
            view=dict(self.view),
            results=dict(self.results),
            tolerated=dict(self.tolerated),
            paths=list(self.paths),
        )


class Loop(Struct, kw_only=True):
    """The iterations of one step with a body. `started` and `ended` count them; `good` those without a failure.

    `results` by iteration. `due`: what the step is to be resumed with. `over`: no further iteration begins.
    """

    items: Sequence[JSON] | None = None
    count: int | None = None
    concurrency: int = 1
    error_handling: ErrorHandling = ErrorHandling.STOP
    ask: bool = False
    enough: int | None = None
    keep_last: bool = False
    started: int = 0
    ended: int = 0
    good: int = 0
    results: dict[int, JSON] = field(default_factory=dict[int, JSON])
    due: Cause | None = None
    over: bool = False

    @property
    def more(self) -> int | None:
        """How many iterations have not begun, None when nobody knows."""
        return None if self.count is None else self.count - self.started

    @property
    def in_order(self) -> Sequence[JSON]:
        return [self.results[index] for index in sorted(self.results)]

    def item(self, index: int) -> JSON:
        return self.items[index] if self.items is not None else index

    def copy(self) -> Self:
        return replace(self, results=dict(self.results))


class Undo(Struct, frozen=True, kw_only=True):
    """A finished step that can be undone: what its compensation sees."""

    path: str
    node: str
    trail: Trail
    input: JSON
    output: JSON


class Alarm(Struct, frozen=True, kw_only=True):
    """When what the `parallel` step at `path` has begun must have come together."""

    path: str
    at: datetime
