"""Executions, their log, and what their owners need: snapshots, inbox, wake-ups, idempotency keys, workers."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

# No foreign keys here: an execution names a version, which is never deleted, and checking it would lock the one row
# that a thousand starts share; partitions are dropped whole.
EXECUTIONS = CreateTable(
    name="Execution",
    table="execution",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("version_id", fields.UUIDField()),
        ("status", fields.CharField(default="PENDING", db_default="PENDING", max_length=16)),
        ("priority", fields.IntField(default=0, db_default=0)),
        ("owner", fields.UUIDField(null=True)),
        ("epoch", fields.IntField(default=0, db_default=0)),
        ("wants_owner", fields.BooleanField(default=True, db_default=True)),
        ("created_at", fields.DatetimeField()),
        ("started_at", fields.DatetimeField(null=True)),
        ("finished_at", fields.DatetimeField(null=True)),
        ("cancel_requested_at", fields.DatetimeField(null=True)),
        ("output", OrderedJSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
        ("error", OrderedJSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
        ("trigger_type", fields.CharField(max_length=16)),
        ("triggered_by", fields.TextField(null=True)),
        ("trigger_id", fields.UUIDField(null=True)),
        ("retry_of", fields.UUIDField(null=True)),
        ("root_of", fields.UUIDField(null=True)),
        ("parent_id", fields.UUIDField(null=True)),
        ("parent_path", fields.TextField(null=True)),
        ("draft", fields.BooleanField(default=False, db_default=False)),
    ],
    sql="""
    CREATE TABLE execution (
        id uuid NOT NULL CONSTRAINT execution_id_is_time CHECK (uuid_extract_version(id) = 7),
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        version_id uuid NOT NULL,
        status varchar(16) NOT NULL DEFAULT 'PENDING' CONSTRAINT execution_status CHECK (
            status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED')),
        priority int NOT NULL DEFAULT 0,
        owner uuid,
        epoch int NOT NULL DEFAULT 0,
        wants_owner boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL,
        started_at timestamptz,
        finished_at timestamptz,
        cancel_requested_at timestamptz,
        output json,
        error json,
        trigger_type varchar(16) NOT NULL,
        triggered_by text,
        trigger_id uuid,
        retry_of uuid,
        root_of uuid,
        parent_id uuid,
        parent_path text,
        draft boolean NOT NULL DEFAULT false,
        PRIMARY KEY (id)
    ) PARTITION BY RANGE (id);
    CREATE TABLE execution_default PARTITION OF execution DEFAULT;
    ALTER TABLE execution_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE INDEX execution_by_tenant ON execution (tenant_id, id);
    CREATE INDEX execution_by_workflow ON execution (tenant_id, workflow_id, id);
    CREATE INDEX execution_by_status ON execution (tenant_id, status, id);
    CREATE INDEX execution_by_retry ON execution (tenant_id, retry_of, id) WHERE retry_of IS NOT NULL;
    CREATE INDEX execution_claimable ON execution (tenant_id, priority DESC, id) WHERE owner IS NULL AND wants_owner;
    CREATE INDEX execution_owned ON execution (owner) WHERE owner IS NOT NULL""",
)

EVENTS = CreateTable(
    name="ExecutionEvent",
    table="execution_event",
    fields=[
        ("execution_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("seq", fields.BigIntField()),
        ("tenant_id", fields.UUIDField()),
        ("epoch", fields.IntField()),
        ("kind", fields.CharField(max_length=32)),
        ("node", fields.TextField(null=True)),
        ("path", fields.TextField(null=True)),
        ("attempt", fields.IntField(null=True)),
        ("payload", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE execution_event (
        execution_id uuid NOT NULL,
        seq bigint NOT NULL,
        tenant_id uuid NOT NULL,
        epoch int NOT NULL,
        kind varchar(32) NOT NULL,
        node text,
        path text,
        attempt int,
        payload json NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (execution_id, seq)
    ) PARTITION BY RANGE (execution_id);
    CREATE TABLE execution_event_default PARTITION OF execution_event DEFAULT;
    ALTER TABLE execution_event_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY""",
)

STATES = CreateTable(
    name="ExecutionState",
    table="execution_state",
    fields=[
        ("execution_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("seq", fields.BigIntField()),
        ("state", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
    ],
    sql="""
    CREATE TABLE execution_state (
        execution_id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        seq bigint NOT NULL,
        state json NOT NULL
    )""",
)

INBOX = CreateTable(
    name="ExecutionInbox",
    table="execution_inbox",
    fields=[
        ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
        ("execution_id", fields.UUIDField()),
        ("tenant_id", fields.UUIDField()),
        ("kind", fields.CharField(max_length=16)),
        ("key", fields.TextField()),
        ("payload", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("created_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE execution_inbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        execution_id uuid NOT NULL,
        tenant_id uuid NOT NULL,
        kind varchar(16) NOT NULL,
        key text NOT NULL,
        payload json NOT NULL,
        created_at timestamptz NOT NULL,
        CONSTRAINT execution_inbox_key UNIQUE (execution_id, kind, key)
    )""",
)

KEYS = CreateTable(
    name="ExecutionKey",
    table="execution_key",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("workflow_id", fields.UUIDField()),
        ("key", fields.TextField()),
        ("execution_id", fields.UUIDField()),
        ("request_hash", fields.BinaryField()),
        ("expires_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE execution_key (
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        key text NOT NULL,
        execution_id uuid NOT NULL,
        request_hash bytea NOT NULL,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, workflow_id, key)
    );
    CREATE INDEX execution_key_expiry ON execution_key (expires_at)""",
)

WAKE_UPS = CreateTable(
    name="WakeUp",
    table="wake_up",
    fields=[
        ("execution_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("path", fields.TextField()),
        ("tenant_id", fields.UUIDField()),
        ("due_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE wake_up (
        execution_id uuid NOT NULL,
        path text NOT NULL,
        tenant_id uuid NOT NULL,
        due_at timestamptz NOT NULL,
        PRIMARY KEY (execution_id, path)
    );
    CREATE INDEX wake_up_due ON wake_up (due_at)""",
)

WORKERS = CreateTable(
    name="Worker",
    table="worker",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("started_at", fields.DatetimeField()),
        ("seen_at", fields.DatetimeField()),
        ("host", fields.TextField()),
        ("pid", fields.IntField()),
    ],
    sql="""
    CREATE TABLE worker (
        id uuid PRIMARY KEY,
        started_at timestamptz NOT NULL,
        seen_at timestamptz NOT NULL,
        host text NOT NULL,
        pid int NOT NULL
    )""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0002_workflows")]

    operations = [
        EXECUTIONS,
        protect("execution", app="SELECT"),
        EVENTS,
        protect("execution_event", app="SELECT", engine="SELECT, INSERT"),
        STATES,
        protect("execution_state", app="SELECT"),
        INBOX,
        protect("execution_inbox"),
        KEYS,
        protect("execution_key"),
        WAKE_UPS,
        protect("wake_up", app="SELECT"),
        WORKERS,
        protect("worker"),
    ]
