"""Tenants, people, their memberships, sessions and API keys."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS

from db.migrations._operations import TENANT, CreateTable, protect

ROLES = "('admin', 'developer', 'service', 'viewer')"

TENANTS = CreateTable(
    name="Tenant",
    table="tenant",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("slug", fields.CharField(max_length=63)),
        ("name", fields.CharField(max_length=200)),
        ("settings", fields.JSONField(default=dict, db_default="{}", encoder=JSON_DUMPS, decoder=loads)),
        ("created_at", fields.DatetimeField()),
        ("suspended_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE tenant (
        id uuid PRIMARY KEY,
        slug varchar(63) NOT NULL CONSTRAINT tenant_slug_key UNIQUE
            CONSTRAINT tenant_slug_shape CHECK (slug ~ '^[a-z0-9][a-z0-9-]*$'),
        name varchar(200) NOT NULL,
        settings jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL,
        suspended_at timestamptz
    )""",
)

ACCOUNTS = CreateTable(
    name="Account",
    table="account",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("email", fields.CharField(max_length=255)),
        ("name", fields.CharField(max_length=200)),
        ("password_hash", fields.TextField()),
        ("created_at", fields.DatetimeField()),
        ("deactivated_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE account (
        id uuid PRIMARY KEY,
        email varchar(255) NOT NULL CONSTRAINT account_email_key UNIQUE
            CONSTRAINT account_email_lower CHECK (email = lower(email)),
        name varchar(200) NOT NULL,
        password_hash text NOT NULL,
        created_at timestamptz NOT NULL,
        deactivated_at timestamptz
    )""",
)

MEMBERSHIPS = CreateTable(
    name="Membership",
    table="membership",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("account_id", fields.UUIDField()),
        ("role", fields.CharField(max_length=16)),
        ("created_at", fields.DatetimeField()),
    ],
    sql=f"""
    CREATE TABLE membership (
        tenant_id uuid NOT NULL REFERENCES tenant,
        account_id uuid NOT NULL REFERENCES account,
        role varchar(16) NOT NULL CONSTRAINT membership_role CHECK (role IN {ROLES}),
        created_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, account_id)
    );
    CREATE INDEX membership_account ON membership (account_id)""",
)

API_KEYS = CreateTable(
    name="ApiKey",
    table="api_key",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("account_id", fields.UUIDField(null=True)),
        ("name", fields.CharField(max_length=200)),
        ("role", fields.CharField(max_length=16)),
        ("scopes", ArrayField(default=list, db_default="{}", element_type="TEXT")),
        ("secret_hash", fields.BinaryField()),
        ("created_at", fields.DatetimeField()),
        ("expires_at", fields.DatetimeField(null=True)),
        ("last_used_at", fields.DatetimeField(null=True)),
        ("revoked_at", fields.DatetimeField(null=True)),
    ],
    sql=f"""
    CREATE TABLE api_key (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        account_id uuid REFERENCES account,
        name varchar(200) NOT NULL,
        role varchar(16) NOT NULL CONSTRAINT api_key_role CHECK (role IN {ROLES}),
        scopes text[] NOT NULL DEFAULT '{{}}',
        secret_hash bytea NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz
    );
    CREATE INDEX api_key_tenant ON api_key (tenant_id, id)""",
)

REFRESH_TOKENS = CreateTable(
    name="RefreshToken",
    table="refresh_token",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("account_id", fields.UUIDField()),
        ("family", fields.UUIDField()),
        ("secret_hash", fields.BinaryField()),
        ("created_at", fields.DatetimeField()),
        ("expires_at", fields.DatetimeField()),
        ("used_at", fields.DatetimeField(null=True)),
        ("revoked_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE refresh_token (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        account_id uuid NOT NULL REFERENCES account,
        family uuid NOT NULL,
        secret_hash bytea NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        used_at timestamptz,
        revoked_at timestamptz
    );
    CREATE INDEX refresh_token_family ON refresh_token (family);
    CREATE INDEX refresh_token_expiry ON refresh_token (expires_at)""",
)


class Migration(migrations.Migration):
    initial = True

    operations = [
        TENANTS,
        protect("tenant", app="SELECT", visible=f"id = {TENANT}"),
        ACCOUNTS,
        MEMBERSHIPS,
        protect("membership", app="SELECT, INSERT, UPDATE, DELETE"),
        # A password hash is read by the engine role alone, which signs people in; an account shows where it is a member.
        protect(
            "account",
            app="SELECT (id, email, name, created_at, deactivated_at)",
            visible=f"EXISTS (SELECT FROM membership m WHERE m.account_id = account.id AND m.tenant_id = {TENANT})",
        ),
        API_KEYS,
        protect("api_key", app="SELECT, INSERT, UPDATE"),
        REFRESH_TOKENS,
        protect("refresh_token"),
    ]
