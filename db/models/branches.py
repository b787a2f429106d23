"""Changes when what is stored of a workflow's branch changes."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from db.fields import OrderedJSONField
from domain.json import JSON


class WorkflowBranch(Model):
    """`from_version` is null for a branch that began at the draft. People are TypeIDs."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    name = fields.CharField(max_length=100)
    base: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    definition: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    from_version = fields.IntField(null=True)
    revision = fields.IntField(default=1, db_default=1)
    authors: fields.Field[list[str]] = ArrayField("text", default=list, db_default="{}")
    created_at = fields.DatetimeField()
    created_by = fields.TextField()
    updated_at = fields.DatetimeField()
    updated_by = fields.TextField()
    merged_at = fields.DatetimeField(null=True)
    merged_by = fields.TextField(null=True)
    deleted_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "workflow_branch"
