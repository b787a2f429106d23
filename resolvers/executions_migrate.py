"""What callers may do with the versions of executions that wait: authorise, call the use case, give back its value."""

from domain import executions_migrate
from domain.access import Permission
from domain.executions_migrate import MigrationReport, MigrationRequest
from resolvers.access import allowed
from resolvers.context import RequestContext


async def migrate(context: RequestContext, request: MigrationRequest) -> MigrationReport:
    given = allowed(allowed(context, Permission.EXECUTION_CONTROL), Permission.WORKFLOW_PUBLISH)
    return await executions_migrate.migrate(request, by=given.principal, given=given.migrating, now=given.now)
