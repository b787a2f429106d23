"""Test mode: which executions are tests."""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField

EXECUTIONS = AddField(model_name="Execution", name="test", field=fields.BooleanField(default=False, db_default=False))


class Migration(migrations.Migration):
    dependencies = [("weir", "0009_environments")]

    operations = [EXECUTIONS]
