"""Sessions beside their refresh tokens, and counts of failed attempts."""

from tortoise import fields, migrations
from tortoise.migrations.operations import RunSQL

from db.migrations._operations import CreateTable, protect

SESSIONS = CreateTable(
    name="Session",
    table="session",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("account_id", fields.UUIDField()),
        ("address", fields.TextField(null=True)),
        ("user_agent", fields.TextField(null=True)),
        ("created_at", fields.DatetimeField()),
        ("last_used_at", fields.DatetimeField()),
        ("expires_at", fields.DatetimeField()),
        ("revoked_at", fields.DatetimeField(null=True)),
    ],
    sql="""
    CREATE TABLE session (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL REFERENCES tenant,
        account_id uuid NOT NULL REFERENCES account,
        address text,
        user_agent text,
        created_at timestamptz NOT NULL,
        last_used_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz
    );
    CREATE INDEX session_of_account ON session (account_id, tenant_id, id) WHERE revoked_at IS NULL""",
)

# Who is signed in stays so. The policies hide everything from the owner, who runs this: he lays them aside.
CARRIED_OVER = RunSQL(
    """
    ALTER TABLE refresh_token NO FORCE ROW LEVEL SECURITY;
    INSERT INTO session (id, tenant_id, account_id, created_at, last_used_at, expires_at, revoked_at)
    SELECT family, tenant_id, account_id, min(created_at), max(created_at), max(expires_at), max(revoked_at)
    FROM refresh_token GROUP BY family, tenant_id, account_id;
    ALTER TABLE refresh_token FORCE ROW LEVEL SECURITY""",
    reverse_sql=RunSQL.noop,  # the table goes
)

FAILED_ATTEMPTS = CreateTable(
    name="FailedAttempt",
    table="failed_attempt",
    fields=[
        ("subject", fields.CharField(max_length=64, primary_key=True, unique=True, db_index=True)),
        ("count", fields.IntField()),
        ("failed_at", fields.DatetimeField()),
        ("free_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE failed_attempt (
        subject varchar(64) PRIMARY KEY,
        count int NOT NULL,
        failed_at timestamptz NOT NULL,
        free_at timestamptz NOT NULL
    );
    CREATE INDEX failed_attempt_age ON failed_attempt (failed_at)""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0017_audit")]

    operations = [
        SESSIONS,
        CARRIED_OVER,
        protect("session"),
        FAILED_ATTEMPTS,
        protect("failed_attempt"),
    ]
