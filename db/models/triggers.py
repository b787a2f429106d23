"""Changes when what is stored of a trigger changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from domain.json import JSON


class Trigger(Model):
    """`method` and `path` are set for webhooks only."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    type = fields.CharField(max_length=16)
    enabled = fields.BooleanField(default=True, db_default=True)
    config: OrderedJSONField[dict[str, JSON]] = OrderedJSONField(default=dict, db_default="{}")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    method = fields.CharField(max_length=16, null=True)
    path = fields.TextField(null=True)

    class Meta(Model.Meta):
        table = "trigger"
