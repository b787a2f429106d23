"""What the approval node asks of people, how long it waits, and which way each answer takes."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from domain.engine.outcomes import Completed, Failed, SignalArrived, TimerDue, Waiting
from domain.graphs import Node
from domain.ids import ExecutionId, TaskId, TenantId
from domain.json import JSON, JSONObject
from domain.tasks import Task, TaskDecision, TaskKind, TaskRequest, TaskStatus
from domain.tasks_time import elapsed
from jobs.nodes import CATALOG
from tests.unit.node_world import EXECUTION, NOW, TENANT, NodeWorld, node_world

HOUR = 3600.0
FORM: JSONObject = {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]}


@dataclass
class Desk:
    """A `TaskDesk` that keeps one task; the real one is held against its contract in tests/contract/test_tasks.py."""

    requests: list[TaskRequest] = field(default_factory=list[TaskRequest])
    task: Task | None = None

    async def open(self, request: TaskRequest) -> Task:
        self.requests.append(request)
        if self.task is None:
            self.task = Task(
                id=TaskId(UUID(int=5)),
                execution_id=request.execution_id,
                path=request.path,
                kind=request.kind,
                title=request.title,
                assignees=tuple(request.assignees),
                escalate_to=tuple(request.escalate_to),
                due_at=request.due_at,
                expires_at=request.expires_at,
                created_at=NOW,
                updated_at=NOW,
            )
        return self.task

    async def look(self, execution_id: ExecutionId, path: str, at: datetime) -> Task:
        assert self.task is not None
        assert (execution_id, path) == (EXECUTION, "node")
        self.task = elapsed(self.task, at)
        return self.task


@pytest.fixture(scope="module")
async def servers() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


@pytest.fixture
def desk() -> Desk:
    return Desk()


def _the(desk: Desk, tenant: TenantId) -> Desk:
    assert tenant == TENANT
    return desk


@pytest.fixture
def world(servers: NodeWorld, desk: Desk) -> NodeWorld:
    return replace(servers, supplies=replace(servers.supplies, tasks=partial(_the, desk)))


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


async def test_a_step_asks_for_what_its_config_says_and_waits_for_the_answer(world: NodeWorld, desk: Desk) -> None:
    outcome = await world.run(
        "approval",
        {
            "title": "Refund {{ input.amount }} EUR?",
            "description": "For {{ input.customer }}",
            "form": FORM,
            "data": "{{ input }}",
            "assignees": ["Ada@example.com", "role:admin"],
            "due": HOUR,
            "escalateTo": "{{ input.boss }}",
            "timeout": 2 * HOUR,
            "signature": True,
        },
        input={"amount": 7, "customer": "Bob", "boss": "eve@example.com"},
    )

    assert outcome == Waiting(signal="task:node", until=after(HOUR))
    assert desk.requests == [
        TaskRequest(
            execution_id=EXECUTION,
            path="node",
            kind=TaskKind.APPROVAL,
            title="Refund 7 EUR?",
            description="For Bob",
            form=FORM,
            data={"amount": 7, "customer": "Bob", "boss": "eve@example.com"},
            assignees=("ada@example.com", "role:admin"),
            due_at=after(HOUR),
            expires_at=after(2 * HOUR),
            escalate_to=("eve@example.com",),
            signature=True,
        )
    ]


@pytest.mark.parametrize(
    ("config", "due", "expires", "until"),
    [
        ({}, None, None, None),
        ({"due": 60}, 60, 60, 60),
        ({"due": "2026-11-21T10:00:00+00:00"}, HOUR, HOUR, HOUR),
        ({"due": "2026-11-21T10:00:00"}, HOUR, HOUR, HOUR),
        ({"timeout": 90}, None, 90, 90),
        ({"due": 60, "timeout": 90}, 60, 90, 90),
        ({"due": 60, "escalateTo": ["role:admin"]}, 60, None, 60),
        ({"due": 60, "timeout": 90, "escalateTo": ["role:admin"]}, 60, 90, 60),
        ({"due": 60, "timeout": 30, "escalateTo": ["role:admin"]}, 60, 30, 30),
    ],
)
async def test_it_waits_until_the_clock_will_do_something(
    world: NodeWorld, desk: Desk, config: JSONObject, due: float | None, expires: float | None, until: float | None
) -> None:
    outcome = await world.run("approval", {"title": "Go?", **config})

    (request,) = desk.requests
    assert request.due_at == (after(due) if due is not None else None)
    assert request.expires_at == (after(expires) if expires is not None else None)
    assert outcome == Waiting(signal="task:node", until=after(until) if until is not None else None)


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_an_answer_takes_the_way_of_its_decision(world: NodeWorld, decision: str) -> None:
    answer: JSON = {"decision": decision, "data": {"reason": "x"}, "comment": "y", "by": "user_1", "at": "now"}

    outcome = await world.resume("approval", {"title": "Go?"}, SignalArrived(payload=answer))

    why: JSON = {"decision": decision, "by": "user_1"}
    assert outcome == Completed(output=answer, handles=(decision,), decision=why)


async def test_a_due_step_hands_the_task_on_and_ends_it_at_its_timeout(world: NodeWorld, desk: Desk) -> None:
    config: JSONObject = {"title": "Go?", "due": 0.01, "timeout": HOUR, "escalateTo": ["role:admin"]}
    await world.run("approval", config, input=1)

    waiting = await world.resume("approval", config, TimerDue(), input=1)

    assert waiting == Waiting(signal="task:node", until=after(HOUR))
    assert desk.task is not None
    assert desk.task.assignees == ("role:admin",)
    desk.task = replace(desk.task, expires_at=NOW)
    assert await world.resume("approval", config, TimerDue(), input=1) == Completed(output=1, handles=("timeout",))


@pytest.mark.parametrize("again", ["run", "resume"])
async def test_a_task_that_was_answered_meanwhile_is_not_waited_for(world: NodeWorld, desk: Desk, again: str) -> None:
    config: JSONObject = {"title": "Go?", "timeout": 60}
    await world.run("approval", config)
    assert desk.task is not None
    desk.task = replace(
        desk.task,
        status=TaskStatus.COMPLETED,
        decision=TaskDecision.APPROVED,
        output=1,
        decided_by="user_1",
        decided_at=NOW,
    )

    outcome = await (world.run("approval", config) if again == "run" else world.resume("approval", config, TimerDue()))

    answer: JSON = {"decision": "approved", "data": 1, "comment": None, "by": "user_1", "at": NOW.isoformat()}
    why: JSON = {"decision": "approved", "by": "user_1"}
    assert outcome == Completed(output=answer, handles=("approved",), decision=why)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"assignees": "{{ input }}"}, "assignees: 'soon' is nobody a task can be for"),
        ({"due": 1, "escalateTo": ["{{ input }}"]}, "escalateTo: 'soon' is nobody a task can be for"),
        ({"due": "{{ input }}"}, "due: 'soon' is no moment in ISO 8601"),
        ({"due": "2030-01-01"}, "due: '2030-01-01' is more than a year away"),
        ({"form": {"type": "{{ input }}"}}, "form.type: type: 'soon' is not valid under any of the given schemas"),
        ({"data": "{{ input.repeat(70000) }}"}, "data: The value has 280,002 bytes; at most 262,144 are taken"),
    ],
)
async def test_a_config_that_turns_out_wrong_asks_nobody(
    world: NodeWorld, desk: Desk, config: JSONObject, message: str
) -> None:
    outcome = await world.run("approval", {"title": "Go?", **config}, input="soon")

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.message, outcome.retryable) == ("CONFIG_INVALID", message, False)
    assert desk.requests == []


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"kind": "{{ input }}"}, ("config", "kind")),
        ({"kind": "poll"}, ("config", "kind")),
        ({"escalateTo": ["role:admin"]}, ("config", "escalateTo")),
        ({"due": 1, "escalateTo": ["nobody"]}, ("config", "escalateTo")),
        ({"assignees": ["role:pope"]}, ("config", "assignees")),
        ({"assignees": "ada"}, ("config", "assignees")),
        ({"due": "soon"}, ("config", "due")),
        ({"due": -1}, ("config", "due")),
        ({"timeout": 0}, ("config", "timeout")),
        ({"form": {"type": "strin"}}, ("config", "form", "type")),
        ({"form": {"$ref": "http://example.com"}}, ("config", "form", "$ref")),
        ({"title": ""}, ("config", "title")),
    ],
)
def test_what_is_wrong_as_written_is_found_before_it_runs(config: JSONObject, path: tuple[str, ...]) -> None:
    findings = CATALOG.check(Node(id="ask", kind="approval", config={"title": "Go?", **config}))

    assert [finding.path for finding in findings] == [path]
    assert all(finding.message for finding in findings)


def test_what_holds_expressions_is_left_until_it_runs() -> None:
    config: JSONObject = {
        "title": "{{ input.title }}",
        "assignees": ["{{ input.agent }}"],
        "due": "{{ input.due }}",
        "escalateTo": "{{ vars.boss }}",
        "form": {"enum": "{{ input.choices }}"},
        "timeout": "{{ vars.patience }}",
    }

    assert CATALOG.check(Node(id="ask", kind="approval", config=config)) == []


@pytest.mark.parametrize(
    ("kind", "handles"),
    [("approval", ("approved", "rejected", "timeout")), ("entry", ("approved", "timeout"))],
)
def test_only_a_decision_can_be_a_rejection(kind: str, handles: tuple[str, ...]) -> None:
    assert tuple(CATALOG.handles(Node(id="ask", kind="approval", config={"title": "?", "kind": kind}))) == handles
    assert CATALOG.kinds()["approval"].output_handles == ("approved", "rejected", "timeout")


def test_every_example_is_valid() -> None:
    for example in CATALOG.kinds()["approval"].examples:
        assert CATALOG.check(Node(id="ask", kind="approval", config=example.config)) == []
