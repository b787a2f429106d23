"""Workflows, versions and triggers as stored: what is written comes back, changes compete, lists go on by keyset."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool, tenant_scope
from db.triggers import Triggers
from db.versions import Versions
from db.workflows import Workflows
from domain.errors import NotFound
from domain.graphs import Definition, Edge, Graph, JoinMode, Node, OnError, Position, Retry, Variable, WorkflowSettings
from domain.ids import TenantId, TriggerId, VersionId, WorkflowId
from domain.paging import Direction, Page
from domain.starts import TriggerType
from domain.triggers import Trigger, WebhookTaken
from domain.versions import Version, content_hash
from domain.versions import place as version_place
from domain.workflows import (
    NameTaken,
    StaleRevision,
    Workflow,
    WorkflowFilter,
    WorkflowOrder,
    WorkflowOrderField,
    WorkflowStatus,
    place,
)
from tests.databases import make_tenant

pytestmark = pytest.mark.usefixtures("app_db")

START = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
DEFINITION = Definition(
    graph=Graph(
        nodes=(
            Node(id="start", kind="trigger", position=Position(x=1.5, y=-2)),
            Node(
                id="price",
                kind="http",
                name="Preis ä€😀",
                config={"url": "{{ vars.api }}", "list": [1, 2.5, None, True], "nested": {"b": 1, "a": []}},
                retry=Retry(max_attempts=3, jitter=False),
                timeout=2.5,
                on_error=OnError.ROUTE,
                join=JoinMode.ANY,
            ),
        ),
        edges=(Edge(source="start", target="price", condition="input.ok", max_iterations=3),),
    ),
    variables={"currency": Variable(default="EUR", description="ISO 4217")},
    settings=WorkflowSettings(timeout=60, max_concurrent=2),
    input_schema={"type": "object"},
)


def workflow(name: str, *, minutes: int = 0, **changes: object) -> Workflow:
    at = START + timedelta(minutes=minutes)
    made = Workflow(id=WorkflowId(uuid.uuid7()), name=name, created_at=at, updated_at=at)
    return replace(made, **changes)  # pyright: ignore[reportArgumentType] - a test names fields freely


def version(of: Workflow, number: int | None, definition: Definition = DEFINITION) -> Version:
    return Version(
        id=VersionId(uuid.uuid7()),
        workflow_id=of.id,
        number=number,
        content_hash=content_hash(definition),
        definition=definition,
        note="why",
        created_at=START,
    )


def webhook(of: Workflow, path: str = "orders", **changes: object) -> Trigger:
    made = Trigger(
        id=TriggerId(uuid.uuid7()),
        workflow_id=of.id,
        type=TriggerType.WEBHOOK,
        config={"path": path, "response": "completed"},
        method="POST",
        path=path,
        created_at=START,
        updated_at=START,
    )
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


async def test_a_workflow_comes_back_as_it_was_written(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store = Workflows(tenant)
        full = workflow(
            "Order fulfilment",
            description="What happens to an order",
            category="sales",
            tags=("eu", "b2b"),
            status=WorkflowStatus.PAUSED,
            revision=7,
            draft=DEFINITION,
            created_by=uuid.uuid7(),
            updated_by=uuid.uuid7(),
        )
        await store.insert(full)

        assert await store.by_ids([full.id, WorkflowId(uuid.uuid7())]) == [full]
        assert await store.by_name("Order fulfilment") == full
        assert await store.by_name("order fulfilment") is None


async def test_a_name_is_taken_until_its_workflow_is_deleted_or_for_unlisted_ones(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store = Workflows(tenant)
        first = workflow("Same")
        await store.insert(first)
        with pytest.raises(NameTaken, match="'Same'"):
            await store.insert(workflow("Same"))
        other = workflow("Other")
        await store.insert(other)
        with pytest.raises(NameTaken):
            await store.save(replace(other, name="Same", revision=2), expected_revision=1)
        assert await store.by_ids([other.id]) == [other]

        unlisted = workflow("Same", listed=False)
        await store.insert(unlisted)
        await store.save(replace(first, revision=2, deleted_at=START), expected_revision=1)
        second = workflow("Same")
        await store.insert(second)

        assert await store.by_name("Same") == second
        assert await store.by_ids([first.id, unlisted.id]) == [unlisted]


async def test_of_those_who_change_the_same_revision_one_wins(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store = Workflows(tenant)
        original = workflow("Contested")
        await store.insert(original)

        async def change(number: int) -> Workflow | StaleRevision:
            new = replace(original, description=str(number), revision=2)
            try:
                await store.save(new, expected_revision=1)
            except StaleRevision as refused:
                return refused
            return new

        outcomes = await asyncio.gather(*(change(number) for number in range(5)))

        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Workflow)]
        refused = [outcome.current_revision for outcome in outcomes if isinstance(outcome, StaleRevision)]
        assert refused == [2, 2, 2, 2]
        assert await store.by_ids([original.id]) == [winner]


async def test_a_change_of_nothing_is_not_found(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store = Workflows(tenant)
        with pytest.raises(NotFound):
            await store.save(workflow("Nowhere"), expected_revision=1)
        gone = workflow("Gone")
        await store.insert(gone)
        await store.save(replace(gone, revision=2, deleted_at=START), expected_revision=1)
        with pytest.raises(NotFound):
            await store.save(replace(gone, revision=3), expected_revision=2)


async def test_publishing_stores_the_version_and_makes_it_the_active_one_or_does_neither(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store, versions = Workflows(tenant), Versions(tenant)
        draft = workflow("Publish", draft=DEFINITION)
        await store.insert(draft)
        first = version(draft, 1)
        active = replace(draft, status=WorkflowStatus.ACTIVE, active_version_id=first.id, revision=2)
        await store.publish(active, first, expected_revision=1)
        assert await store.by_ids([draft.id]) == [active]
        assert await versions.by_number(draft.id, 1) == first

        second = version(draft, 2)
        with pytest.raises(StaleRevision):
            await store.publish(replace(active, active_version_id=second.id), second, expected_revision=1)
        assert await store.by_ids([draft.id]) == [active]
        assert await versions.by_ids([second.id]) == []
        assert await versions.latest_number(draft.id) == 1


async def test_of_two_who_publish_at_once_the_second_is_told_the_new_revision(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store, versions = Workflows(tenant), Versions(tenant)
        draft = workflow("Race")
        await store.insert(draft)

        async def publish() -> int | None:
            made = version(draft, 1)
            try:
                await store.publish(replace(draft, active_version_id=made.id, revision=2), made, expected_revision=1)
            except StaleRevision as refused:
                return refused.current_revision
            return None

        outcomes = await asyncio.gather(publish(), publish(), publish())

        assert sorted(outcomes, key=str) == [2, 2, None]
        assert await versions.latest_number(draft.id) == 1


@pytest.mark.parametrize("field", list(WorkflowOrderField))
@pytest.mark.parametrize("direction", list(Direction))
async def test_pages_in_either_direction_add_up_to_the_ordered_list(
    field: WorkflowOrderField, direction: Direction, tenant: TenantId
) -> None:
    with tenant_scope(tenant):
        store = Workflows(tenant)
        for number in range(7):  # times repeat, so that the id decides
            await store.insert(workflow(f"w{number}", minutes=number // 3))
        await store.insert(workflow("unlisted", listed=False))
        order = WorkflowOrder(field=field, direction=direction)
        whole = (await store.page(WorkflowFilter(), order, Page(first=100))).items
        assert [each.name for each in whole] == sorted(
            (f"w{number}" for number in range(7)), reverse=direction is Direction.DESC
        )

        forward: list[Workflow] = []
        after = None
        while True:
            part = await store.page(WorkflowFilter(), order, Page(first=3, after=after))
            forward += part.items
            assert part.has_previous is (after is not None)
            if not part.has_next:
                break
            after = place(order, part.items[-1])
        assert forward == list(whole)

        backward: list[Workflow] = []
        before = None
        while True:
            part = await store.page(WorkflowFilter(), order, Page(last=3, before=before))
            backward = [*part.items, *backward]
            if not part.has_previous:
                break
            before = place(order, part.items[0])
        assert backward == list(whole)

        inner = Page(first=10, after=place(order, whole[1]), before=place(order, whole[4]))
        assert (await store.page(WorkflowFilter(), order, inner)).items == list(whole)[2:4]
        assert (await store.page(WorkflowFilter(), order, Page(first=0))).items == []


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (WorkflowFilter(), ["100% sure", "Alpha", "beta"]),
        (WorkflowFilter(search="ALPHA"), ["Alpha", "beta"]),
        (WorkflowFilter(search="%"), ["100% sure"]),
        (WorkflowFilter(search="_"), []),
        (WorkflowFilter(status=(WorkflowStatus.ACTIVE, WorkflowStatus.PAUSED)), ["Alpha"]),
        (WorkflowFilter(category="sales"), ["beta"]),
        (WorkflowFilter(tags=("eu", "b2b")), ["beta"]),
        (WorkflowFilter(tags=("eu",)), ["Alpha", "beta"]),
        (WorkflowFilter(tags=("eu",), status=(WorkflowStatus.ACTIVE,)), ["Alpha"]),
    ],
)
async def test_a_filter_finds_what_has_all_its_parts(
    chosen: WorkflowFilter, names: Sequence[str], tenant: TenantId
) -> None:
    with tenant_scope(tenant):
        store = Workflows(tenant)
        await store.insert(workflow("Alpha", tags=("eu",), status=WorkflowStatus.ACTIVE))
        await store.insert(workflow("beta", description="comes after alpha", tags=("b2b", "eu", "x"), category="sales"))
        await store.insert(workflow("100% sure"))
        order = WorkflowOrder(field=WorkflowOrderField.NAME, direction=Direction.ASC)

        found = await store.page(chosen, order, Page(first=10))

        assert [each.name for each in found.items] == names
        assert await store.count(chosen) == len(names)


async def test_versions_are_listed_by_number_and_drafts_that_ran_are_kept_once(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store, versions = Workflows(tenant), Versions(tenant)
        of = workflow("Versions")
        await store.insert(of)
        published = [version(of, number) for number in (1, 2, 3)]
        for revision, each in enumerate(published, start=1):
            await store.publish(
                replace(of, active_version_id=each.id, revision=revision + 1), each, expected_revision=revision
            )
        tried = version(of, None)

        kept = await asyncio.gather(versions.keep(tried), versions.keep(version(of, None)))

        assert kept[0] == kept[1]
        assert replace(kept[0], id=tried.id) == tried
        assert await versions.keep(version(of, None, Definition())) != kept[0]
        assert await versions.latest_number(of.id) == 3
        first = await versions.page(of.id, Page(first=2))
        assert (first.items, first.has_next) == ([published[2], published[1]], True)
        rest = await versions.page(of.id, Page(first=2, after=version_place(published[1])))
        assert (rest.items, rest.has_next) == ([published[0]], False)
        assert await versions.by_number(of.id, 4) is None
        assert await versions.latest_number(WorkflowId(uuid.uuid7())) == 0


async def test_a_trigger_comes_back_changes_and_goes(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        of = workflow("Triggers")
        await Workflows(tenant).insert(of)
        store = Triggers(tenant)
        hook = webhook(of)
        event = replace(
            webhook(of, created_at=START + timedelta(seconds=1)), type=TriggerType.EVENT, method=None, path=None
        )
        for each in (event, hook):
            await store.insert(each)
        assert await store.of_workflows([of.id]) == {of.id: [hook, event]}

        changed = replace(hook, enabled=False, config={"path": "x"}, path="x", updated_at=START + timedelta(days=1))
        await store.save(changed)
        assert await store.by_ids([hook.id]) == [changed]

        assert (await store.delete(hook.id), await store.delete(hook.id)) == (True, False)
        assert await store.of_workflows([of.id]) == {of.id: [event]}
        with pytest.raises(NotFound):
            await store.save(hook)


async def test_one_enabled_webhook_of_a_tenant_answers_a_method_and_path(
    tenant: TenantId, engine_pool: EnginePool
) -> None:
    with tenant_scope(tenant):
        of = workflow("Webhooks")
        await Workflows(tenant).insert(of)
        store = Triggers(tenant)
        await store.insert(webhook(of))
        with pytest.raises(WebhookTaken, match="POST orders"):
            await store.insert(webhook(of))
        await store.insert(webhook(of, method="GET"))
        sleeping = webhook(of, enabled=False)
        await store.insert(sleeping)
        with pytest.raises(WebhookTaken):
            await store.save(replace(sleeping, enabled=True))
        assert await store.by_ids([sleeping.id]) == [sleeping]

    neighbour = await make_tenant(engine_pool)
    with tenant_scope(neighbour):
        of = workflow("Webhooks")
        await Workflows(neighbour).insert(of)
        await Triggers(neighbour).insert(webhook(of))


async def test_another_tenants_things_are_not_there(tenant: TenantId, engine_pool: EnginePool) -> None:
    with tenant_scope(tenant):
        of = workflow("Private")
        await Workflows(tenant).insert(of)
        hook, tried = webhook(of), version(of, None)
        await Triggers(tenant).insert(hook)
        await Versions(tenant).keep(tried)

    neighbour = await make_tenant(engine_pool)
    with tenant_scope(neighbour):
        assert await Workflows(neighbour).by_ids([of.id]) == []
        assert await Workflows(neighbour).by_name("Private") is None
        assert await Workflows(neighbour).count(WorkflowFilter()) == 0
        with pytest.raises(NotFound):
            await Workflows(neighbour).save(of, expected_revision=1)
        assert await Versions(neighbour).by_ids([tried.id]) == []
        assert await Triggers(neighbour).by_ids([hook.id]) == []
        assert await Triggers(neighbour).of_workflows([of.id]) == {of.id: []}
        assert await Triggers(neighbour).delete(hook.id) is False
    with tenant_scope(neighbour):  # a repository and a scope of different tenants show nothing of either
        assert await Workflows(tenant).by_ids([of.id]) == []

    with tenant_scope(tenant):
        assert await Workflows(tenant).by_ids([of.id]) == [of]
        assert await Triggers(tenant).by_ids([hook.id]) == [hook]
