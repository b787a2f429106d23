"""A workflow without limits has none.

`least` passes over NULL, so that until now every active workflow had the largest limit there is, and each of its
executions was held until a claim had counted the others.
"""

from tortoise import migrations
from tortoise.migrations.operations import RunSQL

_LARGEST = 2_147_483_647

# The policies hide everything from the owner, who runs this: he lays them aside for the moment.
MENDED = RunSQL(
    f"""
    CREATE OR REPLACE FUNCTION workflow_limit_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM workflow_limit WHERE workflow_id = NEW.id;
        INSERT INTO workflow_limit (workflow_id, tenant_id, max_concurrent, max_per_minute, changed_at)
        SELECT NEW.id, NEW.tenant_id, c.concurrent, c.per_minute, clock_timestamp()
        FROM workflow_version AS v
        CROSS JOIN LATERAL (
            SELECT (v.definition #>> '{{settings,concurrency,max}}')::numeric AS most,
                (v.definition #>> '{{settings,concurrency,perMinute}}')::numeric AS often
        ) AS written
        CROSS JOIN LATERAL (
            SELECT CASE WHEN most IS NOT NULL THEN least(most, {_LARGEST}) END::int AS concurrent,
                CASE WHEN often IS NOT NULL THEN least(often, {_LARGEST}) END::int AS per_minute
        ) AS c
        WHERE v.id = NEW.active_version_id AND coalesce(c.concurrent, c.per_minute) IS NOT NULL;
        RETURN NULL;
    END $$;
    ALTER TABLE workflow_limit NO FORCE ROW LEVEL SECURITY;
    UPDATE workflow_limit
    SET max_concurrent = nullif(max_concurrent, {_LARGEST}), max_per_minute = nullif(max_per_minute, {_LARGEST});
    DELETE FROM workflow_limit WHERE coalesce(max_concurrent, max_per_minute) IS NULL;
    ALTER TABLE workflow_limit FORCE ROW LEVEL SECURITY""",
    reverse_sql="SELECT",  # what is mended may stay so
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0013_signatures")]

    operations = [MENDED]
