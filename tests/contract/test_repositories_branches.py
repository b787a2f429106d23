"""Branches and requests to publish as stored: a merge and an approval are written whole or not at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import uuid_utils.compat as uuid

from db.branches import Branches
from db.connections import EnginePool, tenant_scope
from db.publish_requests import PublishRequests
from db.versions import Versions
from db.workflows import Workflows
from domain.branches import Branch, BranchNameTaken, StaleBranch, place
from domain.errors import NotFound
from domain.graphs import Definition, Variable
from domain.ids import BranchId, PublishRequestId, TenantId, VersionId, WorkflowId
from domain.paging import Page
from domain.publish_requests import AnotherRequestOpen, PublishRequest, PublishRequestStatus, RequestDecided
from domain.versions import Version, content_hash
from domain.workflows import StaleRevision, Workflow

pytestmark = pytest.mark.usefixtures("app_db")

START = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ADA, BOB = "user_ada", "user_bob"
EMPTY = Definition()


def holding(value: int) -> Definition:
    return Definition(variables={"a": Variable(default=value)})


async def a_workflow(tenant: TenantId, draft: Definition = EMPTY) -> Workflow:
    made = Workflow(id=WorkflowId(uuid.uuid7()), name=uuid.uuid7().hex, draft=draft, created_at=START, updated_at=START)
    await Workflows(tenant).insert(made)
    return made


def a_branch(of: Workflow, name: str = "feature", minutes: int = 0) -> Branch:
    at = START + timedelta(minutes=minutes)
    return Branch(
        id=BranchId(uuid.uuid7()),
        workflow_id=of.id,
        name=name,
        base=of.draft,
        definition=holding(2),
        from_version=3,
        authors=(ADA, BOB),
        created_at=at,
        created_by=ADA,
        updated_at=at,
        updated_by=BOB,
        merged_at=at,
        merged_by=BOB,
    )


async def a_request(tenant: TenantId, of: Workflow) -> PublishRequest:
    candidate = await Versions(tenant).keep(a_version(of, None))
    return PublishRequest(
        id=PublishRequestId(uuid.uuid7()),
        workflow_id=of.id,
        candidate_id=candidate.id,
        previous_id=None,
        content_hash=candidate.content_hash,
        note="why",
        authors=(ADA,),
        requested_at=START,
        requested_by=ADA,
    )


def a_version(of: Workflow, number: int | None) -> Version:
    return Version(
        id=VersionId(uuid.uuid7()),
        workflow_id=of.id,
        number=number,
        content_hash=content_hash(of.draft),
        definition=of.draft,
        created_at=START,
        published_by=ADA if number else None,
        approved_by=BOB if number else None,
    )


def approved(request: PublishRequest, version: Version, by: str = BOB) -> PublishRequest:
    status = PublishRequestStatus.APPROVED
    return replace(request, status=status, decided_at=START, decided_by=by, comment="ok", version_id=version.id)


async def test_a_branch_comes_back_as_it_was_written_and_is_listed_latest_first(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store, of = Branches(tenant), await a_workflow(tenant)
        branches = [a_branch(of, name, minutes) for minutes, name in enumerate(("a", "b", "c"))]
        for branch in branches:
            await store.insert(branch)
        await store.insert(a_branch(await a_workflow(tenant), "a"))

        assert await store.by_ids([branches[0].id, BranchId(uuid.uuid7())]) == [branches[0]]
        first = await store.page(of.id, Page(first=2))
        rest = await store.page(of.id, Page(first=2, after=place(first.items[-1])))
        assert [*first.items, *rest.items] == branches[::-1]
        assert (first.has_next, rest.has_next, await store.count(of.id)) == (True, False, 3)

        with pytest.raises(BranchNameTaken):
            await store.save(replace(branches[0], name="b", revision=2), expected_revision=1)
        await store.save(replace(branches[1], revision=2, deleted_at=START), expected_revision=1)
        await store.save(replace(branches[0], name="b", revision=2), expected_revision=1)
        with pytest.raises(NotFound):
            await store.save(replace(branches[1], revision=3), expected_revision=2)


@pytest.mark.parametrize(("revision", "workflow_revision"), [(7, 1), (1, 7)])
async def test_a_merge_that_comes_too_late_for_one_side_writes_neither(
    revision: int, workflow_revision: int, tenant: TenantId
) -> None:
    with tenant_scope(tenant):
        store, of = Branches(tenant), await a_workflow(tenant)
        branch = a_branch(of)
        await store.insert(branch)

        with pytest.raises((StaleBranch, StaleRevision)):
            await store.merge(
                replace(branch, base=branch.definition, revision=2),
                replace(of, draft=branch.definition, revision=2),
                expected_revision=revision,
                expected_workflow_revision=workflow_revision,
            )

        assert await store.by_ids([branch.id]) == [branch]
        assert await Workflows(tenant).by_ids([of.id]) == [of]


async def test_an_approval_writes_the_decision_the_version_and_the_workflow(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store, of = PublishRequests(tenant), await a_workflow(tenant, holding(1))
        request = await a_request(tenant, of)
        await store.insert(request, expected_revision=1)
        version = a_version(of, 1)
        new = replace(of, active_version_id=version.id, revision=2)

        await store.approve(approved(request, version), new, version, expected_revision=1)

        assert await store.by_ids([request.id]) == [approved(request, version)]
        assert await Versions(tenant).by_number(of.id, 1) == version
        assert await Workflows(tenant).by_ids([of.id]) == [new]


async def test_an_approval_of_what_was_decided_or_has_changed_writes_nothing(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store, of = PublishRequests(tenant), await a_workflow(tenant, holding(1))
        request = await a_request(tenant, of)
        await store.insert(request, expected_revision=1)
        declined = replace(request, status=PublishRequestStatus.DECLINED, decided_at=START, decided_by=BOB)
        version = a_version(of, 1)
        new = replace(of, active_version_id=version.id, revision=2)

        with pytest.raises(StaleRevision):
            await store.approve(approved(request, version), new, version, expected_revision=7)
        assert await store.by_ids([request.id]) == [request]
        await store.close(declined)
        with pytest.raises(RequestDecided, match="DECLINED"):
            await store.approve(approved(request, version), new, version, expected_revision=1)

        assert await store.by_ids([request.id]) == [declined]
        assert await Versions(tenant).latest_number(of.id) == 0
        assert await Workflows(tenant).by_ids([of.id]) == [of]


async def test_a_workflow_has_one_open_request_and_none_for_a_draft_that_has_changed(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store, of = PublishRequests(tenant), await a_workflow(tenant, holding(1))
        request = await a_request(tenant, of)
        await store.insert(request, expected_revision=1)

        with pytest.raises(AnotherRequestOpen):
            await store.insert(await a_request(tenant, of), expected_revision=1)
        with pytest.raises(StaleRevision):
            await store.insert(await a_request(tenant, of), expected_revision=7)
        assert await store.open_of([of.id]) == {of.id: request}

        later = START + timedelta(minutes=1)
        changed = replace(of, draft=holding(2), revision=2, updated_at=later)
        await Workflows(tenant).save(changed, expected_revision=1)
        assert await store.open_of([of.id]) == {}
        assert await store.by_ids([request.id]) == [
            replace(request, status=PublishRequestStatus.VOID, decided_at=later)
        ]


async def test_the_table_itself_refuses_that_an_author_approves(tenant: TenantId, engine_pool: EnginePool) -> None:
    with tenant_scope(tenant):
        store, of = PublishRequests(tenant), await a_workflow(tenant, holding(1))
        request = await a_request(tenant, of)
        await store.insert(request, expected_revision=1)

        with pytest.raises(asyncpg.CheckViolationError, match="publish_request_another_person"):
            await engine_pool.execute(
                "UPDATE publish_request SET status = 'APPROVED', decided_at = now(), decided_by = $2, version_id = $3"
                " WHERE id = $1",
                request.id,
                ADA,
                request.candidate_id,
            )
