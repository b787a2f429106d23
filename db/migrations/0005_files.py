"""Files of tenants, what of their bytes is to be removed, and how many bytes each tenant has."""

from tortoise import fields, migrations

from db.migrations._operations import CreateTable, protect

# No foreign key to the execution: its partition may go before the file does.
FILES = CreateTable(
    name="File",
    table="file",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("name", fields.TextField()),
        ("media_type", fields.TextField()),
        ("size", fields.BigIntField()),
        ("sha256", fields.BinaryField()),
        ("storage_key", fields.TextField()),
        ("created_at", fields.DatetimeField()),
        ("created_by", fields.TextField(null=True)),
        ("execution_id", fields.UUIDField(null=True)),
        ("expires_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE file (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        name text NOT NULL,
        media_type text NOT NULL,
        size bigint NOT NULL CONSTRAINT file_size CHECK (size >= 0),
        sha256 bytea NOT NULL CONSTRAINT file_sha256 CHECK (length(sha256) = 32),
        storage_key text NOT NULL CONSTRAINT file_storage_key UNIQUE,
        created_at timestamptz NOT NULL,
        created_by text,
        execution_id uuid,
        expires_at timestamptz
    );
    CREATE INDEX file_by_creation ON file (tenant_id, created_at, id);
    CREATE INDEX file_by_execution ON file (tenant_id, execution_id, created_at, id) WHERE execution_id IS NOT NULL;
    CREATE INDEX file_expiry ON file (expires_at) WHERE expires_at IS NOT NULL""",
)

LEFTOVERS = CreateTable(
    name="FileLeftover",
    table="file_leftover",
    fields=[
        ("storage_key", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=200)),
        ("tenant_id", fields.UUIDField()),
        ("due_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE file_leftover (
        storage_key varchar(200) PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        due_at timestamptz NOT NULL
    );
    CREATE INDEX file_leftover_due ON file_leftover (due_at)""",
)

USAGE = CreateTable(
    name="FileUsage",
    table="file_usage",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("bytes", fields.BigIntField()),
    ],
    sql="""
    CREATE TABLE file_usage (
        tenant_id uuid PRIMARY KEY REFERENCES tenant,
        bytes bigint NOT NULL CONSTRAINT file_usage_bytes CHECK (bytes >= 0)
    )""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0004_connections")]

    operations = [
        FILES,
        protect("file", app="SELECT, INSERT, DELETE"),
        LEFTOVERS,
        protect("file_leftover", app="SELECT, INSERT, UPDATE, DELETE"),
        USAGE,
        protect("file_usage", app="SELECT, INSERT, UPDATE"),
    ]
