"""Changes when the shape of the log, its snapshots or its inbox changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from db.models.base import CompositeKeyModel
from domain.json import JSON


class ExecutionEvent(CompositeKeyModel):
    """Append-only, partitioned by execution. Key: execution, seq."""

    execution_id = fields.UUIDField(primary_key=True, default=None)
    seq = fields.BigIntField()
    tenant_id = fields.UUIDField()
    epoch = fields.IntField()
    kind = fields.CharField(max_length=32)
    node = fields.TextField(null=True)
    path = fields.TextField(null=True)
    attempt = fields.IntField(null=True)
    payload: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    at = fields.DatetimeField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "execution_event"


class ExecutionState(Model):
    """A folded log up to `seq`: a cache that may be deleted at any time."""

    execution_id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    seq = fields.BigIntField()
    state: OrderedJSONField[JSON] = OrderedJSONField()

    class Meta(Model.Meta):
        table = "execution_state"


class ExecutionInbox(Model):
    """Wishes and news for an execution's owner, in the order of `id`; one per execution, kind and key."""

    id = fields.BigIntField(primary_key=True)
    execution_id = fields.UUIDField()
    tenant_id = fields.UUIDField()
    kind = fields.CharField(max_length=16)
    key = fields.TextField()
    payload: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    created_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "execution_inbox"


class WakeUp(CompositeKeyModel):
    """When a waiting step must be looked at again. Key: execution, path."""

    execution_id = fields.UUIDField(primary_key=True, default=None)
    path = fields.TextField()
    tenant_id = fields.UUIDField()
    due_at = fields.DatetimeField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "wake_up"
