"""Who may do what: every operation for every role and permission, with the proof that what was refused changed nothing.

An operation that is in none of the tables here fails a test until somebody has decided who may ask for it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Permission, Role
from domain.ids import PREFIXES
from domain.tenancy import Tenant
from tests.api.application import Application, Caller, new_caller
from tests.api.id_places import asked_with
from tests.api.schema_words import Question, fields, nodes
from tests.api.test_subscriptions import refusal
from tests.api.whole_world import World, missing, new_world, rows

EVERYBODY = frozenset(Role)
WRITERS = frozenset({Role.ADMIN, Role.DEVELOPER})
STARTERS = WRITERS | {Role.SERVICE}
HOLDERS: Mapping[Permission, frozenset[Role]] = {
    Permission.WORKFLOW_READ: EVERYBODY,
    Permission.WORKFLOW_WRITE: WRITERS,
    Permission.WORKFLOW_PUBLISH: WRITERS,
    Permission.WORKFLOW_DELETE: WRITERS,
    Permission.EXECUTION_READ: EVERYBODY,
    Permission.EXECUTION_START: STARTERS,
    Permission.EXECUTION_CONTROL: STARTERS,
    Permission.SIGNAL_SEND: STARTERS,
    Permission.TRIGGER_READ: EVERYBODY,
    Permission.TRIGGER_WRITE: WRITERS,
    Permission.TASK_READ: EVERYBODY,
    Permission.TASK_COMPLETE: STARTERS,
    Permission.TASK_MANAGE: WRITERS,
    Permission.CONNECTION_READ: EVERYBODY,
    Permission.CONNECTION_WRITE: WRITERS,
    Permission.STREAM_READ: EVERYBODY,
    Permission.FILE_READ: EVERYBODY,
    Permission.FILE_WRITE: STARTERS,
    Permission.SCHEMA_INTROSPECT: EVERYBODY - {Role.SERVICE},
    Permission.TENANT_MANAGE: frozenset({Role.ADMIN}),
    Permission.AUDIT_READ: frozenset({Role.ADMIN}),
}
"""The roles that hold a permission."""


def prefix_of(kind: str) -> str:
    """Of the ids of a type that has ids."""
    return kind.lower().removeprefix("workflow") or "workflow"


QUERIES: Mapping[tuple[Permission, ...], str] = {
    (): "node nodes viewer",
    (Permission.WORKFLOW_READ,): """
        workflow workflows workflowDiff branch publishRequest publishRequests publishRule environments split testCase
        nodeKinds graphValidate schedulePreview""",
    (Permission.WORKFLOW_READ, Permission.EXECUTION_READ): "expressionEvaluate",
    (Permission.EXECUTION_READ,): "execution executions deadLetters testRun loadRun quotas",
    (Permission.TASK_READ,): "task tasks",
    (Permission.CONNECTION_READ,): "connection connections connectionTypes",
    (Permission.STREAM_READ,): "stream streams",
    (Permission.FILE_READ,): "file files",
    (Permission.TENANT_MANAGE,): "apiKeys",
    (Permission.AUDIT_READ,): "auditEntries",
}
MUTATIONS: Mapping[tuple[Permission, ...], str] = {
    (): "sessionRevoke sessionRevokeOthers viewerSetPassword",
    (Permission.WORKFLOW_WRITE,): """
        workflowCreate workflowUpdate workflowDuplicate workflowImport workflowPublishWithdraw
        branchCreate branchUpdate branchDelete branchMerge testCaseCreate testCaseUpdate testCaseDelete""",
    (Permission.WORKFLOW_DELETE,): "workflowDelete",
    (Permission.WORKFLOW_PUBLISH,): """
        workflowPublish workflowPublishApprove workflowPublishDecline workflowRollback workflowSetStatus
        workflowPromote environmentCreate environmentUpdate environmentReorder environmentDelete
        splitStart splitChange splitEnd""",
    (Permission.TENANT_MANAGE,): """
        workflowSetPublishRule tenantSetPublishRule apiKeyCreate apiKeyRotate apiKeyRevoke""",
    (Permission.TRIGGER_WRITE,): "triggerCreate triggerUpdate triggerEnable triggerDisable triggerDelete",
    (Permission.EXECUTION_START,): """
        executionStart executionStartMany executionRetry deadLetterReplay testCaseRun loadRunStart""",
    (Permission.EXECUTION_CONTROL,): """
        executionCancel executionPause executionResume executionContinue executionSetVariable stepSkip
        deadLetterDismiss deadLetterPurge loadRunCancel""",
    (Permission.EXECUTION_CONTROL, Permission.WORKFLOW_PUBLISH): "executionsMigrate",
    (Permission.SIGNAL_SEND,): "signalSend",
    (Permission.TASK_COMPLETE,): "taskComplete taskClaim taskUnclaim taskDelegate taskEscalate taskComment",
    (Permission.CONNECTION_WRITE,): "connectionCreate connectionUpdate connectionDelete connectionTest",
    (Permission.FILE_WRITE,): "fileDelete",
}
SUBSCRIPTIONS: Mapping[tuple[Permission, ...], str] = {
    (Permission.EXECUTION_READ,): "executionEvents executions",
    (Permission.TASK_READ,): "tasks",
}
NODES: Mapping[Permission | None, str] = {
    None: "tenant user",
    Permission.WORKFLOW_READ: "workflow version branch publishrequest split testcase",
    Permission.EXECUTION_READ: "execution loadrun",
    Permission.TRIGGER_READ: "trigger",
    Permission.TASK_READ: "task",
    Permission.CONNECTION_READ: "connection",
    Permission.STREAM_READ: "stream",
    Permission.FILE_READ: "file",
}
"""What `node` asks of who wants an object, by its prefix."""
PARTS: Mapping[Permission | None, str] = {
    None: "Graph WorkflowSettings Pin ExpectedOutput User PublishSignature",
    Permission.WORKFLOW_READ: """
        Workflow WorkflowVersion WorkflowVersionConnection WorkflowBranchConnection WorkflowDiff MergeConflict
        PublishRule PublishRequest Deployment PromotionConnection Split SplitConnection TestCaseConnection""",
    Permission.EXECUTION_READ: """
        Execution ExecutionConnection ExecutionTree ExecutionTest ExecutionEventConnection Step StepConnection
        LogConnection InterventionConnection QueuePlace DeadLetter WorkflowStatistics SplitSide TestCaseResult
        LoadRunConnection LoadReport""",
    Permission.TRIGGER_READ: "Trigger",
    Permission.TASK_READ: "TaskConnection TaskEntryConnection TaskSignature",
    Permission.STREAM_READ: "StreamMessageConnection",
}
"""What is asked of who wants to see something through an object, by the type of what is seen."""
NO_NODES = frozenset({"apikey", "worker", "session"})
"""Prefixes of what is no node."""

OPERATIONS = {"Query": QUERIES, "Mutation": MUTATIONS, "Subscription": SUBSCRIPTIONS}
_READ = {each: needed for needed, names in NODES.items() for each in names.split()}
_SEEN = {each: needed for needed, names in PARTS.items() for each in names.split()}
SEEN_THROUGH = [
    pytest.param(kind, field, _READ[prefix_of(kind)], id=f"{kind}.{field}")
    for kind, parts in nodes().items()
    for field, seen in parts.items()
    if _SEEN.get(seen) not in (None, _READ[prefix_of(kind)])
]
"""Fields that show what takes another permission than the object they are of."""
ASKED = [
    pytest.param(operation, name, needed, id=name)
    for operation, table in (("Query", QUERIES), ("Mutation", MUTATIONS))
    for needed, names in table.items()
    for name in names.split()
]


@pytest.fixture(scope="module")
async def world(api: Application, http: httpx.AsyncClient) -> World:
    return await new_world(api, http)


@pytest.fixture(scope="module")
async def callers(engine_pool: EnginePool, http: httpx.AsyncClient, world: World) -> Mapping[Role, Caller]:
    return {role: await new_caller(engine_pool, http, world.tenant, role) for role in Role}


async def holding(pool: EnginePool, http: httpx.AsyncClient, tenant: Tenant, *held: Permission) -> Caller:
    """Somebody with these permissions and no other; with what every key may do when there are none."""
    return await new_caller(pool, http, tenant, Role.ADMIN, scopes=held or (Permission.SCHEMA_INTROSPECT,))


def but(*left_out: Permission) -> tuple[Permission, ...]:
    return tuple(each for each in Permission if each not in left_out)


def of(ids: Mapping[str, str]) -> Mapping[str, str]:
    """Ids of nothing, for the same prefixes."""
    return {prefix: missing(prefix) for prefix in ids}


async def refuses(caller: Caller, asked: Question) -> bool:
    """Whether the caller lacks a permission for the operation itself."""
    answer = await caller.ask(asked.text, **asked.variables)
    codes = [each["extensions"]["code"] for each in answer.get("errors", ()) if each.get("path") == ["it"]]
    assert "GRAPHQL_VALIDATION_FAILED" not in str(answer)
    if asked.text.startswith("mutation"):
        codes += [each["code"] for each in answer["data"]["it"]["errors"]]
    return "FORBIDDEN" in codes


@pytest.mark.parametrize("operation", ["Query", "Mutation", "Subscription"])
def test_who_may_has_been_decided_for_every_operation(operation: str) -> None:
    decided = Counter(name for names in OPERATIONS[operation].values() for name in names.split())

    assert decided == Counter(list(fields(operation)))


def test_who_may_has_been_decided_for_every_permission_and_every_kind_of_object() -> None:
    assert set(HOLDERS) == set(Permission)
    assert _READ.keys() == set(PREFIXES) - NO_NODES == {prefix_of(kind) for kind in nodes()}
    assert _SEEN.keys() == {seen for parts in nodes().values() for seen in parts.values()}


@pytest.mark.parametrize(("operation", "name", "needed"), ASKED)
async def test_an_operation_is_done_for_the_roles_that_may_and_changes_nothing_for_others(
    engine_pool: EnginePool,
    world: World,
    callers: Mapping[Role, Caller],
    operation: str,
    name: str,
    needed: tuple[Permission, ...],
) -> None:
    may = EVERYBODY.intersection(*(HOLDERS[each] for each in needed))
    before = await rows(engine_pool, world.tenant)

    refused = {role for role in EVERYBODY - may if await refuses(callers[role], asked_with(operation, name, world.ids))}
    after = await rows(engine_pool, world.tenant)
    gone = asked_with(operation, name, of(world.ids))
    done = {role for role in may if not await refuses(callers[role], gone)}

    assert (refused, done) == (EVERYBODY - may, may)
    assert after == before


@pytest.mark.parametrize(("operation", "name", "needed"), ASKED)
async def test_an_operation_asks_for_its_permissions_and_for_no_other(
    engine_pool: EnginePool,
    http: httpx.AsyncClient,
    world: World,
    operation: str,
    name: str,
    needed: tuple[Permission, ...],
) -> None:
    before = await rows(engine_pool, world.tenant)
    lacking = [await holding(engine_pool, http, world.tenant, *but(each)) for each in needed]
    enough = await holding(engine_pool, http, world.tenant, *needed)

    refused = [await refuses(caller, asked_with(operation, name, world.ids)) for caller in lacking]
    after = await rows(engine_pool, world.tenant)

    assert all(refused)
    assert {**after, "api_key": ""} == {**before, "api_key": ""}
    assert not await refuses(enough, asked_with(operation, name, of(world.ids)))


@pytest.mark.parametrize("operation", ["executionEvents", "executions", "tasks"])
async def test_a_subscription_is_refused_to_who_may_not_read_what_it_shows(
    api: Application, engine_pool: EnginePool, http: httpx.AsyncClient, world: World, operation: str
) -> None:
    (needed,) = next(each for each, names in SUBSCRIPTIONS.items() if operation in names.split())
    caller = await holding(engine_pool, http, world.tenant, *but(needed))
    asked = asked_with("Subscription", operation, world.ids)

    assert (await refusal(api, caller, asked.text, **asked.variables))["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("prefix", "needed"), [(prefix, needed) for needed, names in NODES.items() for prefix in names.split()]
)
async def test_an_object_is_shown_by_its_id_to_who_may_read_such_objects(
    engine_pool: EnginePool, http: httpx.AsyncClient, world: World, prefix: str, needed: Permission | None
) -> None:
    text = "query ($id: ID!) { it: node(id: $id) { id } nodes(ids: [$id]) { id } }"
    asked = Question(text=text, variables={"id": world.ids[prefix]})
    shown = {"it": {"id": world.ids[prefix]}, "nodes": [{"id": world.ids[prefix]}]}

    assert await world.person.data(text, id=world.ids[prefix]) == shown
    if needed is not None:
        enough = await holding(engine_pool, http, world.tenant, needed)
        lacking = await holding(engine_pool, http, world.tenant, *but(needed))
        assert await enough.data(text, id=world.ids[prefix]) == shown
        assert await refuses(lacking, asked)
        assert (await lacking.ask(text, id=world.ids[prefix]))["data"] == {"it": None, "nodes": [None]}


@pytest.mark.parametrize(("kind", "field", "held"), SEEN_THROUGH)
async def test_what_takes_another_permission_is_not_seen_through_an_object(
    engine_pool: EnginePool, http: httpx.AsyncClient, world: World, kind: str, field: str, held: Permission
) -> None:
    text = f"query ($id: ID!) {{ it: node(id: $id) {{ ... on {kind} {{ seen: {field} {{ __typename }} }} }} }}"
    caller = await holding(engine_pool, http, world.tenant, held)

    await world.person.data(text, id=world.ids[prefix_of(kind)])
    answer = await caller.ask(text, id=world.ids[prefix_of(kind)])

    assert answer["data"]["it"] in (None, {"seen": None})


@pytest.mark.parametrize("role", list(Role))
async def test_the_schema_is_shown_to_the_roles_that_may_read_it(callers: Mapping[Role, Caller], role: Role) -> None:
    answer = await callers[role].ask("{ __schema { queryType { name } } }")

    codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
    assert codes == ([] if role in HOLDERS[Permission.SCHEMA_INTROSPECT] else ["INTROSPECTION_DENIED"])


async def test_scopes_narrow_what_the_role_allows_and_never_widen_it(
    engine_pool: EnginePool, http: httpx.AsyncClient, world: World
) -> None:
    scopes = (Permission.WORKFLOW_READ, Permission.WORKFLOW_WRITE)
    narrowed = await new_caller(engine_pool, http, world.tenant, Role.VIEWER, scopes=scopes)

    answer: Any = await narrowed.data("{ viewer { permissions } }")

    assert answer == {"viewer": {"permissions": ["workflow:read"]}}
