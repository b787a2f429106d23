"""Changes when test cases are stored in another way."""

from collections.abc import Mapping, Sequence

import orjson
from tortoise.exceptions import IntegrityError

from db import keyset
from db.json_text import dump, dump_or_null
from db.statements import Row, fetch, fetch_value
from db.violations import violated
from domain.ids import ExecutionId, TenantId, TestCaseId, WorkflowId
from domain.paging import Direction, Page, Slice, cut
from domain.testcases import Case, SavedCase, TestCaseNameTaken
from domain.trials import Trial, trial_from_json, trial_to_json

_SELECT = """
SELECT id, workflow_id, name, description, input::text AS input, variables::text AS variables, trial::text AS trial,
timeout, revision, created_at, created_by, updated_at, updated_by FROM test_case WHERE tenant_id = $1 AND
"""
_BY_IDS = _SELECT + "id = ANY($2::uuid[])"
_OF_WORKFLOW = _SELECT + "workflow_id = $2"
_BETWEEN = " AND ($3::uuid IS NULL OR id > $3) AND ($4::uuid IS NULL OR id < $4)"
_COUNT = "SELECT count(*) FROM test_case WHERE tenant_id = $1 AND workflow_id = $2"
_INSERT = """
INSERT INTO test_case (tenant_id, id, name, description, input, variables, trial, timeout, revision, updated_at,
    updated_by, workflow_id, created_at, created_by)
VALUES ($1, $2, $3, $4, $5::text::json, $6::text::json, $7::text::json, $8, $9, $10, $11, $12, $13, $14)
"""
_SAVE = """
UPDATE test_case SET name = $3, description = $4, input = $5::text::json, variables = $6::text::json,
    trial = $7::text::json, timeout = $8, revision = $9, updated_at = $10, updated_by = $11
WHERE tenant_id = $1 AND id = $2 AND revision = $12
RETURNING id
"""
_DELETE = "DELETE FROM test_case WHERE tenant_id = $1 AND id = $2 RETURNING id"
_LAST = """
SELECT c.id, last.id AS execution_id
FROM unnest($2::uuid[]) AS c (id)
CROSS JOIN LATERAL (
    SELECT id FROM execution WHERE tenant_id = $1 AND trial_of = c.id ORDER BY id DESC LIMIT 1
) AS last
"""


class TestCases:
    """Implements `domain.testcases.TestCaseReader` and `TestCaseWriter` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[TestCaseId]) -> Sequence[SavedCase]:
        return [_saved(row) for row in await fetch(_BY_IDS, self._tenant_id, list(ids))]

    async def of_workflow(self, workflow_id: WorkflowId) -> Sequence[SavedCase]:
        return [_saved(row) for row in await fetch(_OF_WORKFLOW + " ORDER BY id", self._tenant_id, workflow_id)]

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[SavedCase]:
        after, before = (place.id if place else None for place in (page.after, page.before))
        direction = "ASC" if keyset.ascending(page, Direction.ASC) else "DESC"
        order = f" ORDER BY id {direction} LIMIT {page.limit + 1}"
        rows = await fetch(_OF_WORKFLOW + _BETWEEN + order, self._tenant_id, workflow_id, after, before)
        return cut([_saved(row) for row in rows], page)

    async def count(self, workflow_id: WorkflowId) -> int:
        return await fetch_value(_COUNT, self._tenant_id, workflow_id)

    async def last_executions(self, ids: Sequence[TestCaseId]) -> Mapping[TestCaseId, ExecutionId]:
        rows = await fetch(_LAST, self._tenant_id, list(ids))
        return {TestCaseId(row["id"]): ExecutionId(row["execution_id"]) for row in rows}

    async def insert(self, saved: SavedCase) -> None:
        try:
            await fetch(_INSERT, *self._written(saved), saved.workflow_id, saved.created_at, saved.created_by)
        except IntegrityError as error:
            raise _refusal(error, saved) from error

    async def save(self, saved: SavedCase, *, expected_revision: int) -> bool:
        try:
            return bool(await fetch(_SAVE, *self._written(saved), expected_revision))
        except IntegrityError as error:
            raise _refusal(error, saved) from error

    async def delete(self, case_id: TestCaseId) -> bool:
        return bool(await fetch(_DELETE, self._tenant_id, case_id))

    def _written(self, saved: SavedCase) -> tuple[object, ...]:
        """$1 to $11: the tenant, the id, and what may change."""
        case = saved.case
        return (
            self._tenant_id,
            saved.id,
            case.name,
            case.description,
            dump_or_null(case.input),
            dump(case.variables),
            dump(trial_to_json(case.trial)),
            case.timeout,
            saved.revision,
            saved.updated_at,
            saved.updated_by,
        )


def _refusal(error: IntegrityError, saved: SavedCase) -> Exception:
    return TestCaseNameTaken(saved.case.name) if violated(error) == "test_case_name_key" else error


def _saved(row: Row) -> SavedCase:
    case = Case(
        name=row["name"],
        description=row["description"],
        input=orjson.loads(row["input"]) if row["input"] is not None else None,
        variables=orjson.loads(row["variables"]),
        trial=trial_from_json(orjson.loads(row["trial"])) or Trial(),
        timeout=row["timeout"],
    )
    return SavedCase(
        id=TestCaseId(row["id"]),
        workflow_id=WorkflowId(row["workflow_id"]),
        case=case,
        revision=row["revision"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
    )
