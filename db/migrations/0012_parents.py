"""The way from an execution to those it began."""

from tortoise import migrations
from tortoise.migrations.operations import RunSQL

CHILDREN = RunSQL(
    "CREATE INDEX execution_by_parent ON execution (tenant_id, parent_id, id) WHERE parent_id IS NOT NULL",
    reverse_sql="DROP INDEX execution_by_parent",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0011_streams")]

    operations = [CHILDREN]
