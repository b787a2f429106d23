"""What the API can do to branches."""

from collections.abc import Sequence
from typing import Any

import strawberry

from domain.branches import Branch
from domain.branches_conflicts import MergeConflict, MergeConflicts, Resolution
from domain.branches_edit import BranchChange, NewBranch
from domain.branches_merge import MergeRequest
from domain.ids import BranchId, WorkflowId, decode
from domain.workflows import Workflow
from resolvers import branches
from schema.branches import BranchType, MergeConflictType
from schema.definitions import DefinitionChanges, edit_of
from schema.enums import MergeChoice
from schema.errors import Answer, Payload, answer
from schema.identifiers import read_id
from schema.info import Info
from schema.scalars import JSON
from schema.workflows import WorkflowType


@strawberry.input
class BranchCreateInput:
    workflow_id: strawberry.ID
    name: str
    from_version: int | None = strawberry.field(default=None, description="Where it begins; null: at the draft.")


@strawberry.input(description="What is left out stays as it is.")
class BranchUpdateInput(DefinitionChanges):
    name: str | None = None


@strawberry.input(description="How a conflict is decided.")
class MergeResolution:
    path: list[str] = strawberry.field(description="The conflict's.")
    take: MergeChoice
    value: JSON | None = strawberry.field(default=None, description="For VALUE.")

    def read(self) -> Resolution:
        return Resolution(path=tuple(self.path), choice=self.take, value=self.value)


@strawberry.type
class BranchPayload(Payload):
    @strawberry.field(graphql_type=BranchType | None)
    @staticmethod
    def branch(root: strawberry.Parent[Answer[Any]]) -> Branch | None:
        return root.value


@strawberry.type
class BranchCreatePayload(BranchPayload):
    pass


@strawberry.type
class BranchUpdatePayload(BranchPayload):
    pass


@strawberry.type
class BranchDeletePayload(BranchPayload):
    pass


@strawberry.type
class BranchMergePayload(Payload):
    @strawberry.field(graphql_type=BranchType | None)
    @staticmethod
    def branch(root: strawberry.Parent[Answer[tuple[Branch, Workflow]]]) -> Branch | None:
        return root.value[0] if root.value else None

    @strawberry.field(graphql_type=WorkflowType | None, description="With the merged draft.")
    @staticmethod
    def workflow(root: strawberry.Parent[Answer[tuple[Branch, Workflow]]]) -> Workflow | None:
        return root.value[1] if root.value else None

    @strawberry.field(graphql_type=list[MergeConflictType], description="What is left to decide; nothing was merged.")
    @staticmethod
    def conflicts(root: strawberry.Parent[Answer[Any]]) -> Sequence[MergeConflict]:
        refusals = [told.refusal for told in root.errors]
        return [each for refusal in refusals if isinstance(refusal, MergeConflicts) for each in refusal.conflicts]


@strawberry.type
class BranchMutation:
    @strawberry.mutation(graphql_type=BranchCreatePayload, description="A copy of the draft, or of a version.")
    async def branch_create(self, info: Info, input: BranchCreateInput) -> Answer[Branch]:
        async def work() -> Branch:
            new = NewBranch(
                workflow_id=WorkflowId(read_id("workflow", input.workflow_id, "input", "workflowId")),
                name=input.name,
                version=input.from_version,
            )
            return await branches.create(info.context, new)

        return await answer(work())

    @strawberry.mutation(graphql_type=BranchUpdatePayload, description="Changes the branch, not the draft.")
    async def branch_update(
        self, info: Info, id: strawberry.ID, input: BranchUpdateInput, expected_revision: int | None = None
    ) -> Answer[Branch]:
        async def work() -> Branch:
            change = BranchChange(name=input.name, edit=edit_of(input))
            return await branches.update(info.context, _id(id), change, expected_revision)

        return await answer(work())

    @strawberry.mutation(graphql_type=BranchDeletePayload, description="What was merged of it stays.")
    async def branch_delete(
        self, info: Info, id: strawberry.ID, expected_revision: int | None = None
    ) -> Answer[Branch]:
        async def work() -> Branch:
            return await branches.delete(info.context, _id(id), expected_revision)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=BranchMergePayload,
        description="Into the draft, whole or not at all; the revisions are the branch's and the workflow's.",
    )
    async def branch_merge(
        self,
        info: Info,
        id: strawberry.ID,
        resolutions: list[MergeResolution] | None = None,
        expected_revision: int | None = None,
        expected_workflow_revision: int | None = None,
    ) -> Answer[tuple[Branch, Workflow]]:
        async def work() -> tuple[Branch, Workflow]:
            asked = MergeRequest(
                branch_id=_id(id),
                resolutions=[resolution.read() for resolution in resolutions or ()],
                expected_revision=expected_revision,
                expected_workflow_revision=expected_workflow_revision,
            )
            return await branches.merge(info.context, asked)

        return await answer(work())


def _id(text: strawberry.ID) -> BranchId:
    return BranchId(decode("branch", text))
