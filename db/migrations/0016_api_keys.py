"""Where an API key may be used from, who made it, and which one it took the place of."""

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations.operations import AddField


class Migration(migrations.Migration):
    dependencies = [("weir", "0015_quotas")]

    operations = [
        AddField(
            model_name="ApiKey",
            name="allowed_ips",
            field=ArrayField(default=list, db_default="{}", element_type="TEXT"),
        ),
        AddField(model_name="ApiKey", name="created_by", field=fields.TextField(default="", db_default="")),
        AddField(model_name="ApiKey", name="replaces", field=fields.UUIDField(null=True)),
    ]
