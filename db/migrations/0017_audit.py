"""What was done in a tenant, by whom: a chain of rows that nobody changes, and the signatures under it."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations.operations import RunSQL

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

ENTRIES = CreateTable(
    name="AuditEntry",
    table="audit_entry",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("seq", fields.BigIntField()),
        ("at", fields.DatetimeField()),
        ("actor_kind", fields.CharField(max_length=16)),
        ("actor_id", fields.TextField(null=True)),
        ("actor_name", fields.TextField(null=True)),
        ("action", fields.TextField()),
        ("object_type", fields.TextField(null=True)),
        ("object_id", fields.TextField(null=True)),
        ("ids", ArrayField(element_type="TEXT")),
        ("outcome", fields.CharField(max_length=16)),
        ("code", fields.TextField(null=True)),
        ("before", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads, null=True)),
        ("after", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads, null=True)),
        ("ip", fields.TextField(null=True)),
        ("user_agent", fields.TextField(null=True)),
        ("request_id", fields.TextField()),
        ("hash", fields.BinaryField()),
    ],
    sql="""
    CREATE TABLE audit_entry (
        tenant_id uuid NOT NULL REFERENCES tenant,
        seq bigint NOT NULL CONSTRAINT audit_entry_counts_from_one CHECK (seq > 0),
        at timestamptz NOT NULL,
        actor_kind varchar(16) NOT NULL,
        actor_id text,
        actor_name text,
        action text NOT NULL,
        object_type text,
        object_id text,
        ids text[] NOT NULL,
        outcome varchar(16) NOT NULL,
        code text,
        before json,
        after json,
        ip text,
        user_agent text,
        request_id text NOT NULL,
        hash bytea NOT NULL,
        PRIMARY KEY (tenant_id, seq)
    );
    CREATE INDEX audit_entry_actor ON audit_entry (tenant_id, actor_id, seq);
    CREATE INDEX audit_entry_action ON audit_entry (tenant_id, action, seq);
    CREATE INDEX audit_entry_object ON audit_entry (tenant_id, object_id, seq);
    CREATE INDEX audit_entry_at ON audit_entry (tenant_id, at)""",
)

CHECKPOINTS = CreateTable(
    name="AuditCheckpoint",
    table="audit_checkpoint",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("seq", fields.BigIntField()),
        ("hash", fields.BinaryField()),
        ("at", fields.DatetimeField()),
        ("signature", fields.BinaryField()),
    ],
    sql="""
    CREATE TABLE audit_checkpoint (
        tenant_id uuid NOT NULL REFERENCES tenant,
        seq bigint NOT NULL,
        hash bytea NOT NULL,
        at timestamptz NOT NULL,
        signature bytea NOT NULL,
        PRIMARY KEY (tenant_id, seq)
    )""",
)

FROZEN = RunSQL(
    """
    CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()""",
    reverse_sql="""
    DROP TRIGGER audit_is_append_only ON audit_checkpoint;
    DROP TRIGGER audit_is_append_only ON audit_entry;
    DROP FUNCTION audit_is_append_only()""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0016_api_keys")]

    operations = [
        ENTRIES,
        protect("audit_entry", app="SELECT, INSERT", engine="SELECT, INSERT"),
        CHECKPOINTS,
        protect("audit_checkpoint", app="SELECT, INSERT", engine="SELECT, INSERT"),
        FROZEN,
    ]
