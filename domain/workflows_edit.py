"""The life of a workflow's draft: create, duplicate, update, delete."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.errors import Invalid, NotFound
from domain.formats.stored import definition_to_json
from domain.graphs import Definition
from domain.ids import WorkflowId, encode
from domain.nodes import NodeCatalog
from domain.sources import Ids
from domain.storable import checked, checked_text
from domain.tenancy import Principal
from domain.versions import content_hash
from domain.workflows import StaleRevision, Workflow, WorkflowReader, WorkflowWriter
from domain.workflows_check import refuse_errors

MAX_NAME = 200
MAX_DESCRIPTION = 10_000
MAX_LABEL = 100
MAX_TAGS = 50
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorkflow:
    name: str
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    definition: Definition = field(default_factory=Definition)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowChange:
    """What to change; None leaves a field as it is. `edit` gets the present draft and gives the new one."""

    name: str | None = None
    description: str | None = None
    category: str | None = None
    tags: tuple[str, ...] | None = None
    edit: Callable[[Definition], Definition] | None = None


async def load(workflow_id: WorkflowId, reader: WorkflowReader) -> Workflow:
    """The workflow; raises NotFound."""
    found = await reader.by_ids([workflow_id])
    if not found:
        raise NotFound("workflow", encode("workflow", workflow_id))
    return found[0]


async def create(
    new: NewWorkflow,
    *,
    by: Principal,
    writer: WorkflowWriter,
    catalog: NodeCatalog,
    ids: Ids,
    now: datetime,
) -> Workflow:
    """A DRAFT of revision 1; raises Invalid, InvalidGraph, NameTaken."""
    _check_texts(new.name, new.description, new.category, new.tags)
    check_draft(new.definition, catalog)
    workflow = Workflow(
        id=WorkflowId(ids()),
        name=new.name.strip(),
        description=new.description,
        category=new.category,
        tags=new.tags,
        draft=new.definition,
        created_at=now,
        created_by=by.actor.user_id,
        updated_at=now,
        updated_by=by.actor.user_id,
        authors=(by.actor.person,),
    )
    await writer.insert(workflow)
    return workflow


async def duplicate(
    workflow_id: WorkflowId,
    name: str | None,
    *,
    by: Principal,
    reader: WorkflowReader,
    writer: WorkflowWriter,
    catalog: NodeCatalog,
    ids: Ids,
    now: datetime,
) -> Workflow:
    """A new DRAFT with the draft of another; versions, triggers and executions stay with the original."""
    original = await load(workflow_id, reader)
    new = NewWorkflow(
        name=name or f"{original.name} (copy)",
        description=original.description,
        category=original.category,
        tags=original.tags,
        definition=original.draft,
    )
    return await create(new, by=by, writer=writer, catalog=catalog, ids=ids, now=now)


async def update(
    workflow_id: WorkflowId,
    change: WorkflowChange,
    expected_revision: int | None,
    *,
    by: Principal,
    reader: WorkflowReader,
    writer: WorkflowWriter,
    catalog: NodeCatalog,
    now: datetime,
) -> Workflow:
    """The changed workflow, its revision one higher.

    Raises NotFound, Invalid, InvalidGraph, NameTaken, and StaleRevision when it is no longer what the caller read.
    """

    def changed(current: Workflow) -> Workflow:
        new = replace(
            current,
            name=current.name if change.name is None else change.name.strip(),
            description=current.description if change.description is None else change.description,
            category=current.category if change.category is None else change.category,
            tags=current.tags if change.tags is None else change.tags,
            draft=current.draft if change.edit is None else change.edit(current.draft),
        )
        _check_texts(new.name, new.description, new.category, new.tags)
        if change.edit is not None:
            check_draft(new.draft, catalog)
        return new

    return await save_changed(workflow_id, changed, expected_revision, by=by, reader=reader, writer=writer, now=now)


async def delete(
    workflow_id: WorkflowId, *, by: Principal, reader: WorkflowReader, writer: WorkflowWriter, now: datetime
) -> Workflow:
    """Soft: it is in no list any more and its name is free; what runs, runs on. Raises NotFound."""
    return await save_changed(
        workflow_id,
        lambda current: replace(current, deleted_at=now),
        None,
        by=by,
        reader=reader,
        writer=writer,
        now=now,
    )


async def save_changed(
    workflow_id: WorkflowId,
    changed: Callable[[Workflow], Workflow],
    expected_revision: int | None,
    *,
    by: Principal,
    reader: WorkflowReader,
    writer: WorkflowWriter,
    now: datetime,
) -> Workflow:
    """Apply `changed` to what is stored and save it; a concurrent change is no error unless a revision was expected."""
    for attempt in range(_ATTEMPTS):
        current = await load(workflow_id, reader)
        if expected_revision not in (None, current.revision):
            raise StaleRevision(current.revision)
        new = changed(current)
        edited = not same_definition(new.draft, current.draft)
        if new == current and not edited:
            return current
        if edited:
            new = replace(new, authors=with_author(current.authors, by.actor.person))
        new = replace(new, revision=current.revision + 1, updated_at=now, updated_by=by.actor.user_id)
        try:
            await writer.save(new, expected_revision=current.revision)
        except StaleRevision:
            if expected_revision is not None or attempt == _ATTEMPTS - 1:
                raise
        else:
            return new
    raise AssertionError("the last attempt returns or raises")


def same_definition(one: Definition, other: Definition) -> bool:
    """Whether both have the same content, to which 1 and true are not the same, as they are to Python."""
    return one is other or content_hash(one) == content_hash(other)


def with_author(authors: tuple[str, ...], *more: str) -> tuple[str, ...]:
    """Each person once."""
    return tuple(dict.fromkeys((*authors, *more)))


def check_draft(definition: Definition, catalog: NodeCatalog) -> None:
    """A draft may have no nodes yet; those it has make sense, and all of it can be stored."""
    checked(definition_to_json(definition), "graph")
    if definition.graph.nodes or definition.graph.edges:
        refuse_errors(definition, catalog)


def _check_texts(name: str, description: str, category: str, tags: tuple[str, ...]) -> None:
    checked_text(name.strip(), "name", least=1, most=MAX_NAME)
    checked_text(description, "description", most=MAX_DESCRIPTION)
    checked_text(category, "category", most=MAX_LABEL)
    if len(tags) > MAX_TAGS:
        raise Invalid(f"A workflow has at most {MAX_TAGS} tags", path=("tags",))
    for tag in tags:
        checked_text(tag, "tags", least=1, most=MAX_LABEL)
