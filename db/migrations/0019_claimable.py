"""What a claim takes of one tenant, and a sweep of one dead worker, as functions.

A query that locks rows within a LATERAL subquery makes PostgreSQL 18 crash when a row was changed while it looked: it
looks at the row again without the outer query's values. In a function they are parameters, which it keeps.
"""

from tortoise import migrations
from tortoise.migrations.operations import RunSQL

CLAIMABLE = RunSQL(
    """
    CREATE FUNCTION claimable(tenant uuid, most bigint) RETURNS TABLE (execution_id uuid, number bigint)
    LANGUAGE plpgsql AS $$
    BEGIN
        RETURN QUERY
            SELECT x.id, row_number() OVER (ORDER BY x.priority DESC, x.id)
            FROM (
                SELECT e.id, e.priority FROM execution AS e
                WHERE e.tenant_id = tenant AND e.owner IS NULL AND e.wants_owner AND NOT e.held
                ORDER BY e.priority DESC, e.id
                LIMIT most
                FOR UPDATE SKIP LOCKED
            ) AS x;
    END $$;
    CREATE FUNCTION orphaned(worker uuid, most bigint) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
    BEGIN
        RETURN QUERY SELECT e.id FROM execution AS e WHERE e.owner = worker ORDER BY e.id LIMIT most FOR UPDATE SKIP LOCKED;
    END $$""",
    reverse_sql="""
    DROP FUNCTION orphaned;
    DROP FUNCTION claimable""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0018_accounts")]

    operations = [CLAIMABLE]
