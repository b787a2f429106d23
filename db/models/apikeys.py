"""Changes when what is stored of an API key changes."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class ApiKey(Model):
    """`secret_hash` is SHA-256 of the secret part; `scopes` empty means everything the role allows,
    `allowed_ips` empty that it may be used from anywhere. `replaces`: the key it was rotated from."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    account_id = fields.UUIDField(null=True)
    name = fields.CharField(max_length=200)
    role = fields.CharField(max_length=16)
    scopes: fields.Field[list[str]] = ArrayField("text", default=list, db_default="{}")
    secret_hash = fields.BinaryField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    allowed_ips: fields.Field[list[str]] = ArrayField("text", default=list, db_default="{}")
    created_by = fields.TextField(default="", db_default="")
    replaces = fields.UUIDField(null=True)

    class Meta(Model.Meta):
        table = "api_key"
