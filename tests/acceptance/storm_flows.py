"""The workflows of a storm: what each does, and what its log tells however often it was interrupted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from domain.engine.events import EventKind
from domain.formats.stored import graph_to_json
from domain.graphs import Definition, FailureStrategy, Graph, Node, Variable
from domain.json import JSON, JSONObject
from tests.contract.flows import edges, flow, give, step

ITERATIONS = 10_000
Told = tuple[EventKind, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """An execution that another begins: of which workflow, with which number."""

    workflow: str
    n: int
    waited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """`done`, `waits` and `calls`: the paths of the steps that complete, wait, call out. `others`: what else is told.

    `output` and `children` by the number it is started with; `fits`: whether one with this number ends like this.
    """

    name: str
    definition: Definition
    done: Sequence[str]
    output: Callable[[int], JSON]
    waits: Sequence[str] = ()
    calls: Sequence[str] = ()
    others: Sequence[Told] = ()
    status: str = "COMPLETED"
    children: Callable[[int], Sequence[Child]] = field(default=lambda _: ())
    fits: Callable[[int], bool] = field(default=lambda _: True)

    @property
    def told(self) -> Counter[Told]:
        """Every event of its log but ADOPTED."""
        steps = [(EventKind.STEP_COMPLETED, path) for path in self.done]
        waits = [(EventKind.WAITING, path) for path in self.waits]
        ends = [EventKind.EXECUTION_STARTED, EventKind(f"EXECUTION_{self.status}")]
        return Counter[Told]([*steps, *waits, *self.others, *((kind, None) for kind in ends)])


def is_approved(n: int) -> bool:
    """How the first question about this number is answered."""
    return n % 3 != 0


def entered(n: int) -> int:
    """What is entered where this number is shown."""
    return n * 7


def _call(name: str, n: str, *, undone: bool = False) -> Node:
    """Sends a number to the receiver; what is `undone` is sent once more should the execution fail."""
    node = step(name, "http", method="POST", url=f"http://{{{{ vars.receiver }}}}/{name}", body={"n": f"{{{{ {n} }}}}"})
    back: JSONObject = {**node.config, "body": {"n": "{{ output.body.n }}"}}
    return replace(node, compensation={"kind": "http", "config": back}) if undone else node


def _body(*parts: Node | str) -> JSONObject:
    nodes = [part for part in parts if isinstance(part, Node)]
    return graph_to_json(Graph(nodes=nodes, edges=edges(*(part for part in parts if isinstance(part, str)))))


def _inside(container: str, count: int, *steps: str) -> list[str]:
    return [f"{container}[{index}].{name}" for index in range(count) for name in steps]


def _child(path: str) -> list[Told]:
    return [(EventKind.CHILD_STARTED, path), (EventKind.CHILD_FINISHED, path)]


def _caller(callee: str, first: str, stray: str, *before: Node) -> Definition:
    """Calls a workflow, waits for its end, and calls it again with what came without waiting."""
    ways = " > ".join(["start", *(node.id for node in before), first, stray, "done"])
    return flow(
        *before,
        step(first, "subworkflow", workflow=callee, input={"n": "{{ trigger.n }}"}),
        step(stray, "subworkflow", workflow=callee, wait=False, input={"n": f"{{{{ steps.{first}.output }}}}"}),
        step("done", "end", output=f"{{{{ steps.{first}.output }}}}"),
        ways,
    )


def _called_twice(callee: str, n: int) -> Sequence[Child]:
    return [Child(workflow=callee, n=n, waited=True), Child(workflow=callee, n=n + 1, waited=False)]


LEAF = Flow(
    name="Leaf",
    definition=flow(
        _call("call", "trigger.n"), step("done", "end", output="{{ input.body.n }}"), "start > call > done"
    ),
    done=["start", "call", "done"],
    calls=["call"],
    output=lambda n: n + 1,
)
BRANCH = Flow(
    name="Branch",
    definition=_caller("Leaf", "deeper", "spawn", step("nap", "delay", seconds=0.7)),
    done=["start", "nap", "deeper", "spawn", "done"],
    waits=["nap"],
    others=_child("deeper"),
    output=lambda n: n + 1,
    children=lambda n: _called_twice("Leaf", n),
)
FAMILY = Flow(
    name="Family",
    definition=_caller("Branch", "child", "stray"),
    done=["start", "child", "stray", "done"],
    others=_child("child"),
    output=lambda n: n + 1,
    children=lambda n: _called_twice("Branch", n),
)

_INNER = _inside("outer", 3, "inner")
ROUNDS = Flow(
    name="Rounds",
    definition=flow(
        step(
            "outer",
            "loop",
            items=[0, 1, 2],
            concurrency=2,
            body=_body(
                _call("touch", "trigger.n + item"),
                step(
                    "inner",
                    "loop",
                    items=[0, 1],
                    concurrency=2,
                    body=_body(
                        _call("call", "steps.touch.output.body.n * 10 + item"),
                        give("value", n="{{ input.body.n }}"),
                        "call > value",
                    ),
                ),
                "touch > inner",
            ),
        ),
        step("done", "end"),
        "start > outer > done",
    ),
    done=[
        *("start", "outer", "done"),
        *_inside("outer", 3, "touch", "inner"),
        *(path for inner in _INNER for path in _inside(inner, 2, "call", "value")),
    ],
    waits=["outer", *_INNER],
    calls=[*_inside("outer", 3, "touch"), *(path for inner in _INNER for path in _inside(inner, 2, "call"))],
    output=lambda n: [[{"n": (n + outer + 1) * 10 + inner + 1} for inner in range(2)] for outer in range(3)],
)

_BOOKED = ["a", "b", "c", *_inside("rooms", 2, "book")]
_UNDONE = [f"{path}:undo" for path in _BOOKED]
UNDO = Flow(
    name="Undo",
    definition=flow(
        _call("a", "trigger.n", undone=True),
        _call("b", "steps.a.output.body.n", undone=True),
        _call("c", "steps.a.output.body.n", undone=True),
        step("both", "merge"),
        step("rooms", "loop", items=[0, 1], concurrency=2, body=_body(_call("book", "trigger.n + item", undone=True))),
        step("stop", "fail", message="{{ trigger.n }} is not to be"),
        "start > a > b > both > rooms > stop",
        "a > c > both",
        strategy=FailureStrategy.COMPENSATE,
    ),
    done=["start", "both", "rooms", *_BOOKED, *_UNDONE],
    waits=["rooms"],
    calls=[*_BOOKED, *_UNDONE],
    others=[(EventKind.STEP_FAILED, "stop")],
    status="FAILED",
    output=lambda _: None,
)

_QUESTIONS = flow(
    step("first", "approval", title="First", data={"n": "{{ trigger.n }}"}),
    _call("call", "trigger.n"),
    step(
        "rounds",
        "loop",
        items=[0, 1],
        concurrency=2,
        body=_body(
            Node(
                id="enter",
                kind="approval",
                config={"kind": "entry", "title": "Enter", "data": {"n": "{{ trigger.n + item }}"}},
            ),
            give("value", n="{{ input.data }}"),
            "enter:approved > value",
        ),
    ),
    step("done", "end"),
    step("refused", "end", output="refused"),
    "start > first:approved > call > rounds > done",
    "first:rejected > refused",
)
APPROVED = Flow(
    name="Questions",
    definition=_QUESTIONS,
    done=["start", "first", "call", "rounds", "done", *_inside("rounds", 2, "enter", "value")],
    waits=["first", "rounds", *_inside("rounds", 2, "enter")],
    calls=["call"],
    others=[(EventKind.SIGNAL_RECEIVED, None)] * 3,
    output=lambda n: [{"n": entered(n)}, {"n": entered(n + 1)}],
    fits=is_approved,
)
REFUSED = Flow(
    name="Questions",
    definition=_QUESTIONS,
    done=["start", "first", "refused"],
    waits=["first"],
    others=[(EventKind.SIGNAL_RECEIVED, None)],
    output=lambda _: "refused",
    fits=lambda n: not is_approved(n),
)

PATIENCE = Flow(
    name="Patience",
    definition=flow(
        step("nap", "delay", seconds=4),
        step("knock", "wait", signal="knock"),
        step("again", "wait", signal="knock"),
        step("never", "wait", signal="never", timeout=1.5),
        step("meet", "merge"),
        _call("call", "trigger.n"),
        step("done", "end", output=["{{ input.body.n }}", "{{ steps.knock.output }}", "{{ steps.again.output }}"]),
        "start > nap > meet > call > done",
        "start > knock > again > meet",
        "start > never:timeout > meet",
    ),
    done=["start", "nap", "knock", "again", "never", "meet", "call", "done"],
    waits=["nap", "knock", "again", "never"],
    calls=["call"],
    others=[(EventKind.SIGNAL_RECEIVED, None)] * 2,
    output=lambda n: [n + 1, 1, 2],
)
THOUSANDS = Flow(
    name="Thousands",
    definition=flow(
        step(
            "loop",
            "loop",
            type="for",
            times=ITERATIONS,
            concurrency=20,
            results="last",
            body=_body(give("n", n="{{ index }}")),
        ),
        step("done", "end", output="done"),
        "start > loop > done",
    ),
    done=["start", "loop", "done", *_inside("loop", ITERATIONS, "n")],
    waits=["loop"],
    output=lambda _: "done",
)
FLOWS = (LEAF, BRANCH, FAMILY, ROUNDS, UNDO, APPROVED, REFUSED, PATIENCE, THOUSANDS)
"""A workflow that is called stands before its callers."""


def flow_of(name: str, n: int) -> Flow:
    """How an execution of this workflow with this number goes."""
    return next(each for each in FLOWS if each.name == name and each.fits(n))


def definitions(receiver: str) -> Iterator[tuple[str, Definition]]:
    """The workflows by name, in the order in which they can be published; `receiver` is HOST:PORT."""
    for name, definition in {each.name: each.definition for each in FLOWS}.items():
        yield name, replace(definition, variables={"receiver": Variable(default=receiver)})
