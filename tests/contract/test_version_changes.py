"""Executions that wait go on with another version when its graph allows it, once, whoever dies meanwhile."""

from collections.abc import Sequence
from dataclasses import replace

import asyncpg
import orjson
import uuid_utils.compat as uuid

from app.clock import utc_now
from db.claims import PostgresOwnership
from db.connections import Connection
from db.inbox import PostgresInbox
from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus, InboxKind
from domain.formats.stored import definition_to_json
from domain.graphs import Definition
from domain.ids import ExecutionId, VersionId, WorkerId, decode, encode
from domain.inbox import Posted
from domain.json import JSON, as_object
from domain.versions import Version, content_hash
from tests.contract.engine_room import Ending, EngineRoom, Published
from tests.contract.flows import flow, give, http, step
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]

HOLD = step("hold", "wait", signal="go")
OLD = flow(give("one", n=1), HOLD, step("done", "end", output="old"), "start > one > hold > done")
NEW = flow(
    give("one", n=1),
    HOLD,
    give("more", n=2),
    step("done", "end", output="{{ [vars.tone, input.n, steps.one.output.n] }}"),
    "start > one > hold > more > done",
    variables={"tone": "new"},
)
ELSEWHERE = flow(give("two", n=1), HOLD, step("done", "end", output="x"), "start > two > hold > done")


async def next_version(room: EngineRoom, published: Published, definition: Definition) -> Published:
    """Another version of the workflow, active from now on."""
    number = (published.version.number or 0) + 1
    version = replace(
        published.version,
        id=VersionId(uuid.uuid7()),
        number=number,
        content_hash=content_hash(definition),
        definition=definition,
    )
    connection: Connection = await asyncpg.connect(room.dsn, server_settings={"role": "weir_app"})
    try:
        await connection.execute("SELECT set_config('weir.tenant', $1, false)", str(published.tenant_id))
        await insert(connection, published, version)
    finally:
        await connection.close()
    return replace(published, version=version)


async def insert(connection: Connection, published: Published, version: Version) -> None:
    await connection.execute(
        """INSERT INTO workflow_version
             (id, tenant_id, workflow_id, number, content_hash, definition, note, created_at)
           VALUES ($1, $2, $3, $4, $5, $6::text::json, '', $7)""",
        version.id,
        published.tenant_id,
        version.workflow_id,
        version.number,
        version.content_hash,
        orjson.dumps(definition_to_json(version.definition)).decode(),
        version.created_at,
    )
    await connection.execute(
        "UPDATE workflow SET active_version_id = $1 WHERE id = $2", version.id, version.workflow_id
    )


async def migrate(room: EngineRoom, execution: ExecutionId, to: Published, *, ring: bool = True) -> Posted:
    """What `executionsMigrate` posts."""
    name = encode("version", to.version.id)
    variables: dict[str, JSON] = {name: variable.default for name, variable in to.version.definition.variables.items()}
    payload: dict[str, JSON] = {"to": name, "by": "user_1", "variables": variables}
    return await room.post(execution, InboxKind.MIGRATE, payload, key=name, ring=ring)


async def version_of(room: EngineRoom, execution: ExecutionId) -> VersionId:
    return await room.pool.fetchval("SELECT version_id FROM execution WHERE id = $1", execution)


async def changes(room: EngineRoom, execution: ExecutionId) -> Sequence[Event]:
    return [event for event in await room.log(execution) if event.kind is EventKind.VERSION_CHANGED]


async def test_what_runs_keeps_its_version_when_another_becomes_the_active_one(engine: EngineRoom) -> None:
    published = await engine.publish(OLD)
    execution = await engine.start(published)
    await engine.let_go(execution)

    await next_version(engine, published, NEW)
    await engine.signal(execution, "go")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="old")
    assert await version_of(engine, execution) == published.version.id


async def test_a_waiting_execution_goes_on_with_the_version_it_is_moved_to(engine: EngineRoom) -> None:
    published = await engine.publish(OLD)
    execution = await engine.start(published)
    await engine.let_go(execution)
    newer = await next_version(engine, published, NEW)

    assert await migrate(engine, execution, newer) is Posted.ACCEPTED
    event = await engine.event(execution, EventKind.VERSION_CHANGED)
    await engine.let_go(execution)

    assert event.payload == {
        "from": encode("version", published.version.id),
        "to": encode("version", newer.version.id),
        "by": "user_1",
        "variables": {"tone": "new"},
    }
    assert await version_of(engine, execution) == newer.version.id
    await engine.signal(execution, "go")
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["new", 2, 1])
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "one",
        "hold",
        "more",
        "done",
    ]


async def test_where_the_graph_does_not_allow_it_the_log_says_why_and_it_goes_on_as_before(engine: EngineRoom) -> None:
    published = await engine.publish(OLD)
    execution = await engine.start(published)
    await engine.let_go(execution)
    newer = await next_version(engine, published, ELSEWHERE)

    await migrate(engine, execution, newer)
    event = await engine.event(execution, EventKind.VERSION_CHANGED)

    assert event.payload["obstacles"] == [
        {"code": "NODE_GONE", "message": "The new version has no node one", "path": "one"},
        {"code": "INCOMING_CHANGED", "message": "Other edges lead to hold, or it joins them otherwise", "path": "hold"},
    ]
    assert await version_of(engine, execution) == published.version.id
    await engine.signal(execution, "go")
    assert await engine.ending(execution) == Ending(status="COMPLETED", output="old")


async def test_while_a_step_runs_the_change_waits_for_its_end(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    nodes = (http("gate", f"{server.url}/gate"), HOLD)
    published = await engine.publish(flow(*nodes, step("done", "end", output="old"), "start > gate > hold > done"))
    execution = await engine.start(published)
    await server.has("/gate")
    newer = await next_version(
        engine, published, flow(*nodes, step("done", "end", output="new"), "start > gate > hold > done")
    )

    await migrate(engine, execution, newer)
    await engine.signal(execution, "other")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED)
    assert await changes(engine, execution) == []
    server.let_go("/gate")
    await engine.event(execution, EventKind.VERSION_CHANGED)
    await engine.signal(execution, "go")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="new")
    assert server.count("/gate") == 1


async def test_a_worker_that_dies_with_the_wish_in_hand_loses_nothing(room: EngineRoom) -> None:
    async with room.running():
        published = await room.publish(OLD)
        execution = await room.start(published)
        await room.let_go(execution)
    newer = await next_version(room, published, NEW)
    await migrate(room, execution, newer, ring=False)

    (claimed,) = await PostgresOwnership(room.pool).claim(WorkerId(uuid.uuid7()), 1, only=[execution])
    assert [message.kind for message in claimed.inbox] == [InboxKind.MIGRATE]

    async with room.running():
        await room.sweep()
        await room.event(execution, EventKind.VERSION_CHANGED)
        await room.let_go(execution)
        await room.signal(execution, "go")
        assert await room.ending(execution) == Ending(status="COMPLETED", output=["new", 2, 1])
    assert len(await changes(room, execution)) == 1


async def test_asked_twice_it_is_the_same_execution_of_the_same_version(engine: EngineRoom) -> None:
    published = await engine.publish(OLD)
    execution = await engine.start(published, ring=False)
    newer = await next_version(engine, published, NEW)

    answers = [await migrate(engine, execution, newer, ring=False) for _ in range(2)]
    await engine.doorbell.ring(published.tenant_id, [execution])
    await engine.event(execution, EventKind.VERSION_CHANGED)
    await engine.let_go(execution)
    await migrate(engine, execution, newer)
    await engine.event(execution, EventKind.VERSION_CHANGED, count=2)
    await engine.signal(execution, "go")

    assert answers == [Posted.ACCEPTED, Posted.REPEATED]
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["new", 2, 1])
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"].count("one") == 1


async def test_a_paused_execution_changes_its_version_and_stays_paused(engine: EngineRoom) -> None:
    published = await engine.publish(OLD)
    execution = await engine.start(published)
    await engine.let_go(execution)
    await engine.post(execution, InboxKind.PAUSE, {"by": "user_1"})
    await engine.let_go(execution, ExecutionStatus.PAUSED)
    newer = await next_version(engine, published, NEW)

    await migrate(engine, execution, newer)
    await engine.event(execution, EventKind.VERSION_CHANGED)
    await engine.let_go(execution, ExecutionStatus.PAUSED)
    await engine.signal(execution, "go")
    await engine.post(execution, InboxKind.RESUME, {"by": "user_1"})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["new", 2, 1])


async def test_a_snapshot_of_the_version_before_is_no_snapshot(engine: EngineRoom) -> None:
    """A snapshot may be on its way while the version changes, and arrive afterwards."""
    published = await engine.publish(OLD)
    execution = await engine.start(published)
    await engine.let_go(execution)
    late = await engine.pool.fetchrow(
        "SELECT seq, state::text AS state FROM execution_state WHERE execution_id = $1", execution
    )
    newer = await next_version(engine, published, NEW)
    await migrate(engine, execution, newer)
    await engine.event(execution, EventKind.VERSION_CHANGED)
    await engine.let_go(execution)

    assert late is not None
    torn: dict[str, JSON] = {**as_object(orjson.loads(late["state"])), "steps": [], "open": []}
    await engine.pool.execute(
        "UPDATE execution_state SET seq = $2, state = $3::text::json WHERE execution_id = $1",
        execution,
        late["seq"],
        orjson.dumps(torn).decode(),
    )
    await engine.signal(execution, "go")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["new", 2, 1])


async def test_a_version_that_cannot_run_here_is_an_obstacle(engine: EngineRoom) -> None:
    published = await engine.publish(OLD)
    execution = await engine.start(published)
    await engine.let_go(execution)
    gone = replace(published, version=replace(published.version, id=VersionId(uuid.uuid7()), created_at=utc_now()))

    await migrate(engine, execution, gone)
    event = await engine.event(execution, EventKind.VERSION_CHANGED)

    assert event.payload["obstacles"] == [{"code": "UNRUNNABLE", "message": "its version is gone", "path": None}]
    await engine.signal(execution, "go")
    assert await engine.ending(execution) == Ending(status="COMPLETED", output="old")


def looping(inside: str, last: str) -> Definition:
    """One pass after another waits for `go`; the wait's node is called `inside`."""
    body: JSON = {
        "nodes": [
            {"id": inside, "kind": "wait", "config": {"signal": "go"}},
            {"id": "told", "kind": "set", "config": {"values": {"seen": "{{ input }}"}, "keepOnly": True}},
        ],
        "edges": [{"source": inside, "target": "told"}],
    }
    loop = step("loop", "loop", type="foreach", items=[1, 2], body=body)
    return flow(loop, step("done", "end", output=last), "start > loop > done")


async def test_in_the_midst_of_a_loop_what_comes_after_it_may_change_and_its_body_may_not(engine: EngineRoom) -> None:
    published = await engine.publish(looping("ask", "old"))
    execution = await engine.start(published)
    await engine.signal(execution, "go", 1)
    await engine.event(execution, EventKind.WAITING, "loop[1].ask")
    await engine.let_go(execution)
    other = await next_version(engine, published, looping("other", "x"))
    newer = await next_version(engine, other, looping("ask", "{{ input }}"))

    await migrate(engine, execution, other)
    refused = await engine.event(execution, EventKind.VERSION_CHANGED)
    await migrate(engine, execution, newer)
    changed = await engine.event(execution, EventKind.VERSION_CHANGED, count=2)
    await engine.let_go(execution)
    await engine.signal(execution, "go", 2)

    assert refused.payload["obstacles"] == [
        {"code": "BODY_CHANGED", "message": "What loop runs for each element or pass has changed", "path": "loop"}
    ]
    assert changed.payload.get("obstacles") is None
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[{"seen": 1}, {"seen": 2}])
    waits = [each.path for each in await engine.log(execution) if each.kind is EventKind.WAITING]
    assert waits == ["loop", "loop[0].ask", "loop[1].ask"], "no pass was begun again"


async def test_one_that_waits_for_a_child_hears_of_its_end_in_the_new_version(engine: EngineRoom) -> None:
    child = await engine.publish(OLD, name="Child of two versions")
    call = step("call", "subworkflow", workflow="Child of two versions")
    before = flow(call, step("done", "end", output="old"), "start > call > done")
    after = flow(call, step("done", "end", output="{{ ['new', input] }}"), "start > call > done")
    published = await engine.publish(before, child.tenant_id)
    execution = await engine.start(published)
    begun = await engine.event(execution, EventKind.CHILD_STARTED)
    await engine.let_go(execution)
    newer = await next_version(engine, published, after)

    await migrate(engine, execution, newer)
    await engine.event(execution, EventKind.VERSION_CHANGED)
    below = ExecutionId(decode("execution", str(begun.payload["execution"])))
    await PostgresInbox(engine.pool).post(
        child.tenant_id, below, InboxKind.SIGNAL, "once", {"name": "go", "payload": None}
    )
    await engine.doorbell.ring(child.tenant_id, [below])

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["new", "old"])
