"""Changes when what is stored of test cases or load runs changes."""

from tortoise import fields
from tortoise.models import Model

from db.fields import OrderedJSONField
from domain.json import JSON


class TestCase(Model):
    """A saved test of a workflow. People are TypeIDs."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="", db_default="")
    input: OrderedJSONField[JSON] = OrderedJSONField(null=True)
    variables: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    trial: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    timeout = fields.FloatField()
    revision = fields.IntField(default=1, db_default=1)
    created_at = fields.DatetimeField()
    created_by = fields.TextField()
    updated_at = fields.DatetimeField()
    updated_by = fields.TextField()

    class Meta(Model.Meta):
        table = "test_case"


class LoadRun(Model):
    """`begins_with`: the first event of its executions but for their deadline; `begun`: how many there are."""

    id = fields.UUIDField(primary_key=True, default=None)
    tenant_id = fields.UUIDField()
    workflow_id = fields.UUIDField()
    version_id = fields.UUIDField()
    count = fields.IntField()
    concurrency = fields.IntField()
    rate = fields.FloatField(null=True)
    begins_with: OrderedJSONField[dict[str, JSON]] = OrderedJSONField()
    timeout = fields.FloatField(null=True)
    draft = fields.BooleanField()
    begun = fields.IntField(default=0, db_default=0)
    created_at = fields.DatetimeField()
    created_by = fields.TextField()
    cancelled_at = fields.DatetimeField(null=True)
    cancelled_by = fields.TextField(null=True)
    finished_at = fields.DatetimeField(null=True)
    report: OrderedJSONField[dict[str, JSON]] = OrderedJSONField(null=True)

    class Meta(Model.Meta):
        table = "load_run"
