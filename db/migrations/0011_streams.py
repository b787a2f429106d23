"""Streams of messages, each in the order in which they became durable."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

STREAMS = CreateTable(
    name="Stream",
    table="stream",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("name", fields.TextField()),
        ("head", fields.BigIntField()),
        ("created_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE stream (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        name text NOT NULL,
        head bigint NOT NULL,
        created_at timestamptz NOT NULL,
        CONSTRAINT stream_name_key UNIQUE (tenant_id, name)
    )""",
)

MESSAGES = CreateTable(
    name="StreamMessage",
    table="stream_message",
    fields=[
        ("stream_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("seq", fields.BigIntField()),
        ("tenant_id", fields.UUIDField()),
        ("key", fields.TextField(null=True)),
        ("payload", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("published_at", fields.DatetimeField()),
        ("published_by", fields.TextField()),
        ("idempotency_key", fields.TextField()),
    ],
    sql="""
    CREATE TABLE stream_message (
        stream_id uuid NOT NULL REFERENCES stream,
        seq bigint NOT NULL,
        tenant_id uuid NOT NULL,
        key text,
        payload json NOT NULL,
        published_at timestamptz NOT NULL,
        published_by text NOT NULL,
        idempotency_key text NOT NULL,
        PRIMARY KEY (stream_id, seq),
        CONSTRAINT stream_message_once UNIQUE (stream_id, idempotency_key)
    )""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0010_test_mode")]

    operations = [
        STREAMS,
        protect("stream", app="SELECT"),
        MESSAGES,
        protect("stream_message", app="SELECT"),
    ]
