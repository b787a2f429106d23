"""Changes when what is stored of a connection, or of the keys that encrypt it, changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from db.models.base import CompositeKeyModel
from domain.json import JSON


class DataKey(CompositeKeyModel):
    """`wrapped` is the key encrypted by a key of the installation, whose id is `wrapped_by`."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    generation = fields.IntField()
    wrapped = fields.BinaryField()
    wrapped_by = fields.BinaryField()
    created_at = fields.DatetimeField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "data_key"


class Connection(Model):
    """Settings hold no secrets."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    name = fields.CharField(max_length=200)
    type = fields.CharField(max_length=40)
    settings: OrderedJSONField[dict[str, JSON]] = OrderedJSONField(default=dict, db_default="{}")
    revision = fields.IntField(default=1, db_default=1)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    updated_at = fields.DatetimeField()
    updated_by = fields.UUIDField(null=True)
    deleted_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "connection"


class ConnectionSecret(CompositeKeyModel):
    """`sealed` by the tenant's data key of this generation; the application role writes it and cannot read it."""

    connection_id = fields.UUIDField(primary_key=True, default=None)
    name = fields.CharField(max_length=100)
    tenant_id = fields.UUIDField()
    generation = fields.IntField()
    sealed = fields.BinaryField()
    created_at = fields.DatetimeField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "connection_secret"
