"""Changes when migrations need another kind of step than Tortoise has.

Tables are written as SQL, since partitions, keys of several columns, partial indexes and policies are beyond what
models can say; the fields beside the SQL are what Tortoise compares with the models to find drift.
"""

from tortoise.migrations.operations import CreateModel, RunSQL

TENANT = "nullif(current_setting('weir.tenant', true), '')::uuid"


class CreateTable(CreateModel):
    """`CreateModel` whose table is made by the given SQL; going back drops it."""

    def __init__(self, name, table, fields, sql):
        super().__init__(name=name, fields=fields, options={"table": table, "app": "weir", "pk_attr": fields[0][0]})
        self.table = table
        self.sql = sql

    async def database_forward(self, app_label, old_state, new_state, state_editor=None):
        if state_editor:
            await state_editor._run_sql(self.sql)

    async def database_backward(self, app_label, old_state, new_state, state_editor=None):
        if state_editor:
            # CASCADE: other tables' policies and foreign keys that name it go too
            await state_editor._run_sql(f"DROP TABLE {self.table} CASCADE")


def protect(table, *, app="", engine="SELECT, INSERT, UPDATE, DELETE", visible=f"tenant_id = {TENANT}"):
    """Row-level security for everybody, the owner too, and exactly these grants.

    `app`: what the application role may do with the rows that are `visible` to the current tenant; nothing when empty.
    The engine role sees every tenant.
    """
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY engine ON {table} TO weir_engine USING (true) WITH CHECK (true)",
        f"GRANT {engine} ON {table} TO weir_engine",
    ]
    if app:
        statements += [
            f"CREATE POLICY tenant ON {table} TO weir_app USING ({visible}) WITH CHECK ({visible})",
            f"GRANT {app} ON {table} TO weir_app",
        ]
    return RunSQL(";\n".join(statements), reverse_sql=RunSQL.noop)  # all of it goes with the table
