"""Changes when what is stored of a task for people, or of its history, changes."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from db.fields import OrderedJSONField
from domain.json import JSON


class Task(Model):
    """One per execution and path. The signature is `signed_by` with `signature`, the digest in hexadecimal."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    execution_id = fields.UUIDField()
    path = fields.TextField()
    kind = fields.CharField(max_length=16)
    title = fields.TextField()
    description = fields.TextField(default="", db_default="")
    form: OrderedJSONField[dict[str, JSON]] = OrderedJSONField(default=dict, db_default="{}")
    data: OrderedJSONField[JSON] = OrderedJSONField(null=True)
    assignees: ArrayField = ArrayField(element_type="TEXT", default=list, db_default="{}")
    escalate_to: ArrayField = ArrayField(element_type="TEXT", default=list, db_default="{}")
    needs_signature = fields.BooleanField(default=False, db_default=False)
    status = fields.CharField(max_length=16, default="OPEN", db_default="OPEN")
    due_at = fields.DatetimeField(null=True)
    expires_at = fields.DatetimeField(null=True)
    claimed_by = fields.TextField(null=True)
    escalated_at = fields.DatetimeField(null=True)
    decision = fields.CharField(max_length=16, null=True)
    output: OrderedJSONField[JSON] = OrderedJSONField(null=True)
    comment = fields.TextField(null=True)
    decided_by = fields.TextField(null=True)
    decided_at = fields.DatetimeField(null=True)
    signed_by = fields.UUIDField(null=True)
    signature = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    revision = fields.IntField(default=1, db_default=1)

    class Meta(Model.Meta):
        table = "task"


class TaskEntry(Model):
    """Append-only: who handed a task on, claimed it, said something about it."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    task_id = fields.UUIDField()
    kind = fields.CharField(max_length=16)
    by = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    assignees: ArrayField = ArrayField(element_type="TEXT", default=list, db_default="{}")
    comment = fields.TextField(null=True)

    class Meta(Model.Meta):
        table = "task_entry"
