"""Connections to services, their secrets, and the keys that encrypt those."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

DATA_KEYS = CreateTable(
    name="DataKey",
    table="data_key",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("generation", fields.IntField()),
        ("wrapped", fields.BinaryField()),
        ("wrapped_by", fields.BinaryField()),
        ("created_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE data_key (
        tenant_id uuid NOT NULL REFERENCES tenant,
        generation int NOT NULL CONSTRAINT data_key_generation CHECK (generation > 0),
        wrapped bytea NOT NULL,
        wrapped_by bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, generation)
    )""",
)

CONNECTIONS = CreateTable(
    name="Connection",
    table="connection",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("name", fields.CharField(max_length=200)),
        ("type", fields.CharField(max_length=40)),
        ("settings", OrderedJSONField(default=dict, db_default="{}", encoder=JSON_DUMPS, decoder=loads)),
        ("revision", fields.IntField(default=1, db_default=1)),
        ("created_at", fields.DatetimeField()),
        ("created_by", fields.UUIDField(null=True)),
        ("updated_at", fields.DatetimeField()),
        ("updated_by", fields.UUIDField(null=True)),
        ("deleted_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE connection (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        name varchar(200) NOT NULL,
        type varchar(40) NOT NULL,
        settings json NOT NULL DEFAULT '{}',
        revision int NOT NULL DEFAULT 1 CONSTRAINT connection_revision CHECK (revision > 0),
        created_at timestamptz NOT NULL,
        created_by uuid,
        updated_at timestamptz NOT NULL,
        updated_by uuid,
        deleted_at timestamptz,
        CONSTRAINT connection_tenant_id_key UNIQUE (tenant_id, id)
    );
    CREATE UNIQUE INDEX connection_name_key ON connection (tenant_id, name) WHERE deleted_at IS NULL""",
)

SECRETS = CreateTable(
    name="ConnectionSecret",
    table="connection_secret",
    fields=[
        ("connection_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("name", fields.CharField(max_length=100)),
        ("tenant_id", fields.UUIDField()),
        ("generation", fields.IntField()),
        ("sealed", fields.BinaryField()),
        ("created_at", fields.DatetimeField()),
    ],
    # Keys that hold the tenant make a secret of another tenant's connection, or under another's key, impossible.
    sql="""
    CREATE TABLE connection_secret (
        connection_id uuid NOT NULL,
        name varchar(100) NOT NULL,
        tenant_id uuid NOT NULL,
        generation int NOT NULL,
        sealed bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (connection_id, name),
        FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id),
        FOREIGN KEY (tenant_id, generation) REFERENCES data_key (tenant_id, generation)
    );
    CREATE INDEX connection_secret_generation ON connection_secret (tenant_id, generation)""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0003_executions")]

    operations = [
        DATA_KEYS,
        protect("data_key", app="SELECT, INSERT"),
        CONNECTIONS,
        protect("connection", app="SELECT, INSERT, UPDATE"),
        SECRETS,
        # What serves requests sets secrets and sees which are set; what is in them only the engine reads.
        protect(
            "connection_secret",
            app="INSERT, DELETE, SELECT (connection_id, name, tenant_id, generation, created_at)",
        ),
    ]
