"""Changes when what is stored of a workflow's version changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from domain.json import JSON


class WorkflowVersion(Model):
    """Never updated (a trigger refuses it). `number` is null for a draft that was run, kept once per content."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    number = fields.IntField(null=True)
    content_hash = fields.BinaryField()
    definition: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    note = fields.TextField(default="", db_default="")
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    published_by = fields.TextField(null=True)
    approved_by = fields.TextField(null=True)

    class Meta(Model.Meta):
        table = "workflow_version"
