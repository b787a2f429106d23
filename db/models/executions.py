"""Changes when what is stored of an execution beside its log changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from db.models.base import CompositeKeyModel
from domain.json import JSON


class Execution(Model):
    """Partitioned by `id`. `wants_owner`: there is something to do and nobody to do it.

    `held`: it may not begin before a limit has room for it; `admitted_at`: when one had, null for what has no limit.
    `environment`: null for the default one; `split_id`: what has chosen its version. `trial_of`: a test case or a load
    run, no foreign key.
    """

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    version_id = fields.UUIDField()
    status = fields.CharField(max_length=16, default="PENDING", db_default="PENDING")
    priority = fields.IntField(default=0, db_default=0)
    owner = fields.UUIDField(null=True)
    epoch = fields.IntField(default=0, db_default=0)
    wants_owner = fields.BooleanField(default=True, db_default=True)
    created_at = fields.DatetimeField()
    started_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)
    cancel_requested_at = fields.DatetimeField(null=True)
    output: OrderedJSONField[JSON] = OrderedJSONField(null=True)
    error: OrderedJSONField[dict[str, JSON]] = OrderedJSONField(null=True)
    trigger_type = fields.CharField(max_length=16)
    triggered_by = fields.TextField(null=True)
    trigger_id = fields.UUIDField(null=True)
    retry_of = fields.UUIDField(null=True)
    root_of = fields.UUIDField(null=True)
    parent_id = fields.UUIDField(null=True)
    parent_path = fields.TextField(null=True)
    draft = fields.BooleanField(default=False, db_default=False)
    held = fields.BooleanField(default=False, db_default=False)
    admitted_at = fields.DatetimeField(null=True)
    environment = fields.CharField(max_length=63, null=True)
    split_id = fields.UUIDField(null=True)
    test = fields.BooleanField(default=False, db_default=False)
    trial_of = fields.UUIDField(null=True)

    class Meta(Model.Meta):
        table = "execution"


class ExecutionKey(CompositeKeyModel):
    """A start's idempotency key. Key: tenant, workflow, key."""

    tenant_id = fields.UUIDField(primary_key=True, default=None)
    workflow_id = fields.UUIDField()
    key = fields.TextField()
    execution_id = fields.UUIDField()
    request_hash = fields.BinaryField()
    expires_at = fields.DatetimeField()

    class Meta(CompositeKeyModel.Meta):
        abstract = False
        table = "execution_key"
