"""The life of a branch but for its merge: it begins at the draft or at a version, is edited, renamed, deleted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from domain.branches import Branch, BranchReader, BranchWriter, StaleBranch
from domain.errors import NotFound
from domain.graphs import Definition
from domain.ids import BranchId, WorkflowId, encode
from domain.nodes import NodeCatalog
from domain.sources import Ids
from domain.storable import checked_text
from domain.tenancy import Principal
from domain.versions import VersionStore
from domain.workflows import WorkflowReader
from domain.workflows_edit import check_draft, same_definition, with_author
from domain.workflows_edit import load as load_workflow

MAX_NAME = 100
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBranch:
    """`version` None: it begins at the draft."""

    workflow_id: WorkflowId
    name: str
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchChange:
    """What to change; None leaves it as it is. `edit` gets the present definition and gives the new one."""

    name: str | None = None
    edit: Callable[[Definition], Definition] | None = None


async def load(branch_id: BranchId, reader: BranchReader) -> Branch:
    """The branch; raises NotFound."""
    found = await reader.by_ids([branch_id])
    if not found:
        raise NotFound("branch", encode("branch", branch_id))
    return found[0]


async def create(
    new: NewBranch,
    *,
    by: Principal,
    writer: BranchWriter,
    workflows: WorkflowReader,
    versions: VersionStore,
    ids: Ids,
    now: datetime,
) -> Branch:
    """A branch of revision 1 that differs in nothing yet. Raises NotFound, Invalid, BranchNameTaken."""
    name = checked_text(new.name.strip(), "name", least=1, most=MAX_NAME)
    workflow = await load_workflow(new.workflow_id, workflows)
    definition, authors = workflow.draft, workflow.authors
    if new.version is not None:
        version = await versions.by_number(new.workflow_id, new.version)
        if version is None:
            raise NotFound("version", str(new.version), path=("version",))
        definition, authors = version.definition, ()
    person = by.actor.person
    branch = Branch(
        id=BranchId(ids()),
        workflow_id=workflow.id,
        name=name,
        base=definition,
        definition=definition,
        from_version=new.version,
        authors=authors,
        created_at=now,
        created_by=person,
        updated_at=now,
        updated_by=person,
    )
    await writer.insert(branch)
    return branch


async def update(
    branch_id: BranchId,
    change: BranchChange,
    expected_revision: int | None,
    *,
    by: Principal,
    reader: BranchReader,
    writer: BranchWriter,
    catalog: NodeCatalog,
    now: datetime,
) -> Branch:
    """The changed branch, its revision one higher.

    Raises NotFound, Invalid, InvalidGraph, BranchNameTaken, and StaleBranch when it is no longer what the caller read.
    """

    def changed(current: Branch) -> Branch:
        name = current.name if change.name is None else change.name.strip()
        checked_text(name, "name", least=1, most=MAX_NAME)
        if change.edit is None:
            return replace(current, name=name)
        definition = change.edit(current.definition)
        check_draft(definition, catalog)
        if same_definition(definition, current.definition):
            return replace(current, name=name)
        authors = with_author(current.authors, by.actor.person)
        return replace(current, name=name, definition=definition, authors=authors)

    return await _save_changed(branch_id, changed, expected_revision, by=by, reader=reader, writer=writer, now=now)


async def delete(
    branch_id: BranchId,
    expected_revision: int | None,
    *,
    by: Principal,
    reader: BranchReader,
    writer: BranchWriter,
    now: datetime,
) -> Branch:
    """Soft: it is in no list any more and its name is free; what was merged stays. Raises NotFound, StaleBranch."""
    return await _save_changed(
        branch_id,
        lambda current: replace(current, deleted_at=now),
        expected_revision,
        by=by,
        reader=reader,
        writer=writer,
        now=now,
    )


async def _save_changed(
    branch_id: BranchId,
    changed: Callable[[Branch], Branch],
    expected_revision: int | None,
    *,
    by: Principal,
    reader: BranchReader,
    writer: BranchWriter,
    now: datetime,
) -> Branch:
    """Apply `changed` to what is stored and save it; a concurrent change is no error unless a revision was expected."""
    for attempt in range(_ATTEMPTS):
        current = await load(branch_id, reader)
        if expected_revision not in (None, current.revision):
            raise StaleBranch(current.revision)
        new = changed(current)
        if new == current:
            return current
        new = replace(new, revision=current.revision + 1, updated_at=now, updated_by=by.actor.person)
        try:
            await writer.save(new, expected_revision=current.revision)
        except StaleBranch:
            if expected_revision is not None or attempt == _ATTEMPTS - 1:
                raise
        else:
            return new
    raise AssertionError("the last attempt returns or raises")
