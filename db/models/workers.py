"""Changes when what is stored of a worker process changes."""

from tortoise import fields
from tortoise.models import Model


class Worker(Model):
    """A process that runs executions; of no tenant, seen only by the engine."""

    id = fields.UUIDField(primary_key=True, default=None)
    started_at = fields.DatetimeField()
    seen_at = fields.DatetimeField()
    host = fields.TextField()
    pid = fields.IntField()

    class Meta(Model.Meta):
        table = "worker"
