"""Changes when what is stored of the audit log changes."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField

from db.fields import OrderedJSONField
from db.models.base import CompositeKeyModel
from domain.json import JSON


class AuditEntry(CompositeKeyModel):
    """Append-only. `hash` is SHA-256 over the hash of the row before and this row. Key: tenant, seq."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    seq = fields.BigIntField()
    at = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=16)
    actor_id = fields.TextField(null=True)
    actor_name = fields.TextField(null=True)
    action = fields.TextField()
    object_type = fields.TextField(null=True)
    object_id = fields.TextField(null=True)
    ids: fields.Field[list[str]] = ArrayField("text")
    outcome = fields.CharField(max_length=16)
    code = fields.TextField(null=True)
    before: OrderedJSONField[JSON] = OrderedJSONField(null=True)
    after: OrderedJSONField[JSON] = OrderedJSONField(null=True)
    ip = fields.TextField(null=True)
    user_agent = fields.TextField(null=True)
    request_id = fields.TextField()
    hash = fields.BinaryField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "audit_entry"


class AuditCheckpoint(CompositeKeyModel):
    """Append-only. The chain as far as `seq`, signed. Key: tenant, seq."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    seq = fields.BigIntField()
    hash = fields.BinaryField()
    at = fields.DatetimeField()
    signature = fields.BinaryField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "audit_checkpoint"
