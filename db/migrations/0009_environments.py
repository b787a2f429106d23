"""Environments, what is active in them, how it came there, and versions that share a workflow's starts."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations.operations import AddField, RunSQL

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

ENVIRONMENTS = CreateTable(
    name="Environment",
    table="environment",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("name", fields.CharField(max_length=63)),
        ("position", fields.IntField()),
        ("variables", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("connections", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("revision", fields.IntField(default=1, db_default=1)),
        ("created_at", fields.DatetimeField()),
        ("updated_at", fields.DatetimeField()),
        ("updated_by", fields.TextField()),
    ],
    sql="""
    CREATE TABLE environment (
        tenant_id uuid NOT NULL REFERENCES tenant,
        name varchar(63) NOT NULL
            CONSTRAINT environment_name CHECK (name ~ '^[a-z][a-z0-9-]*$' AND name <> 'default'),
        position int NOT NULL,
        variables json NOT NULL,
        connections json NOT NULL,
        revision int NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL,
        PRIMARY KEY (tenant_id, name)
    )""",
)

DEPLOYMENTS = CreateTable(
    name="WorkflowEnvironment",
    table="workflow_environment",
    fields=[
        ("workflow_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("environment", fields.CharField(max_length=63)),
        ("tenant_id", fields.UUIDField()),
        ("version_id", fields.UUIDField()),
        ("active_since", fields.DatetimeField()),
        ("activated_by", fields.TextField()),
    ],
    sql="""
    CREATE TABLE workflow_environment (
        workflow_id uuid NOT NULL,
        environment varchar(63) NOT NULL,
        tenant_id uuid NOT NULL,
        version_id uuid NOT NULL,
        active_since timestamptz NOT NULL,
        activated_by text NOT NULL,
        PRIMARY KEY (workflow_id, environment),
        CONSTRAINT workflow_environment_environment
            FOREIGN KEY (tenant_id, environment) REFERENCES environment (tenant_id, name),
        FOREIGN KEY (tenant_id, workflow_id, version_id) REFERENCES workflow_version (tenant_id, workflow_id, id)
    );
    CREATE INDEX workflow_environment_by_environment ON workflow_environment (tenant_id, environment)""",
)

PROMOTIONS = CreateTable(
    name="Promotion",
    table="promotion",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("source", fields.CharField(max_length=63, null=True)),
        ("target", fields.CharField(max_length=63)),
        ("version_id", fields.UUIDField()),
        ("previous_id", fields.UUIDField(null=True)),
        ("note", fields.TextField(default="", db_default="")),
        ("promoted_at", fields.DatetimeField()),
        ("promoted_by", fields.TextField()),
    ],
    sql="""
    CREATE TABLE promotion (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        source varchar(63),
        target varchar(63) NOT NULL,
        version_id uuid NOT NULL,
        previous_id uuid,
        note text NOT NULL DEFAULT '',
        promoted_at timestamptz NOT NULL,
        promoted_by text NOT NULL,
        FOREIGN KEY (tenant_id, workflow_id, version_id) REFERENCES workflow_version (tenant_id, workflow_id, id)
    );
    CREATE INDEX promotion_history ON promotion (tenant_id, workflow_id, id)""",
)

SPLITS = CreateTable(
    name="WorkflowSplit",
    table="workflow_split",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("environment", fields.CharField(max_length=63)),
        ("baseline_id", fields.UUIDField()),
        ("candidate_id", fields.UUIDField()),
        ("percent", fields.IntField()),
        ("started_at", fields.DatetimeField()),
        ("started_by", fields.TextField()),
        ("ended_at", fields.DatetimeField(null=True)),
        ("ended_by", fields.TextField(null=True)),
        ("promoted_id", fields.UUIDField(null=True)),
    ],
    sql="""
    CREATE TABLE workflow_split (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        environment varchar(63) NOT NULL,
        baseline_id uuid NOT NULL,
        candidate_id uuid NOT NULL CONSTRAINT workflow_split_versions CHECK (candidate_id <> baseline_id),
        percent int NOT NULL CONSTRAINT workflow_split_percent CHECK (percent BETWEEN 0 AND 100),
        started_at timestamptz NOT NULL,
        started_by text NOT NULL,
        ended_at timestamptz,
        ended_by text,
        promoted_id uuid,
        FOREIGN KEY (tenant_id, workflow_id, baseline_id) REFERENCES workflow_version (tenant_id, workflow_id, id),
        FOREIGN KEY (tenant_id, workflow_id, candidate_id) REFERENCES workflow_version (tenant_id, workflow_id, id)
    );
    CREATE UNIQUE INDEX workflow_split_open ON workflow_split (tenant_id, workflow_id, environment)
        WHERE ended_at IS NULL;
    CREATE INDEX workflow_split_history ON workflow_split (tenant_id, workflow_id, id)""",
)

# Whatever makes another version the active one ends the split of the default environment: there is one baseline.
ENDS = RunSQL(
    """
    CREATE FUNCTION workflow_split_ends() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE workflow_split SET ended_at = clock_timestamp(), promoted_id = NEW.active_version_id
        WHERE tenant_id = NEW.tenant_id AND workflow_id = NEW.id AND environment = 'default' AND ended_at IS NULL;
        NEW.split_id := NULL;
        RETURN NEW;
    END $$;
    CREATE TRIGGER workflow_split_ends BEFORE UPDATE OF active_version_id ON workflow
        FOR EACH ROW WHEN (OLD.active_version_id IS DISTINCT FROM NEW.active_version_id)
        EXECUTE FUNCTION workflow_split_ends()""",
    reverse_sql="""
    DROP TRIGGER workflow_split_ends ON workflow;
    DROP FUNCTION workflow_split_ends()""",
)

# Only executions that a split has placed are in its index.
COMPARED = RunSQL(
    "CREATE INDEX execution_by_split ON execution (tenant_id, split_id, id) WHERE split_id IS NOT NULL",
    reverse_sql="DROP INDEX execution_by_split",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0008_branches")]

    operations = [
        ENVIRONMENTS,
        protect("environment", app="SELECT, INSERT, UPDATE, DELETE"),
        DEPLOYMENTS,
        protect("workflow_environment", app="SELECT, INSERT, UPDATE, DELETE"),
        PROMOTIONS,
        protect("promotion", app="SELECT, INSERT", engine="SELECT, INSERT, DELETE"),
        SPLITS,
        protect("workflow_split", app="SELECT, INSERT, UPDATE"),
        AddField(model_name="Workflow", name="split_id", field=fields.UUIDField(null=True)),
        ENDS,
        AddField(model_name="Execution", name="environment", field=fields.CharField(max_length=63, null=True)),
        AddField(model_name="Execution", name="split_id", field=fields.UUIDField(null=True)),
        COMPARED,
    ]
