"""What must be true after a storm, whatever died in it: changes when durability promises something else."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from db.connections import EnginePool
from domain.engine.bodies import node_of
from domain.engine.decide import fold
from domain.engine.events import Event, EventKind
from domain.engine.plan import compile_plan
from domain.ids import ExecutionId, encode
from domain.json import JSON
from jobs.nodes.catalog import CATALOG
from tests.acceptance.receiver import Receiver
from tests.acceptance.storm import Begun
from tests.acceptance.storm_flows import Child, Flow, entered, flow_of, is_approved
from tests.acceptance.verdict import Logs, assert_nothing_left, assert_whole, finished_at, key_of, logs_of, told

_EXECUTIONS = """
SELECT x.id, x.status, x.output, x.owner, x.finished_at, x.parent_id, x.parent_path, w.name
FROM execution AS x JOIN workflow AS w ON w.id = x.workflow_id WHERE x.id = ANY ($1)
"""
_TASKS = "SELECT execution_id, path, title, data, status, decision, output FROM task WHERE execution_id = ANY ($1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """An execution that is over. `parent_path`: the step that waited for it, if any."""

    id: ExecutionId
    workflow: str
    n: int
    log: Sequence[Event]
    parent: ExecutionId | None
    parent_path: str | None

    @property
    def flow(self) -> Flow:
        return flow_of(self.workflow, self.n)

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of its calls."""
        return [key_of(self.id, path) for path in self.flow.calls]


async def assert_weathered(
    pool: EnginePool, ids: Sequence[ExecutionId], begun: Sequence[Begun], receiver: Receiver, *, most: int
) -> list[Passed]:
    """`ids` are all executions there are, `begun` those that were asked for; no request came more than `most` times."""
    logs = await logs_of(pool, ids)
    passed = await _passed(pool, ids, logs)
    assert Counter((each.id, each.workflow, each.n) for each in passed if each.parent is None) == Counter(
        (each.id, each.workflow, each.n) for each in begun
    )
    for each in passed:
        assert_whole(each.log)
        _assert_told(each)
        _assert_undone_backwards(each, receiver)
        _assert_signalled_in_order(each)
    _assert_children(passed)
    _assert_called(passed, receiver, most)
    await _assert_asked_once(pool, passed)
    await assert_nothing_left(pool, ids)
    return passed


async def _passed(pool: EnginePool, ids: Sequence[ExecutionId], logs: Logs) -> list[Passed]:
    """Also sees that each row says what its log comes to."""
    found: list[Passed] = []
    for row in await pool.fetch(_EXECUTIONS, ids):
        log = logs[row["id"]]
        given: JSON = log[0].payload.get("input")
        n = given["n"] if isinstance(given, Mapping) else None
        assert isinstance(n, int)
        each = Passed(
            id=row["id"],
            workflow=row["name"],
            n=n,
            log=log,
            parent=row["parent_id"],
            parent_path=row["parent_path"],
        )
        output = orjson.loads(row["output"] or "null")
        ending = (row["status"], output, row["owner"], row["finished_at"])
        assert ending == (each.flow.status, each.flow.output(n), None, log[-1].at), (each.workflow, n)
        state = fold(compile_plan(each.flow.definition, CATALOG), log)
        assert (state.lifecycle.value, state.output) == (each.flow.status, output)
        found.append(each)
    return found


def _assert_told(each: Passed) -> None:
    """The log says what must be said. Only a question may leave out that it waits: asked again after its worker was
    killed, it finds its answer there."""
    said, wanted = told(each.log), each.flow.told
    unsaid = {(kind, node_of(path or "")) for kind, path in wanted - said}
    assert (each.workflow, each.n, said - wanted) == (each.workflow, each.n, Counter())
    assert unsaid <= {(EventKind.WAITING, name) for name in ("first", "enter") if each.workflow == "Questions"}


def _assert_undone_backwards(each: Passed, receiver: Receiver) -> None:
    """What was done is undone one after another, the last finished first, in the log and for the receiver."""
    done = [event.path or "" for event in each.log if event.kind is EventKind.STEP_COMPLETED]
    undone = [path for path in done if path.endswith(":undo")]
    wanted = [f"{path}:undo" for path in reversed(done) if f"{path}:undo" in undone]
    assert undone == wanted
    arrived = [receiver.arrivals[key_of(each.id, path)] for path in undone]
    for path, earlier, later in zip(undone, arrived, arrived[1:], strict=False):
        assert max(earlier) < min(later), (each.n, path)


def _assert_signalled_in_order(each: Passed) -> None:
    """No signal of one name overtakes another."""
    knocks = [
        event.payload["payload"]
        for event in each.log
        if event.kind is EventKind.SIGNAL_RECEIVED and event.payload["name"] == "knock"
    ]
    assert knocks in ([], [1, 2])


def _assert_children(passed: Sequence[Passed]) -> None:
    """Each child that was called for began once, is named in its parent's log, and nobody else's child began."""
    children: defaultdict[ExecutionId, list[Passed]] = defaultdict(list)
    for each in passed:
        if each.parent is not None:
            children[each.parent].append(each)
    for each in passed:
        mine = children.pop(each.id, [])
        found = [Child(workflow=one.workflow, n=one.n, waited=one.parent_path is not None) for one in mine]
        assert Counter(found) == Counter(each.flow.children(each.n)), (each.workflow, each.n)
        assert sorted(_named(each.log)) == sorted(encode("execution", one.id) for one in mine)
    assert not children


def _named(log: Sequence[Event]) -> list[str]:
    """The executions that a log says it has begun."""
    waited = [str(event.payload["execution"]) for event in log if event.kind is EventKind.CHILD_STARTED]
    outputs = [event.payload["output"] for event in log if event.path in ("stray", "spawn")]
    return waited + [str(output["executionId"]) for output in outputs if isinstance(output, Mapping)]


def _assert_called(passed: Sequence[Passed], receiver: Receiver, most: int) -> None:
    """Every call arrived, always with the same words, never once it had finished; and nothing else arrived."""
    mine = {encode("execution", each.id) for each in passed}
    wanted = {key_of(each.id, path): finished_at(each.log, path) for each in passed for path in each.flow.calls}
    assert {key for key in receiver.arrivals if key.partition(":")[0] in mine} == set(wanted)
    for key, finished in wanted.items():
        arrivals = receiver.arrivals[key]
        assert len(arrivals) <= most, key
        assert max(arrivals) <= finished, f"{key} was called again after it had finished"
        assert len(receiver.said[key]) == 1, receiver.said[key]


async def _assert_asked_once(pool: EnginePool, passed: Sequence[Passed]) -> None:
    """One task for each question, answered as it was; its execution heard the answer once."""
    rows = await pool.fetch(_TASKS, [each.id for each in passed])
    wanted = {(each.id, path) for each in passed for path in each.flow.waits if path.endswith(("first", "enter"))}
    assert Counter((row["execution_id"], row["path"]) for row in rows) == Counter(wanted)
    for row in rows:
        n = orjson.loads(row["data"])["n"]
        answer = (row["status"], row["decision"], orjson.loads(row["output"] or "null"))
        first = row["title"] == "First"
        approved = is_approved(n) if first else True
        assert answer == ("COMPLETED", "approved" if approved else "rejected", None if first else entered(n))
    for each in passed:
        keys = [event.payload["key"] for event in each.log if event.kind is EventKind.SIGNAL_RECEIVED]
        assert len(keys) == len(set(keys))
