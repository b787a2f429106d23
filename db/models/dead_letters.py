"""Changes when what is stored of dead letters beside their executions changes."""

from tortoise import fields
from tortoise.models import Model


class DeadLetterDismissal(Model):
    """A failed execution that somebody took out of the queue without replaying it."""

    execution_id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    dismissed_at = fields.DatetimeField()
    dismissed_by = fields.TextField()
    reason = fields.TextField(null=True)

    class Meta(Model.Meta):
        table = "dead_letter_dismissal"
