"""Changes when what is stored of environments, promotions or splits changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from db.models.base import CompositeKeyModel
from domain.json import JSON


class Environment(CompositeKeyModel):
    """A named stage of a tenant; `position` orders them. Key: tenant, name."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    name = fields.CharField(max_length=63)
    position = fields.IntField()
    variables: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    connections: OrderedJSONField[dict[str, str]] = OrderedJSONField()
    revision = fields.IntField(default=1, db_default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    updated_by = fields.TextField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "environment"


class WorkflowEnvironment(CompositeKeyModel):
    """The version of a workflow that is active in an environment. Key: workflow, environment."""

    workflow_id = fields.UUIDField(primary_key=True, default=None)
    environment = fields.CharField(max_length=63)
    tenant_id = fields.UUIDField()
    version_id = fields.UUIDField()
    active_since = fields.DatetimeField()
    activated_by = fields.TextField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "workflow_environment"


class Promotion(Model):
    """Append-only. `source` null: a split's end made the version the active one. `previous_id`: what it replaced."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    source = fields.CharField(max_length=63, null=True)
    target = fields.CharField(max_length=63)
    version_id = fields.UUIDField()
    previous_id = fields.UUIDField(null=True)
    note = fields.TextField(default="", db_default="")
    promoted_at = fields.DatetimeField()
    promoted_by = fields.TextField()

    class Meta(Model.Meta):
        table = "promotion"


class WorkflowSplit(Model):
    """`percent` of the starts run the candidate. `ended_by` null: another version became the active one."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    environment = fields.CharField(max_length=63)
    baseline_id = fields.UUIDField()
    candidate_id = fields.UUIDField()
    percent = fields.IntField()
    started_at = fields.DatetimeField()
    started_by = fields.TextField()
    ended_at = fields.DatetimeField(null=True)
    ended_by = fields.TextField(null=True)
    promoted_id = fields.UUIDField(null=True)

    class Meta(Model.Meta):
        table = "workflow_split"
