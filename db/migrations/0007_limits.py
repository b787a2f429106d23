"""Limits of workflows and tenants, named locks, and the failures that were dismissed."""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField, RunSQL

from db.migrations._operations import CreateTable, protect

# Held executions are no claim's business, so they are not in its index. What runs under a limit is counted by rows,
# found by indexes that only such executions are in.
INDEXES = RunSQL(
    """
    DROP INDEX execution_claimable;
    CREATE INDEX execution_claimable ON execution (tenant_id, priority DESC, id)
        WHERE owner IS NULL AND wants_owner AND NOT held;
    CREATE INDEX execution_held ON execution (tenant_id, workflow_id, priority DESC, id)
        WHERE owner IS NULL AND wants_owner AND held;
    CREATE INDEX execution_held_cancelled ON execution (id) WHERE held AND cancel_requested_at IS NOT NULL;
    CREATE INDEX execution_admitted ON execution (tenant_id, workflow_id)
        WHERE admitted_at IS NOT NULL AND finished_at IS NULL;
    CREATE INDEX execution_by_admission ON execution (tenant_id, workflow_id, admitted_at)
        WHERE admitted_at IS NOT NULL;
    CREATE INDEX execution_dead ON execution (tenant_id, id)
        WHERE status = 'FAILED' AND parent_id IS NULL AND NOT draft""",
    reverse_sql="""
    DROP INDEX execution_dead;
    DROP INDEX execution_by_admission;
    DROP INDEX execution_admitted;
    DROP INDEX execution_held_cancelled;
    DROP INDEX execution_held;
    DROP INDEX execution_claimable;
    CREATE INDEX execution_claimable ON execution (tenant_id, priority DESC, id) WHERE owner IS NULL AND wants_owner""",
)

WORKFLOW_LIMITS = CreateTable(
    name="WorkflowLimit",
    table="workflow_limit",
    fields=[
        ("workflow_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("max_concurrent", fields.IntField(null=True)),
        ("max_per_minute", fields.IntField(null=True)),
        ("changed_at", fields.DatetimeField()),
        ("applied", fields.BooleanField(default=False, db_default=False)),
    ],
    sql="""
    CREATE TABLE workflow_limit (
        workflow_id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        max_concurrent int CONSTRAINT workflow_limit_concurrent CHECK (max_concurrent > 0),
        max_per_minute int CONSTRAINT workflow_limit_per_minute CHECK (max_per_minute > 0),
        changed_at timestamptz NOT NULL,
        applied boolean NOT NULL DEFAULT false,
        FOREIGN KEY (tenant_id, workflow_id) REFERENCES workflow (tenant_id, id)
    );
    CREATE INDEX workflow_limit_tenant ON workflow_limit (tenant_id);
    CREATE INDEX workflow_limit_unapplied ON workflow_limit (workflow_id) WHERE NOT applied""",
)

_LIMIT_OF_VERSION = """
    INSERT INTO workflow_limit (workflow_id, tenant_id, max_concurrent, max_per_minute, changed_at)
    SELECT w.id, w.tenant_id, c.concurrent, c.per_minute, clock_timestamp()
    FROM workflow AS w
    JOIN workflow_version AS v ON v.id = w.active_version_id
    CROSS JOIN LATERAL (
        SELECT least((v.definition #>> '{settings,concurrency,max}')::numeric, 2147483647)::int AS concurrent,
            least((v.definition #>> '{settings,concurrency,perMinute}')::numeric, 2147483647)::int AS per_minute
    ) AS c
    WHERE coalesce(c.concurrent, c.per_minute) IS NOT NULL"""

# The policies hide everything from the owner, who runs this: he lays them aside for the moment.
FOLLOWS = RunSQL(
    f"""
    CREATE FUNCTION workflow_limit_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM workflow_limit WHERE workflow_id = NEW.id;
        {_LIMIT_OF_VERSION} AND w.id = NEW.id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER workflow_limit_follows AFTER UPDATE OF active_version_id ON workflow
        FOR EACH ROW WHEN (OLD.active_version_id IS DISTINCT FROM NEW.active_version_id)
        EXECUTE FUNCTION workflow_limit_follows();
    ALTER TABLE workflow NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE workflow_version NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE workflow_limit NO FORCE ROW LEVEL SECURITY;
    {_LIMIT_OF_VERSION};
    ALTER TABLE workflow FORCE ROW LEVEL SECURITY;
    ALTER TABLE workflow_version FORCE ROW LEVEL SECURITY;
    ALTER TABLE workflow_limit FORCE ROW LEVEL SECURITY""",
    reverse_sql="""
    DROP TRIGGER workflow_limit_follows ON workflow;
    DROP FUNCTION workflow_limit_follows()""",
)

TENANT_LIMITS = CreateTable(
    name="TenantLimit",
    table="tenant_limit",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("max_concurrent", fields.IntField(null=True)),
        ("weight", fields.IntField(default=1, db_default=1)),
        ("changed_at", fields.DatetimeField()),
        ("applied", fields.BooleanField(default=False, db_default=False)),
    ],
    sql="""
    CREATE TABLE tenant_limit (
        tenant_id uuid PRIMARY KEY REFERENCES tenant,
        max_concurrent int CONSTRAINT tenant_limit_concurrent CHECK (max_concurrent > 0),
        weight int NOT NULL DEFAULT 1 CONSTRAINT tenant_limit_weight CHECK (weight BETWEEN 1 AND 100),
        changed_at timestamptz NOT NULL,
        applied boolean NOT NULL DEFAULT false
    );
    CREATE INDEX tenant_limit_unapplied ON tenant_limit (tenant_id) WHERE NOT applied""",
)

LOCKS = CreateTable(
    name="LockRequest",
    table="lock_request",
    fields=[
        ("execution_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("path", fields.TextField()),
        ("name", fields.TextField()),
        ("tenant_id", fields.UUIDField()),
        ("seats", fields.IntField()),
        ("ticket", fields.BigIntField()),
        ("granted_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE lock_request (
        execution_id uuid NOT NULL,
        path text NOT NULL,
        name text NOT NULL,
        tenant_id uuid NOT NULL,
        seats int NOT NULL CONSTRAINT lock_request_seats CHECK (seats > 0),
        ticket bigint GENERATED ALWAYS AS IDENTITY,
        granted_at timestamptz,
        PRIMARY KEY (execution_id, path, name)
    );
    CREATE INDEX lock_request_held ON lock_request (tenant_id, name) WHERE granted_at IS NOT NULL;
    CREATE INDEX lock_request_line ON lock_request (tenant_id, name, ticket) WHERE granted_at IS NULL""",
)

DISMISSALS = CreateTable(
    name="DeadLetterDismissal",
    table="dead_letter_dismissal",
    fields=[
        ("execution_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("dismissed_at", fields.DatetimeField()),
        ("dismissed_by", fields.TextField()),
        ("reason", fields.TextField(null=True)),
    ],
    sql="""
    CREATE TABLE dead_letter_dismissal (
        execution_id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        dismissed_at timestamptz NOT NULL,
        dismissed_by text NOT NULL,
        reason text
    )""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0006_tasks")]

    operations = [
        AddField(model_name="Execution", name="held", field=fields.BooleanField(default=False, db_default=False)),
        AddField(model_name="Execution", name="admitted_at", field=fields.DatetimeField(null=True)),
        INDEXES,
        WORKFLOW_LIMITS,
        protect("workflow_limit", app="SELECT, INSERT, DELETE"),
        FOLLOWS,
        TENANT_LIMITS,
        protect("tenant_limit", app="SELECT"),
        LOCKS,
        protect("lock_request", app="SELECT"),
        DISMISSALS,
        protect("dead_letter_dismissal", app="SELECT, INSERT"),
    ]
