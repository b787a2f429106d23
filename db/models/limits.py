"""Changes when what is stored of limits, or of named locks, changes."""

from tortoise import fields
from tortoise.models import Model

from db.models.base import CompositeKeyModel


class WorkflowLimit(Model):
    """What the active version's settings allow; a trigger on `workflow` writes it. No row: no limit.

    `applied`: whether what had been started before the change was brought under it.
    """

    workflow_id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    max_concurrent = fields.IntField(null=True)
    max_per_minute = fields.IntField(null=True)
    changed_at = fields.DatetimeField()
    applied = fields.BooleanField(default=False, db_default=False)

    class Meta(Model.Meta):
        table = "workflow_limit"


class TenantLimit(Model):
    """A tenant's own; without a row the default limit and the weight 1 hold. `max_concurrent` null: no limit."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    max_concurrent = fields.IntField(null=True)
    weight = fields.IntField(default=1, db_default=1)
    changed_at = fields.DatetimeField()
    applied = fields.BooleanField(default=False, db_default=False)

    class Meta(Model.Meta):
        table = "tenant_limit"


class LockRequest(CompositeKeyModel):
    """A step that holds a named lock, or waits for it in the order of `ticket`. Key: execution, path, name."""

    execution_id = fields.UUIDField(primary_key=True, default=None)
    path = fields.TextField()
    name = fields.TextField()
    tenant_id = fields.UUIDField()
    seats = fields.IntField()
    ticket = fields.BigIntField()
    granted_at = fields.DatetimeField(null=True)

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "lock_request"
