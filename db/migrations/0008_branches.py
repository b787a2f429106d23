"""Branches of drafts, who changed a draft, and requests to publish that a second person decides."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations.operations import AddField, RunSQL

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

BRANCHES = CreateTable(
    name="WorkflowBranch",
    table="workflow_branch",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("name", fields.CharField(max_length=100)),
        ("base", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("definition", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("from_version", fields.IntField(null=True)),
        ("revision", fields.IntField(default=1, db_default=1)),
        ("authors", ArrayField(default=list, db_default="{}", element_type="TEXT")),
        ("created_at", fields.DatetimeField()),
        ("created_by", fields.TextField()),
        ("updated_at", fields.DatetimeField()),
        ("updated_by", fields.TextField()),
        ("merged_at", fields.DatetimeField(null=True)),
        ("merged_by", fields.TextField(null=True)),
        ("deleted_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE workflow_branch (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        name varchar(100) NOT NULL,
        base json NOT NULL,
        definition json NOT NULL,
        from_version int,
        revision int NOT NULL DEFAULT 1 CONSTRAINT workflow_branch_revision CHECK (revision > 0),
        authors text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL,
        merged_at timestamptz,
        merged_by text,
        deleted_at timestamptz,
        FOREIGN KEY (tenant_id, workflow_id) REFERENCES workflow (tenant_id, id)
    );
    CREATE UNIQUE INDEX workflow_branch_name_key ON workflow_branch (workflow_id, name) WHERE deleted_at IS NULL;
    CREATE INDEX workflow_branch_by_workflow ON workflow_branch (tenant_id, workflow_id, created_at, id)
        WHERE deleted_at IS NULL""",
)

RULES = CreateTable(
    name="PublishRule",
    table="publish_rule",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField(null=True)),
        ("needs_approval", fields.BooleanField()),
        ("changed_at", fields.DatetimeField()),
        ("changed_by", fields.TextField()),
    ],
    sql="""
    CREATE TABLE publish_rule (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        workflow_id uuid,
        needs_approval boolean NOT NULL,
        changed_at timestamptz NOT NULL,
        changed_by text NOT NULL,
        CONSTRAINT publish_rule_key UNIQUE NULLS NOT DISTINCT (tenant_id, workflow_id),
        FOREIGN KEY (tenant_id, workflow_id) REFERENCES workflow (tenant_id, id)
    )""",
)

REQUESTS = CreateTable(
    name="PublishRequest",
    table="publish_request",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("candidate_id", fields.UUIDField()),
        ("previous_id", fields.UUIDField(null=True)),
        ("content_hash", fields.BinaryField()),
        ("note", fields.TextField()),
        ("authors", ArrayField(element_type="TEXT")),
        ("requested_at", fields.DatetimeField()),
        ("requested_by", fields.TextField()),
        ("status", fields.CharField(default="OPEN", db_default="OPEN", max_length=16)),
        ("decided_at", fields.DatetimeField(null=True)),
        ("decided_by", fields.TextField(null=True)),
        ("comment", fields.TextField(null=True)),
        ("version_id", fields.UUIDField(null=True)),
    ],
    # That nobody approves their own change is kept by the table as well as by the code.
    sql="""
    CREATE TABLE publish_request (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        candidate_id uuid NOT NULL,
        previous_id uuid,
        content_hash bytea NOT NULL,
        note text NOT NULL,
        authors text[] NOT NULL CONSTRAINT publish_request_authors CHECK (cardinality(authors) > 0),
        requested_at timestamptz NOT NULL,
        requested_by text NOT NULL,
        status varchar(16) NOT NULL DEFAULT 'OPEN' CONSTRAINT publish_request_status
            CHECK (status IN ('OPEN', 'APPROVED', 'DECLINED', 'WITHDRAWN', 'VOID')),
        decided_at timestamptz,
        decided_by text,
        comment text,
        version_id uuid,
        CONSTRAINT publish_request_decided CHECK (
            (status = 'OPEN') = (decided_at IS NULL)
            AND (status IN ('APPROVED', 'DECLINED', 'WITHDRAWN')) = (decided_by IS NOT NULL)
            AND (status = 'APPROVED') = (version_id IS NOT NULL)),
        CONSTRAINT publish_request_another_person CHECK (
            status NOT IN ('APPROVED', 'DECLINED') OR NOT decided_by = ANY (authors)),
        FOREIGN KEY (tenant_id, workflow_id, candidate_id) REFERENCES workflow_version (tenant_id, workflow_id, id),
        FOREIGN KEY (tenant_id, workflow_id, version_id) REFERENCES workflow_version (tenant_id, workflow_id, id)
            DEFERRABLE INITIALLY DEFERRED
    );
    CREATE UNIQUE INDEX publish_request_open ON publish_request (workflow_id) WHERE status = 'OPEN';
    CREATE INDEX publish_request_by_tenant ON publish_request (tenant_id, requested_at, id);
    CREATE INDEX publish_request_by_workflow ON publish_request (tenant_id, workflow_id, requested_at, id)""",
)

# Whatever changes the draft, whoever wrote it: what was asked for is not what would be published any more.
VOIDS = RunSQL(
    """
    CREATE FUNCTION publish_request_is_void() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE publish_request SET status = 'VOID', decided_at = NEW.updated_at
            WHERE workflow_id = NEW.id AND status = 'OPEN';
        RETURN NULL;
    END $$;
    CREATE TRIGGER publish_request_is_void AFTER UPDATE OF draft, deleted_at ON workflow FOR EACH ROW
        WHEN (OLD.draft::text <> NEW.draft::text OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
        EXECUTE FUNCTION publish_request_is_void();
    CREATE FUNCTION publish_request_is_overtaken() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE publish_request SET status = 'VOID', decided_at = NEW.created_at
            WHERE workflow_id = NEW.workflow_id AND status = 'OPEN';
        RETURN NULL;
    END $$;
    CREATE TRIGGER publish_request_is_overtaken AFTER INSERT ON workflow_version FOR EACH ROW
        WHEN (NEW.number IS NOT NULL)
        EXECUTE FUNCTION publish_request_is_overtaken()""",
    reverse_sql="""
    DROP TRIGGER publish_request_is_overtaken ON workflow_version;
    DROP FUNCTION publish_request_is_overtaken();
    DROP TRIGGER publish_request_is_void ON workflow;
    DROP FUNCTION publish_request_is_void()""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0007_limits")]

    operations = [
        AddField(
            model_name="Workflow",
            name="authors",
            field=ArrayField(default=list, db_default="{}", element_type="TEXT"),
        ),
        AddField(model_name="WorkflowVersion", name="published_by", field=fields.TextField(null=True)),
        AddField(model_name="WorkflowVersion", name="approved_by", field=fields.TextField(null=True)),
        BRANCHES,
        protect("workflow_branch", app="SELECT, INSERT, UPDATE"),
        RULES,
        protect("publish_rule", app="SELECT, INSERT, UPDATE, DELETE"),
        REQUESTS,
        protect("publish_request", app="SELECT, INSERT, UPDATE"),
        VOIDS,
    ]
