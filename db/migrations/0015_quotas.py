"""Quotas of tenants: what is set for one, what of it is used, and the triggers that let nothing pass them.

The check stands in the statement that makes a row, after it: whatever way the row came, and however many come at
once, the last place is taken once. A default for tenants without a quota of their own comes with the connection, in
the setting `weir.quotas`.
"""

from tortoise import fields, migrations
from tortoise.migrations.operations import RunSQL

from db.migrations._operations import CreateTable, protect

QUOTAS = CreateTable(
    name="TenantQuota",
    table="tenant_quota",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("name", fields.TextField()),
        ("maximum", fields.BigIntField(null=True)),
        ("changed_at", fields.DatetimeField()),
    ],
    sql="""
    CREATE TABLE tenant_quota (
        tenant_id uuid NOT NULL REFERENCES tenant,
        name text NOT NULL,
        maximum bigint CONSTRAINT tenant_quota_maximum CHECK (maximum >= 0),
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, name)
    )""",
)

USES = CreateTable(
    name="QuotaUse",
    table="quota_use",
    fields=[
        ("tenant_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("name", fields.TextField()),
        ("begins", fields.DatetimeField()),
        ("used", fields.BigIntField()),
    ],
    sql="""
    CREATE TABLE quota_use (
        tenant_id uuid NOT NULL REFERENCES tenant,
        name text NOT NULL,
        begins timestamptz NOT NULL,
        used bigint NOT NULL,
        PRIMARY KEY (tenant_id, name, begins)
    )""",
)

# What another execution began is its parent's business: refusing it would break an execution in the midst.
READING = RunSQL(
    """
    CREATE FUNCTION quota_maximum(tenant uuid, quota text) RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT CASE
            WHEN own.tenant_id IS NOT NULL THEN own.maximum
            ELSE (nullif(current_setting('weir.quotas', true), '')::json ->> quota)::bigint
        END
        FROM (VALUES (1)) AS always LEFT JOIN tenant_quota AS own ON own.tenant_id = tenant AND own.name = quota
    $$;
    CREATE FUNCTION quota_begins(quota text, moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE quota
            WHEN 'EXECUTIONS_PER_DAY' THEN date_trunc('day', moment, 'UTC')
            WHEN 'EXECUTIONS_PER_MONTH' THEN date_trunc('month', moment, 'UTC')
        END
    $$;
    CREATE FUNCTION quota_counted(tenant uuid, quota text, moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
    DECLARE
        begins timestamptz := quota_begins(quota, moment);
    BEGIN
        RETURN CASE quota
            WHEN 'EXECUTIONS_UNDER_WAY' THEN (
                SELECT count(*) FROM execution
                WHERE tenant_id = tenant AND status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED')
                    AND trigger_type NOT IN ('PARENT', 'FAILURE')
            )
            WHEN 'FILE_BYTES' THEN coalesce((SELECT bytes FROM file_usage WHERE tenant_id = tenant), 0)
            WHEN 'STREAMS' THEN (SELECT count(*) FROM stream WHERE tenant_id = tenant)
            WHEN 'CONNECTIONS' THEN (
                SELECT count(*) FROM connection WHERE tenant_id = tenant AND deleted_at IS NULL
            )
            WHEN 'WORKFLOWS' THEN (
                SELECT count(*) FROM workflow WHERE tenant_id = tenant AND deleted_at IS NULL AND listed
            )
            ELSE (
                SELECT count(*) FROM execution
                WHERE tenant_id = tenant AND trigger_type NOT IN ('PARENT', 'FAILURE')
                    AND id >= (lpad(to_hex((extract(epoch FROM begins) * 1000)::bigint), 12, '0')
                        || '00000000000000000000')::uuid
            )
        END;
    END $$;
    CREATE FUNCTION quota_used(tenant uuid, quota text, moment timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT coalesce(
            (
                SELECT used FROM quota_use
                WHERE tenant_id = tenant AND name = quota AND begins = quota_begins(quota, moment)
            ),
            quota_counted(tenant, quota, moment)
        )
    $$""",
    reverse_sql="""
    DROP FUNCTION quota_used;
    DROP FUNCTION quota_counted;
    DROP FUNCTION quota_begins;
    DROP FUNCTION quota_maximum""",
)

# A period is counted from its rows when the first start under a quota comes, and by a counter from then on: the
# counter's row makes starts take turns, as the advisory lock does for what is counted by rows each time.
TAKING = RunSQL(
    """
    CREATE FUNCTION quota_take(tenant uuid, quota text, amount bigint) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        most bigint := quota_maximum(tenant, quota);
        period timestamptz := quota_begins(quota, clock_timestamp());
        taken bigint;
    BEGIN
        IF most IS NULL THEN
            RETURN;
        END IF;
        IF period IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('weir quota ' || quota || ' ' || tenant, 0));
            taken := quota_counted(tenant, quota, clock_timestamp());
        ELSE
            UPDATE quota_use SET used = used + amount WHERE tenant_id = tenant AND name = quota AND begins = period
            RETURNING used INTO taken;
            IF taken IS NULL THEN
                DELETE FROM quota_use WHERE tenant_id = tenant AND name = quota AND begins < period;
                INSERT INTO quota_use AS mine (tenant_id, name, begins, used)
                VALUES (tenant, quota, period, quota_counted(tenant, quota, clock_timestamp()))
                ON CONFLICT (tenant_id, name, begins) DO UPDATE SET used = mine.used + amount
                RETURNING used INTO taken;
            END IF;
        END IF;
        IF taken > most THEN
            RAISE EXCEPTION 'quota % reached', quota USING ERRCODE = 'WQ001',
                DETAIL = json_build_object('quota', quota, 'limit', most, 'used', taken - amount)::text;
        END IF;
    END $$;
    CREATE FUNCTION quota_takes_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM quota_take(NEW.tenant_id, TG_ARGV[0], 1);
        RETURN NULL;
    END $$;
    CREATE FUNCTION quota_takes_executions() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        new record;
    BEGIN
        IF coalesce(current_setting('weir.quotas', true), '') NOT LIKE '%EXECUTIONS%' AND NOT EXISTS (
            SELECT FROM tenant_quota
            WHERE tenant_id = (SELECT tenant_id FROM fresh LIMIT 1) AND name LIKE 'EXECUTIONS%'
        ) THEN
            RETURN NULL;
        END IF;
        FOR new IN
            SELECT tenant_id, count(*) AS amount FROM fresh WHERE trigger_type NOT IN ('PARENT', 'FAILURE')
            GROUP BY tenant_id ORDER BY tenant_id
        LOOP
            PERFORM quota_take(new.tenant_id, 'EXECUTIONS_PER_DAY', new.amount);
            PERFORM quota_take(new.tenant_id, 'EXECUTIONS_PER_MONTH', new.amount);
            PERFORM quota_take(new.tenant_id, 'EXECUTIONS_UNDER_WAY', new.amount);
        END LOOP;
        RETURN NULL;
    END $$;
    CREATE TRIGGER quota_executions AFTER INSERT ON execution REFERENCING NEW TABLE AS fresh
        FOR EACH STATEMENT EXECUTE FUNCTION quota_takes_executions();
    CREATE TRIGGER quota_streams AFTER INSERT ON stream
        FOR EACH ROW EXECUTE FUNCTION quota_takes_row('STREAMS');
    CREATE TRIGGER quota_connections AFTER INSERT ON connection
        FOR EACH ROW EXECUTE FUNCTION quota_takes_row('CONNECTIONS');
    CREATE TRIGGER quota_workflows AFTER INSERT ON workflow
        FOR EACH ROW WHEN (NEW.listed) EXECUTE FUNCTION quota_takes_row('WORKFLOWS')""",
    reverse_sql="""
    DROP TRIGGER quota_workflows ON workflow;
    DROP TRIGGER quota_connections ON connection;
    DROP TRIGGER quota_streams ON stream;
    DROP TRIGGER quota_executions ON execution;
    DROP FUNCTION quota_takes_executions;
    DROP FUNCTION quota_takes_row;
    DROP FUNCTION quota_take""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0014_unlimited")]

    operations = [
        QUOTAS,
        protect("tenant_quota", app="SELECT"),
        USES,
        protect("quota_use", app="SELECT"),
        READING,
        TAKING,
    ]
