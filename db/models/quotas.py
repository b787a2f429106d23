"""Changes when what is stored of quotas and of their use changes."""

from tortoise import fields

from db.models.base import CompositeKeyModel


class TenantQuota(CompositeKeyModel):
    """What was set for a tenant, a quota or a rate; `maximum` null: any number. Key: tenant, name."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    name = fields.TextField()
    maximum = fields.BigIntField(null=True)
    changed_at = fields.DatetimeField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "tenant_quota"


class QuotaUse(CompositeKeyModel):
    """What a tenant has used of a quota in a period; triggers write it. Key: tenant, name, begins."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    name = fields.TextField()
    begins = fields.DatetimeField()
    used = fields.BigIntField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "quota_use"
