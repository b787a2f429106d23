"""Changes when what is stored of a person, their memberships or their sessions changes."""

from tortoise import fields
from tortoise.models import Model

from db.models.base import CompositeKeyModel


class Account(Model):
    """A person, whatever the tenants they belong to; `email` is lower case."""

    id = fields.UUIDField(primary_key=True, default=None)
    email = fields.CharField(max_length=255)
    name = fields.CharField(max_length=200)
    password_hash = fields.TextField()
    created_at = fields.DatetimeField()
    deactivated_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "account"


class Membership(CompositeKeyModel):
    """Key: tenant, account."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    account_id = fields.UUIDField()
    role = fields.CharField(max_length=16)
    created_at = fields.DatetimeField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "membership"


class Session(Model):
    """One sign-in; `address` and `user_agent` are those of its last refresh."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    account_id = fields.UUIDField()
    address = fields.TextField(null=True)
    user_agent = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "session"


class RefreshToken(Model):
    """`family` is the session that the token descends from."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    account_id = fields.UUIDField()
    family = fields.UUIDField()
    secret_hash = fields.BinaryField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "refresh_token"


class FailedAttempt(Model):
    """`subject` is the digest of whom or what the attempts were made at, or from where."""

    subject = fields.CharField(max_length=64, primary_key=True, default=None)
    count = fields.IntField()
    failed_at = fields.DatetimeField()
    free_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "failed_attempt"
