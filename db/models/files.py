"""Changes when what is stored of a file changes."""

from tortoise import fields
from tortoise.models import Model


class File(Model):
    """Its bytes lie in the file storage, under `storage_key`."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    name = fields.TextField()
    media_type = fields.TextField()
    size = fields.BigIntField()
    sha256 = fields.BinaryField()
    storage_key = fields.TextField()
    created_at = fields.DatetimeField()
    created_by = fields.TextField(null=True)
    execution_id = fields.UUIDField(null=True)
    expires_at = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "file"


class FileLeftover(Model):
    """Bytes that no file claims: of uploads under way and of deleted files."""

    storage_key = fields.CharField(max_length=200, primary_key=True)
    tenant_id = fields.UUIDField()
    due_at = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "file_leftover"


class FileUsage(Model):
    """The sum over a tenant's files, kept in the transactions that change them."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    bytes = fields.BigIntField()

    class Meta(Model.Meta):
        table = "file_usage"
