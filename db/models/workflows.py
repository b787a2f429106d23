"""Changes when what is stored of a workflow changes."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from db.fields import OrderedJSONField
from domain.json import JSON


class Workflow(Model):
    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="", db_default="")
    category = fields.CharField(max_length=100, default="", db_default="")
    tags: fields.Field[list[str]] = ArrayField("text", default=list, db_default="{}")
    status = fields.CharField(max_length=16, default="DRAFT", db_default="DRAFT")
    revision = fields.IntField(default=1, db_default=1)
    draft: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    active_version_id = fields.UUIDField(null=True)
    listed = fields.BooleanField(default=True, db_default=True)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    updated_at = fields.DatetimeField()
    updated_by = fields.UUIDField(null=True)
    deleted_at = fields.DatetimeField(null=True)
    authors: fields.Field[list[str]] = ArrayField("text", default=list, db_default="{}")
    split_id = fields.UUIDField(null=True)

    class Meta(Model.Meta):
        table = "workflow"
