"""What the API can do to workflows."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import strawberry

from domain.errors import Finding
from domain.formats import Format
from domain.formats.documents import graph_from_json, settings_from_json, variables_from_json
from domain.graphs import Definition
from domain.ids import WorkflowId, decode
from domain.publish_requests import PublishRequest
from domain.versions import Version
from domain.workflows import Workflow
from domain.workflows_edit import NewWorkflow, WorkflowChange
from domain.workflows_import import Imported
from domain.workflows_publish import Publication
from resolvers import workflows
from schema.definitions import DefinitionChanges, edit_of
from schema.enums import WorkflowStatus
from schema.errors import Answer, FindingType, Payload, answer
from schema.graphs import GraphInput, WorkflowSettingsInput, graph_document, settings_document
from schema.info import Info
from schema.publishing import PublishRequestType
from schema.scalars import JSON
from schema.workflows import VersionType, WorkflowType


@strawberry.enum(description="The formats a workflow document can have.")
class DefinitionFormat(StrEnum):
    JSON = Format.JSON.value
    YAML = Format.YAML.value


@strawberry.input
class WorkflowCreateInput:
    name: str
    description: str = ""
    category: str = ""
    tags: list[str] = strawberry.field(default_factory=list[str])
    graph: GraphInput | None = None
    variables: JSON | None = strawberry.field(default=None, description="{name: {default, description}}")
    settings: WorkflowSettingsInput | None = None
    input_schema: JSON | None = strawberry.field(default=None, description="JSON Schema of the input.")
    output_schema: JSON | None = strawberry.field(default=None, description="JSON Schema of the output.")


@strawberry.input(description="What is left out stays as it is.")
class WorkflowUpdateInput(DefinitionChanges):
    name: str | None = None
    description: str | None = None
    category: str | None = None
    tags: list[str] | None = None


@strawberry.type
class WorkflowPayload(Payload):
    @strawberry.field(graphql_type=WorkflowType | None)
    @staticmethod
    def workflow(root: strawberry.Parent[Answer[Any]]) -> Workflow | None:
        return root.value


@strawberry.type
class WorkflowCreatePayload(WorkflowPayload):
    pass


@strawberry.type
class WorkflowDuplicatePayload(WorkflowPayload):
    pass


@strawberry.type
class WorkflowUpdatePayload(WorkflowPayload):
    pass


@strawberry.type
class WorkflowDeletePayload(WorkflowPayload):
    pass


@strawberry.type
class WorkflowRollbackPayload(WorkflowPayload):
    pass


@strawberry.type
class WorkflowSetStatusPayload(WorkflowPayload):
    pass


@strawberry.type
class PublicationPayload(Payload):
    @strawberry.field(graphql_type=WorkflowType | None)
    @staticmethod
    def workflow(root: strawberry.Parent[Answer[Publication]]) -> Workflow | None:
        return root.value.workflow if root.value else None

    @strawberry.field(graphql_type=VersionType | None, description="What was made; null while approval is awaited.")
    @staticmethod
    def version(root: strawberry.Parent[Answer[Publication]]) -> Version | None:
        return root.value.version if root.value else None

    @strawberry.field(graphql_type=PublishRequestType | None, description="Where a second person has to approve.")
    @staticmethod
    def request(root: strawberry.Parent[Answer[Publication]]) -> PublishRequest | None:
        return root.value.request if root.value else None

    @strawberry.field(graphql_type=list[FindingType], description="What is doubtful in what was published.")
    @staticmethod
    async def findings(root: strawberry.Parent[Answer[Publication]], info: Info) -> Sequence[Finding]:
        if root.value is None:
            return ()
        version = root.value.version
        return await workflows.validate(info.context, version.definition if version else root.value.workflow.draft)


@strawberry.type
class WorkflowPublishPayload(PublicationPayload):
    pass


@strawberry.type(description="What was taken over otherwise than it stands in the document, and what is doubtful.")
class ImportReport:
    findings: list[FindingType]


@strawberry.type
class WorkflowImportPayload(Payload):
    @strawberry.field(graphql_type=WorkflowType | None)
    @staticmethod
    def workflow(root: strawberry.Parent[Answer[Imported]]) -> Workflow | None:
        return root.value.workflow if root.value else None

    @strawberry.field(graphql_type=ImportReport | None)
    @staticmethod
    def report(root: strawberry.Parent[Answer[Imported]]) -> Imported | None:
        return root.value


@strawberry.type
class WorkflowMutation:
    @strawberry.mutation(graphql_type=WorkflowCreatePayload, description="A new DRAFT.")
    async def workflow_create(self, info: Info, input: WorkflowCreateInput) -> Answer[Workflow]:
        async def work() -> Workflow:
            new = NewWorkflow(
                name=input.name,
                description=input.description,
                category=input.category,
                tags=tuple(input.tags),
                definition=_definition(input),
            )
            return await workflows.create(info.context, new)

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowDuplicatePayload, description="A new DRAFT with the same draft.")
    async def workflow_duplicate(self, info: Info, id: strawberry.ID, name: str | None = None) -> Answer[Workflow]:
        async def work() -> Workflow:
            return await workflows.duplicate(info.context, _id(id), name)

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowUpdatePayload, description="Changes the draft.")
    async def workflow_update(
        self, info: Info, id: strawberry.ID, input: WorkflowUpdateInput, expected_revision: int | None = None
    ) -> Answer[Workflow]:
        async def work() -> Workflow:
            change = WorkflowChange(
                name=input.name,
                description=input.description,
                category=input.category,
                tags=tuple(input.tags) if input.tags is not None else None,
                edit=edit_of(input),
            )
            return await workflows.update(info.context, _id(id), change, expected_revision)

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowDeletePayload, description="What runs, runs on.")
    async def workflow_delete(self, info: Info, id: strawberry.ID) -> Answer[Workflow]:
        async def work() -> Workflow:
            return await workflows.delete(info.context, _id(id))

        return await answer(work())

    @strawberry.mutation(
        graphql_type=WorkflowPublishPayload,
        description="Makes a version, the active one; or a request for it, where the rule asks for a second person.",
    )
    async def workflow_publish(self, info: Info, id: strawberry.ID, note: str | None = None) -> Answer[Publication]:
        async def work() -> Publication:
            return await workflows.publish(info.context, _id(id), note or "")

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowRollbackPayload, description="Makes a version the active one.")
    async def workflow_rollback(self, info: Info, id: strawberry.ID, version: int) -> Answer[Workflow]:
        async def work() -> Workflow:
            return await workflows.roll_back(info.context, _id(id), version)

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowSetStatusPayload, description="Pauses, resumes, archives.")
    async def workflow_set_status(self, info: Info, id: strawberry.ID, status: WorkflowStatus) -> Answer[Workflow]:
        async def work() -> Workflow:
            return await workflows.set_status(info.context, _id(id), status)

        return await answer(work())

    @strawberry.mutation(graphql_type=WorkflowImportPayload, description="A document becomes a new DRAFT.")
    async def workflow_import(
        self, info: Info, format: DefinitionFormat, document: str, name: str | None = None
    ) -> Answer[Imported]:
        async def work() -> Imported:
            return await workflows.import_document(info.context, Format(format.value), document, name)

        return await answer(work())


def _definition(given: WorkflowCreateInput) -> Definition:
    definition = Definition(input_schema=given.input_schema, output_schema=given.output_schema)
    if given.graph is not None:
        definition = replace(definition, graph=graph_from_json(graph_document(given.graph)))
    if given.variables is not None:
        definition = replace(definition, variables=variables_from_json(given.variables))
    if given.settings is not None:
        definition = replace(definition, settings=settings_from_json(settings_document(given.settings)))
    return definition


def _id(text: strawberry.ID) -> WorkflowId:
    return WorkflowId(decode("workflow", text))
