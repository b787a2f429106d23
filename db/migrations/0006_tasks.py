"""Tasks: what executions ask of people, and the history of each."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

# No foreign key to the execution: partitions are dropped whole.
TASKS = CreateTable(
    name="Task",
    table="task",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("execution_id", fields.UUIDField()),
        ("path", fields.TextField()),
        ("kind", fields.CharField(max_length=16)),
        ("title", fields.TextField()),
        ("description", fields.TextField(default="", db_default="")),
        ("form", OrderedJSONField(default=dict, db_default="{}", encoder=JSON_DUMPS, decoder=loads)),
        ("data", OrderedJSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
        ("assignees", ArrayField(default=list, db_default="{}", element_type="TEXT")),
        ("escalate_to", ArrayField(default=list, db_default="{}", element_type="TEXT")),
        ("needs_signature", fields.BooleanField(default=False, db_default=False)),
        ("status", fields.CharField(default="OPEN", db_default="OPEN", max_length=16)),
        ("due_at", fields.DatetimeField(null=True)),
        ("expires_at", fields.DatetimeField(null=True)),
        ("claimed_by", fields.TextField(null=True)),
        ("escalated_at", fields.DatetimeField(null=True)),
        ("decision", fields.CharField(null=True, max_length=16)),
        ("output", OrderedJSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
        ("comment", fields.TextField(null=True)),
        ("decided_by", fields.TextField(null=True)),
        ("decided_at", fields.DatetimeField(null=True)),
        ("signed_by", fields.UUIDField(null=True)),
        ("signature", fields.TextField(null=True)),
        ("created_at", fields.DatetimeField()),
        ("updated_at", fields.DatetimeField()),
        ("revision", fields.IntField(default=1, db_default=1)),
    ],
    sql="""
    CREATE TABLE task (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        execution_id uuid NOT NULL,
        path text NOT NULL,
        kind varchar(16) NOT NULL CONSTRAINT task_kind CHECK (kind IN ('approval', 'entry')),
        title text NOT NULL,
        description text NOT NULL DEFAULT '',
        form json NOT NULL DEFAULT '{}',
        data json,
        assignees text[] NOT NULL DEFAULT '{}',
        escalate_to text[] NOT NULL DEFAULT '{}',
        needs_signature boolean NOT NULL DEFAULT false,
        status varchar(16) NOT NULL DEFAULT 'OPEN'
            CONSTRAINT task_status CHECK (status IN ('OPEN', 'COMPLETED', 'WITHDRAWN', 'EXPIRED')),
        due_at timestamptz,
        expires_at timestamptz,
        claimed_by text,
        escalated_at timestamptz,
        decision varchar(16) CONSTRAINT task_decision CHECK (decision IN ('approved', 'rejected')),
        output json,
        comment text,
        decided_by text,
        decided_at timestamptz,
        signed_by uuid,
        signature text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        revision int NOT NULL DEFAULT 1 CONSTRAINT task_revision CHECK (revision > 0),
        CONSTRAINT task_tenant_id_key UNIQUE (tenant_id, id),
        CONSTRAINT task_activation_key UNIQUE (execution_id, path),
        CONSTRAINT task_completed CHECK (
            (status = 'COMPLETED') = (decision IS NOT NULL AND decided_by IS NOT NULL AND decided_at IS NOT NULL)),
        CONSTRAINT task_signed CHECK (
            (signed_by IS NULL) = (signature IS NULL)
            AND (signature IS NOT NULL) = (needs_signature AND status = 'COMPLETED'))
    );
    CREATE INDEX task_open ON task (tenant_id, id) WHERE status = 'OPEN';
    CREATE INDEX task_of_execution ON task (tenant_id, execution_id, id);
    CREATE INDEX task_open_of_execution ON task (execution_id) WHERE status = 'OPEN'""",
)

ENTRIES = CreateTable(
    name="TaskEntry",
    table="task_entry",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("task_id", fields.UUIDField()),
        ("kind", fields.CharField(max_length=16)),
        ("by", fields.TextField(null=True)),
        ("created_at", fields.DatetimeField()),
        ("assignees", ArrayField(default=list, db_default="{}", element_type="TEXT")),
        ("comment", fields.TextField(null=True)),
    ],
    sql="""
    CREATE TABLE task_entry (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        task_id uuid NOT NULL,
        kind varchar(16) NOT NULL CONSTRAINT task_entry_kind CHECK (
            kind IN ('COMMENTED', 'CLAIMED', 'UNCLAIMED', 'DELEGATED', 'ESCALATED')),
        by text,
        created_at timestamptz NOT NULL,
        assignees text[] NOT NULL DEFAULT '{}',
        comment text,
        CONSTRAINT task_entry_task FOREIGN KEY (tenant_id, task_id) REFERENCES task (tenant_id, id) ON DELETE CASCADE
    );
    CREATE INDEX task_entry_by_task ON task_entry (tenant_id, task_id, id)""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0005_files")]

    operations = [
        TASKS,
        protect("task", app="SELECT, UPDATE"),
        ENTRIES,
        protect("task_entry", app="SELECT, INSERT", engine="SELECT, INSERT, DELETE"),
    ]
