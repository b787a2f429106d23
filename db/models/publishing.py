"""Changes when what is stored of rules for publishing, and of requests to publish, changes."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class PublishRule(Model):
    """Of a workflow, or (`workflow_id` null) of the tenant."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField(null=True)
    needs_approval = fields.BooleanField()
    changed_at = fields.DatetimeField()
    changed_by = fields.TextField()
    signature = fields.BooleanField(null=True)

    class Meta(Model.Meta):
        table = "publish_rule"


class PublishRequest(Model):
    """At most one of a workflow is OPEN; a trigger makes it VOID when the draft changes.

    A signature is `signed_by`, `signed_at`, `signature_meaning` and `signature`, the hash in hexadecimal.
    """

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    candidate_id = fields.UUIDField()
    previous_id = fields.UUIDField(null=True)
    content_hash = fields.BinaryField()
    note = fields.TextField()
    authors: fields.Field[list[str]] = ArrayField("text")
    requested_at = fields.DatetimeField()
    requested_by = fields.TextField()
    status = fields.CharField(max_length=16, default="OPEN", db_default="OPEN")
    decided_at = fields.DatetimeField(null=True)
    decided_by = fields.TextField(null=True)
    comment = fields.TextField(null=True)
    version_id = fields.UUIDField(null=True)
    signed_by = fields.UUIDField(null=True)
    signed_at = fields.DatetimeField(null=True)
    signature_meaning = fields.TextField(null=True)
    signature = fields.TextField(null=True)

    class Meta(Model.Meta):
        table = "publish_request"
