"""Moving waiting executions to another version, as the API asks for it and reports it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain.engine.compatibility import Obstacle, ObstacleCode
from domain.executions import Execution
from domain.executions_migrate import Migration, MigrationReport, MigrationRequest
from domain.ids import ExecutionId, WorkflowId, encode
from resolvers import executions_migrate
from schema.errors import Answer, Payload, answer
from schema.identifiers import read_id
from schema.info import Info

if TYPE_CHECKING:
    from schema.executions import ExecutionType

LazyExecution = Annotated["ExecutionType", strawberry.lazy("schema.executions")]

strawberry.enum(ObstacleCode, name="MigrationObstacleCode", description="Why an execution stays with its version.")


@strawberry.type(name="MigrationObstacle", description="Something that keeps an execution with its version.")
class ObstacleType:
    code: ObstacleCode
    message: str
    path: str | None = strawberry.field(description="The step it is about.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Obstacle)


@strawberry.type(name="ExecutionMigration", description="What becomes of one waiting execution.")
class MigrationType:
    @strawberry.field(graphql_type=LazyExecution)
    @staticmethod
    def execution(root: strawberry.Parent[Migration]) -> Execution:
        return root.execution

    @strawberry.field(description="Whether it goes on with the other version, or could (dryRun).")
    @staticmethod
    def migrates(root: strawberry.Parent[Migration]) -> bool:
        return not root.obstacles

    @strawberry.field(graphql_type=list[ObstacleType])
    @staticmethod
    def obstacles(root: strawberry.Parent[Migration]) -> Sequence[Obstacle]:
        return root.obstacles

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Migration)


@strawberry.type
class ExecutionsMigratePayload(Payload):
    @strawberry.field(graphql_type=list[MigrationType], description="In the order they were begun.")
    @staticmethod
    def migrations(root: strawberry.Parent[Answer[MigrationReport]]) -> Sequence[Migration]:
        return root.value.migrations if root.value is not None else ()

    @strawberry.field(description="Send it as `after` to go on; null when all were looked at.")
    @staticmethod
    def next(root: strawberry.Parent[Answer[Any]]) -> strawberry.ID | None:
        found: ExecutionId | None = root.value.next if root.value is not None else None
        return strawberry.ID(encode("execution", found)) if found is not None else None


@strawberry.type
class MigrationMutation:
    @strawberry.mutation(
        graphql_type=ExecutionsMigratePayload,
        description="Answers when the wishes are durable; each change follows as VERSION_CHANGED, or says why not.",
    )
    async def executions_migrate(
        self,
        info: Info,
        workflow_id: strawberry.ID,
        from_version: int,
        to_version: int,
        dry_run: bool = False,
        first: Annotated[int, strawberry.argument(description="At most 500.")] = 100,
        after: strawberry.ID | None = None,
    ) -> Answer[MigrationReport]:
        async def work() -> MigrationReport:
            request = MigrationRequest(
                workflow_id=WorkflowId(read_id("workflow", workflow_id, "workflowId")),
                from_version=from_version,
                to_version=to_version,
                dry_run=dry_run,
                first=first,
                after=ExecutionId(read_id("execution", after, "after")) if after is not None else None,
            )
            return await executions_migrate.migrate(info.context, request)

        return await answer(work())
