"""Changes when what is stored of streams and their messages changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from db.models.base import CompositeKeyModel
from domain.json import JSON


class Stream(Model):
    """Its row is locked by whoever publishes, so `head` counts without gaps."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    name = fields.TextField()
    head = fields.BigIntField()
    created_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "stream"


class StreamMessage(CompositeKeyModel):
    """Append-only. Key: stream, seq."""

    stream_id = fields.UUIDField(primary_key=True, default=None)
    seq = fields.BigIntField()
    tenant_id = fields.UUIDField()
    key = fields.TextField(null=True)
    payload: OrderedJSONField[JSON] = OrderedJSONField()
    published_at = fields.DatetimeField()
    published_by = fields.TextField()
    idempotency_key = fields.TextField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "stream_message"
