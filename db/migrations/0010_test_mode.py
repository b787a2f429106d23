"""Test mode: which executions are tests, saved test cases, load runs."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations.operations import AddField, RunSQL

from db.fields import OrderedJSONField
from db.migrations._operations import CreateTable, protect

EXECUTIONS = AddField(model_name="Execution", name="test", field=fields.BooleanField(default=False, db_default=False))

CASES = CreateTable(
    name="TestCase",
    table="test_case",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("name", fields.CharField(max_length=200)),
        ("description", fields.TextField(default="", db_default="")),
        ("input", OrderedJSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
        ("variables", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("trial", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("timeout", fields.FloatField()),
        ("revision", fields.IntField(default=1, db_default=1)),
        ("created_at", fields.DatetimeField()),
        ("created_by", fields.TextField()),
        ("updated_at", fields.DatetimeField()),
        ("updated_by", fields.TextField()),
    ],
    sql="""
    CREATE TABLE test_case (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        name varchar(200) NOT NULL,
        description text NOT NULL DEFAULT '',
        input json,
        variables json NOT NULL,
        trial json NOT NULL,
        timeout double precision NOT NULL CONSTRAINT test_case_timeout CHECK (timeout > 0),
        revision int NOT NULL DEFAULT 1 CONSTRAINT test_case_revision CHECK (revision > 0),
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL,
        CONSTRAINT test_case_name_key UNIQUE (workflow_id, name),
        FOREIGN KEY (tenant_id, workflow_id) REFERENCES workflow (tenant_id, id)
    );
    CREATE INDEX test_case_by_workflow ON test_case (tenant_id, workflow_id, id)""",
)

LOAD_RUNS = CreateTable(
    name="LoadRun",
    table="load_run",
    fields=[
        ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
        ("tenant_id", fields.UUIDField()),
        ("workflow_id", fields.UUIDField()),
        ("version_id", fields.UUIDField()),
        ("count", fields.IntField()),
        ("concurrency", fields.IntField()),
        ("rate", fields.FloatField(null=True)),
        ("begins_with", OrderedJSONField(encoder=JSON_DUMPS, decoder=loads)),
        ("timeout", fields.FloatField(null=True)),
        ("draft", fields.BooleanField()),
        ("begun", fields.IntField(default=0, db_default=0)),
        ("created_at", fields.DatetimeField()),
        ("created_by", fields.TextField()),
        ("cancelled_at", fields.DatetimeField(null=True)),
        ("cancelled_by", fields.TextField(null=True)),
        ("finished_at", fields.DatetimeField(null=True)),
        ("report", OrderedJSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
    ],
    sql="""
    CREATE TABLE load_run (
        id uuid PRIMARY KEY,
        tenant_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        version_id uuid NOT NULL,
        count int NOT NULL CONSTRAINT load_run_count CHECK (count > 0),
        concurrency int NOT NULL CONSTRAINT load_run_concurrency CHECK (concurrency > 0),
        rate double precision CONSTRAINT load_run_rate CHECK (rate > 0),
        begins_with json NOT NULL,
        timeout double precision,
        draft boolean NOT NULL,
        begun int NOT NULL DEFAULT 0 CONSTRAINT load_run_begun CHECK (begun BETWEEN 0 AND count),
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        cancelled_at timestamptz,
        cancelled_by text,
        finished_at timestamptz,
        report json,
        FOREIGN KEY (tenant_id, workflow_id, version_id) REFERENCES workflow_version (tenant_id, workflow_id, id)
    );
    CREATE UNIQUE INDEX load_run_open ON load_run (workflow_id) WHERE finished_at IS NULL;
    CREATE INDEX load_run_by_workflow ON load_run (tenant_id, workflow_id, id)""",
)

# Only trials are in these: the last of a test case, those of a load run, and how many of them are under way.
TRIALS = RunSQL(
    """
    CREATE INDEX execution_by_trial ON execution (tenant_id, trial_of, id) WHERE trial_of IS NOT NULL;
    CREATE INDEX execution_trial_open ON execution (trial_of) WHERE trial_of IS NOT NULL AND finished_at IS NULL""",
    reverse_sql="""
    DROP INDEX execution_by_trial;
    DROP INDEX execution_trial_open""",
)


class Migration(migrations.Migration):
    dependencies = [("weir", "0009_environments")]

    operations = [
        EXECUTIONS,
        CASES,
        protect("test_case", app="SELECT, INSERT, UPDATE, DELETE"),
        LOAD_RUNS,
        protect("load_run", app="SELECT, INSERT, UPDATE"),
        AddField(model_name="Execution", name="trial_of", field=fields.UUIDField(null=True)),
        TRIALS,
    ]
