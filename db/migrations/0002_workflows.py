"""Workflows, their versions, which never change, and their triggers."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations.operations import RunSQL

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

WORKFLOWS = CreateTable(
    name="Workflow",
    table="workflow",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("name", fields.CharField(max_length=200)),
        ("description", fields.TextField(default="", db_default="")),
        ("category", fields.CharField(default="", db_default="", max_length=100)),
        ("tags", ArrayField(default=list, db_default="{}", element_type="TEXT")),
        ("status", fields.CharField(default="DRAFT", db_default="DRAFT", max_length=16)),
        ("revision", fields.IntField(default=1, db_default=1)),
        ("draft", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("active_version_id", fields.UUIDField(null=True)),
        ("listed", fields.BooleanField(default=True, db_default=True)),
        ("created_at", fields.DatetimeField()),
        ("created_by", fields.UUIDField(null=True)),
        ("updated_at", fields.DatetimeField()),
        ("updated_by", fields.UUIDField(null=True)),
        ("deleted_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE workflow (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        name varchar(200) NOT NULL,
        description text NOT NULL DEFAULT '',
        category varchar(100) NOT NULL DEFAULT '',
        tags text[] NOT NULL DEFAULT '{}',
        status varchar(16) NOT NULL DEFAULT 'DRAFT'
            CONSTRAINT workflow_status CHECK (status IN ('DRAFT', 'ACTIVE', 'PAUSED', 'ARCHIVED')),
        revision int NOT NULL DEFAULT 1 CONSTRAINT workflow_revision CHECK (revision > 0),
        draft json NOT NULL,
        active_version_id uuid,
        listed boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL,
        created_by uuid,
        updated_at timestamptz NOT NULL,
        updated_by uuid,
        deleted_at timestamptz,
        CONSTRAINT workflow_tenant_id_key UNIQUE (tenant_id, id)
    );
    CREATE UNIQUE INDEX workflow_name_key ON workflow (tenant_id, name) WHERE deleted_at IS NULL AND listed;
    CREATE INDEX workflow_by_update ON workflow (tenant_id, updated_at, id) WHERE deleted_at IS NULL AND listed;
    CREATE INDEX workflow_by_creation ON workflow (tenant_id, created_at, id) WHERE deleted_at IS NULL AND listed""",
)

VERSIONS = CreateTable(
    name="WorkflowVersion",
    table="workflow_version",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("number", fields.IntField(null=True)),
        ("content_hash", fields.BinaryField()),
        ("definition", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("note", fields.TextField(default="", db_default="")),
        ("created_at", fields.DatetimeField()),
        ("created_by", fields.UUIDField(null=True)),
    ],
    # Keys that hold the tenant make a version of another tenant's workflow impossible.
    sql="""
    CREATE TABLE workflow_version (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        number int CONSTRAINT workflow_version_number CHECK (number > 0),
        content_hash bytea NOT NULL,
        definition json NOT NULL,
        note text NOT NULL DEFAULT '',
        created_at timestamptz NOT NULL,
        created_by uuid,
        CONSTRAINT workflow_version_number_key UNIQUE (workflow_id, number),
        CONSTRAINT workflow_version_tenant_key UNIQUE (tenant_id, workflow_id, id),
        FOREIGN KEY (tenant_id, workflow_id) REFERENCES workflow (tenant_id, id)
    );
    CREATE UNIQUE INDEX workflow_version_draft_key ON workflow_version (workflow_id, content_hash)
        WHERE number IS NULL""",
)

FROZEN = RunSQL(
    """
    ALTER TABLE workflow ADD CONSTRAINT workflow_active_version FOREIGN KEY (tenant_id, id, active_version_id)
        REFERENCES workflow_version (tenant_id, workflow_id, id);
    CREATE FUNCTION workflow_version_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a workflow version never changes' USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER workflow_version_is_frozen BEFORE UPDATE ON workflow_version
        FOR EACH ROW EXECUTE FUNCTION workflow_version_is_frozen()""",
    reverse_sql="""
    DROP TRIGGER workflow_version_is_frozen ON workflow_version;
    DROP FUNCTION workflow_version_is_frozen();
    ALTER TABLE workflow DROP CONSTRAINT workflow_active_version""",
)

TRIGGERS = CreateTable(
    name="Trigger",
    table="trigger",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("type", fields.CharField(max_length=16)),
        ("enabled", fields.BooleanField(default=True, db_default=True)),
        ("config", OrderedJSONField(default=dict, db_default="{}", encoder=JSON_DUMPS, decoder=loads)),
        ("created_at", fields.DatetimeField()),
        ("updated_at", fields.DatetimeField()),
        ("method", fields.CharField(null=True, max_length=16)),
        ("path", fields.TextField(null=True)),
    ],
    sql="""
    CREATE TABLE trigger (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        type varchar(16) NOT NULL
            CONSTRAINT trigger_type CHECK (type IN ('WEBHOOK', 'SCHEDULE', 'EVENT', 'DATA_CHANGE')),
        enabled boolean NOT NULL DEFAULT true,
        config json NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        method varchar(16),
        path text,
        FOREIGN KEY (tenant_id, workflow_id) REFERENCES workflow (tenant_id, id)
    );
    CREATE INDEX trigger_workflow ON trigger (tenant_id, workflow_id, id);
    CREATE UNIQUE INDEX trigger_webhook_key ON trigger (tenant_id, method, path)
        WHERE enabled AND type = 'WEBHOOK'""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0001_tenancy")]

    operations = [
        WORKFLOWS,
        protect("workflow", app="SELECT, INSERT, UPDATE"),
        VERSIONS,
        protect("workflow_version", app="SELECT, INSERT", engine="SELECT, INSERT"),
        FROZEN,
        TRIGGERS,
        protect("trigger", app="SELECT, INSERT, UPDATE, DELETE"),
    ]
