"""Changes when what is stored of a tenant changes."""

from tortoise import fields
from tortoise.models import Model

from domain.json import JSON


class Tenant(Model):
    id = fields.UUIDField(primary_key=True, default=None)
    slug = fields.CharField(max_length=63)
    name = fields.CharField(max_length=200)
    settings: fields.JSONField[dict[str, JSON]] = fields.JSONField(default=dict, db_default="{}")
    created_at = fields.DatetimeField()
    suspended_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "tenant"
