"""A workflow document becomes a workflow of the tenant, with its triggers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain import connections_used
from domain.connections import ConnectionReader
from domain.errors import Conflict, Finding, Invalid, Severity
from domain.formats import Format, loads
from domain.graphs import TriggerSpec
from domain.nodes import NodeCatalog
from domain.sources import Ids
from domain.tenancy import Principal
from domain.triggers import TriggerKind, TriggerStore
from domain.triggers_edit import NewTrigger
from domain.triggers_edit import create as create_trigger
from domain.validation.triggers import trigger_findings
from domain.workflows import Workflow, WorkflowReader, WorkflowWriter
from domain.workflows_check import refuse_errors
from domain.workflows_edit import NewWorkflow, create


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """`findings`: what was taken over otherwise than it stands in the document, and what is doubtful in it."""

    workflow: Workflow
    findings: Sequence[Finding]


async def import_document(
    file_format: Format,
    document: str,
    name: str | None,
    *,
    by: Principal,
    writer: WorkflowWriter,
    triggers: TriggerStore,
    workflows: WorkflowReader,
    connections: ConnectionReader | None,
    catalog: NodeCatalog,
    ids: Ids,
    now: datetime,
) -> Imported:
    """A DRAFT named `name`, else as the document says. `connections`: None where who imports may not see them.

    Raises Unreadable, TooLarge, InvalidGraph, Invalid, NameTaken: then nothing was made. A trigger that cannot be made
    is a finding.
    """
    read = loads(document, file_format)
    doubts = [*refuse_errors(read.definition, catalog), *trigger_findings(read.triggers)]
    if connections is not None:
        doubts += await connections_used.findings(read.definition, catalog, connections)
    new = NewWorkflow(
        name=name or read.name,
        description=read.description,
        category=read.category,
        tags=read.tags,
        definition=read.definition,
    )
    workflow = await create(new, by=by, writer=writer, catalog=catalog, ids=ids, now=now)
    for index, spec in enumerate(read.triggers):
        try:
            wanted = NewTrigger(workflow_id=workflow.id, type=_kind(spec), config=spec.config)
            await create_trigger(wanted, store=triggers, workflows=workflows, ids=ids, now=now)
        except (Invalid, Conflict) as refusal:
            doubts.append(
                Finding(
                    severity=Severity.WARNING,
                    code="TRIGGER_NOT_MADE",
                    message=f"The trigger was left out: {refusal.message}",
                    path=("triggers", str(index), *refusal.path),
                    remedy=refusal.remedy,
                )
            )
    if read.demo is not None:
        doubts.append(
            Finding(
                severity=Severity.INFO,
                code="DEMO_NOT_STARTED",
                message="The document names a demo server; only `weir run` on a local file starts it",
                path=("demo",),
            )
        )
    return Imported(workflow=workflow, findings=doubts)


def _kind(spec: TriggerSpec) -> TriggerKind:
    try:
        return TriggerKind(spec.type.replace("-", "_").upper())
    except ValueError:
        known = ", ".join(kind.value.lower() for kind in TriggerKind)
        message = f"{spec.type[:60]!r} is no type of a trigger"
        raise Invalid(message, path=("type",), remedy=f"Types: {known}.") from None
