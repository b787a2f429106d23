"""Tasks as values: whose they are, what the clock does to them, and what a signature binds together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest

from domain.access import Permission
from domain.accounts import Account
from domain.errors import Invalid
from domain.ids import ApiKeyId, ExecutionId, TaskId, TenantId, UserId, encode
from domain.sessions import Identity
from domain.tasks import Task, TaskDecision, TaskFilter, TaskKind, TaskStatus, is_for, matches
from domain.tasks_people import Caller, caller_of, check_assignees
from domain.tasks_sign import digest, holds, signed
from domain.tasks_time import elapsed, next_moment
from domain.tenancy import Actor, ActorKind, Principal, Tenant

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = UserId(UUID(int=7))
ADA_ID = encode("user", ADA)
TASK = Task(
    id=TaskId(UUID(int=1)),
    execution_id=ExecutionId(UUID(int=2)),
    path="review",
    kind=TaskKind.APPROVAL,
    title="Release?",
    assignees=("ada@example.com",),
    created_at=NOW,
    updated_at=NOW,
)
ACCOUNT = Account(id=ADA, email="ada@example.com", name="Ada", password_hash="x", created_at=NOW)


def identity(kind: ActorKind, role: str, *permissions: Permission, owner: UserId | None = ADA) -> Identity:
    tenant = Tenant(id=TenantId(UUID(int=3)), slug="t", name="T", created_at=NOW)
    actor = Actor(kind=kind, id=ADA if kind is ActorKind.USER else ApiKeyId(UUID(int=8)), user_id=owner)
    principal = Principal(tenant_id=tenant.id, actor=actor, permissions=frozenset(permissions))
    return Identity(principal=principal, tenant=tenant, role=role)


def somebody(*names: str, person: str = "user_x", manages: bool = False) -> Caller:
    return Caller(actor=person, person=person, names=frozenset(names), manages=manages)


def test_a_person_is_known_by_id_address_and_role_and_may_sign() -> None:
    caller = caller_of(identity(ActorKind.USER, "developer", Permission.TASK_MANAGE), ACCOUNT)

    assert caller == Caller(
        actor=ADA_ID,
        person=ADA_ID,
        names=frozenset({"role:developer", "ada@example.com", ADA_ID}),
        manages=True,
        account=ACCOUNT,
    )


def test_an_api_key_acts_for_the_person_it_belongs_to_and_never_signs() -> None:
    key = encode("apikey", UUID(int=8))

    hers = caller_of(identity(ActorKind.API_KEY, "service"), ACCOUNT)
    nobodys = caller_of(identity(ActorKind.API_KEY, "service", owner=None), None)

    assert (hers.actor, hers.person, hers.account) == (key, ADA_ID, None)
    assert hers.names == {"role:service", "ada@example.com", ADA_ID}
    assert nobodys == Caller(actor=key, person=key, names=frozenset({"role:service"}))


def test_assignees_have_one_spelling_and_stand_once() -> None:
    given = [" Ada@Example.com", "ada@example.com", "role:ADMIN", ADA_ID]

    assert check_assignees(given) == ("ada@example.com", "role:admin", ADA_ID)


@pytest.mark.parametrize("name", ["ada", "role:pope", "role:", "user_123", encode("task", UUID(int=1)), "", "@"])
def test_what_can_mean_nobody_is_no_assignee(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_assignees([name], "assignees")
    assert refused.value.path == ("assignees",)


@pytest.mark.parametrize(
    ("task", "caller", "expected"),
    [
        (TASK, somebody("ada@example.com"), True),
        (TASK, somebody("bob@example.com"), False),
        (TASK, somebody("bob@example.com", manages=True), False),
        (replace(TASK, assignees=("role:admin",)), somebody("role:admin", "bob@example.com"), True),
        (replace(TASK, assignees=()), somebody("bob@example.com", manages=True), True),
        (replace(TASK, assignees=()), somebody("bob@example.com"), False),
        (replace(TASK, claimed_by="user_x"), somebody("ada@example.com"), True),
        (replace(TASK, claimed_by="user_y"), somebody("ada@example.com"), False),
    ],
)
def test_an_inbox_holds_what_is_assigned_and_not_claimed_by_others(task: Task, caller: Caller, expected: bool) -> None:
    assert is_for(task, caller) is expected
    assert matches(TaskFilter(mine=caller), task, NOW) is expected


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (TaskFilter(), True),
        (TaskFilter(status=(TaskStatus.COMPLETED,)), False),
        (TaskFilter(status=(TaskStatus.COMPLETED, TaskStatus.OPEN)), True),
        (TaskFilter(execution_id=TASK.execution_id), True),
        (TaskFilter(execution_id=ExecutionId(UUID(int=9))), False),
        (TaskFilter(overdue=True), False),
    ],
)
def test_every_part_of_a_filter_must_hold(chosen: TaskFilter, expected: bool) -> None:
    assert matches(chosen, TASK, NOW) is expected


def test_a_task_is_overdue_once_its_time_is_over_and_as_long_as_it_is_open() -> None:
    due = replace(TASK, due_at=NOW)

    assert matches(TaskFilter(overdue=True), due, NOW) is False
    assert matches(TaskFilter(overdue=True), due, NOW + HOUR) is True
    assert matches(TaskFilter(overdue=True), replace(due, status=TaskStatus.EXPIRED), NOW + HOUR) is False


ESCALATES = replace(
    TASK, due_at=NOW + HOUR, expires_at=NOW + 2 * HOUR, escalate_to=("role:admin",), claimed_by="user_x"
)


def test_a_due_task_is_handed_on_once_and_then_ends() -> None:
    assert next_moment(ESCALATES) == NOW + HOUR
    assert elapsed(ESCALATES, NOW) is ESCALATES

    handed_on = elapsed(ESCALATES, NOW + HOUR)
    assert handed_on == replace(
        ESCALATES, assignees=("role:admin",), claimed_by=None, escalated_at=NOW + HOUR, updated_at=NOW + HOUR
    )
    assert next_moment(handed_on) == NOW + 2 * HOUR
    assert elapsed(handed_on, NOW + HOUR) is handed_on

    over = elapsed(handed_on, NOW + 2 * HOUR)
    assert over == replace(handed_on, status=TaskStatus.EXPIRED, updated_at=NOW + 2 * HOUR)
    assert elapsed(over, NOW + 3 * HOUR) is over


def test_a_timer_that_goes_off_a_moment_early_counts() -> None:
    early = NOW + HOUR - timedelta(milliseconds=10)

    assert elapsed(ESCALATES, early).escalated_at == early


def test_who_comes_after_both_moments_finds_the_task_over() -> None:
    assert elapsed(ESCALATES, NOW + 5 * HOUR).status is TaskStatus.EXPIRED


def test_a_task_without_end_or_escalation_waits_for_ever() -> None:
    task = replace(TASK, due_at=NOW)

    assert next_moment(task) is None
    assert elapsed(task, NOW + HOUR) is task


def test_what_is_completed_does_not_end_by_the_clock() -> None:
    task = replace(ESCALATES, status=TaskStatus.COMPLETED)

    assert elapsed(task, NOW + 5 * HOUR) is task


COMPLETED = replace(
    TASK,
    status=TaskStatus.COMPLETED,
    decision=TaskDecision.APPROVED,
    output={"b": 1, "a": [1.5, "ü"]},
    decided_by=ADA_ID,
    decided_at=NOW,
)


SIGNED = (
    '{"at":"2026-11-21T09:00:00+00:00","by":"user_00000000000000000000000007","data":{"a":[1.5,"\\u00fc"],"b":1},'
    '"decision":"approved","execution":"execution_00000000000000000000000002","path":"review",'
    '"task":"task_00000000000000000000000001"}'
)


def test_a_digest_is_the_same_for_the_same_answer_however_its_keys_are_ordered() -> None:
    again = replace(COMPLETED, output={"a": [1.5, "ü"], "b": 1}, comment="not part of it")

    assert digest(COMPLETED, ADA) == digest(again, ADA)
    assert digest(COMPLETED, ADA) == sha256(SIGNED.encode()).hexdigest()


@pytest.mark.parametrize(
    "forged",
    [
        replace(COMPLETED, output={"b": 2, "a": [1.5, "ü"]}),
        replace(COMPLETED, decision=TaskDecision.REJECTED),
        replace(COMPLETED, decided_at=NOW + HOUR),
        replace(COMPLETED, path="other"),
        replace(COMPLETED, execution_id=ExecutionId(UUID(int=9))),
        replace(COMPLETED, id=TaskId(UUID(int=9))),
    ],
)
def test_a_signature_does_not_hold_for_anything_else(forged: Task) -> None:
    signature = signed(COMPLETED, ADA)

    assert holds(replace(COMPLETED, signature=signature))
    assert not holds(replace(forged, signature=signature))
    assert not holds(replace(COMPLETED, signature=replace(signature, by=UserId(UUID(int=9)))))
    assert not holds(COMPLETED)
