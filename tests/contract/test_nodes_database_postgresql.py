"""The database node on a real PostgreSQL: what it binds, gives back, limits and refuses."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.stack import Stack
from domain.engine.outcomes import Completed, Failed
from domain.json import JSON
from jobs.outgoing import Outgoing
from tests.certificates import certificate
from tests.contract.database_servers import Target, postgresql_over_tcp, postgresql_settings
from tests.databases import new_database
from tests.unit.node_world import node_world

SCHEMA = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, total numeric(12, 2), placed_at timestamptz);
INSERT INTO orders VALUES (1, 'Ada', 10.50, '2026-01-02T03:04:05Z'), (2, 'Bob', 99.99, NULL), (3, 'Ada', NULL, NULL)
"""


@pytest.fixture(scope="module")
async def database(stack: Stack) -> AsyncGenerator[str]:
    async with new_database(stack.database_url) as dsn:
        yield dsn


@pytest.fixture(scope="module")
async def target(database: str) -> AsyncGenerator[Target]:
    async with postgresql_over_tcp(database) as port, node_world(allow=(f"127.0.0.1:{port}",)) as world:
        yield Target(
            type="postgresql",
            settings=postgresql_settings(database, port),
            password=urlsplit(database).password or "",
            world=world,
        )


@pytest.fixture(autouse=True)
async def fresh(database: str) -> AsyncGenerator[None]:
    admin = await asyncpg.connect(database)
    await admin.execute(SCHEMA)
    yield
    await admin.execute("DROP OWNED BY CURRENT_USER")
    await admin.close()


async def stored(target: Target) -> JSON:
    return await target.output("SELECT count(*) FROM orders", outputFormat="value")


async def test_rows_come_as_objects_of_json(target: Target) -> None:
    rows = await target.output(
        "SELECT * FROM orders WHERE customer = :who ORDER BY id", parameters={"who": "Ada"}, action="select"
    )

    assert rows == [
        {"id": 1, "customer": "Ada", "total": "10.50", "placed_at": "2026-01-02T03:04:05+00:00"},
        {"id": 3, "customer": "Ada", "total": None, "placed_at": None},
    ]


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [
        ("rows", [{"id": 2, "customer": "Bob"}, {"id": 3, "customer": "Ada"}]),
        ("first", {"id": 2, "customer": "Bob"}),
        ("value", 2),
        ("columns", {"id": [2, 3], "customer": ["Bob", "Ada"]}),
        ("count", 2),
    ],
)
async def test_the_output_has_the_format_asked_for(target: Target, output_format: str, expected: JSON) -> None:
    query = "SELECT id, customer FROM orders WHERE id > $1 ORDER BY id"

    assert await target.output(query, parameters=[1], outputFormat=output_format) == expected


@pytest.mark.parametrize(("output_format", "expected"), [("rows", []), ("first", None), ("value", None), ("count", 0)])
async def test_no_rows_are_an_empty_output(target: Target, output_format: str, expected: JSON) -> None:
    assert await target.output("SELECT 1 AS a WHERE false", outputFormat=output_format) == expected


async def test_a_statement_without_rows_counts_what_it_changed(target: Target) -> None:
    changed = await target.output("UPDATE orders SET total = 0 WHERE id < 3", action="update", outputFormat="count")
    made = await target.output("CREATE TABLE other ()", outputFormat="count")

    assert (changed, made) == (2, 0)
    assert await target.output("SELECT total FROM orders ORDER BY id", outputFormat="columns") == {
        "total": ["0.00", "0.00", None]
    }


@pytest.mark.parametrize(
    ("type", "given", "expected"),
    [
        ("int", 7, 7),
        ("bigint", "9007199254740993", 9007199254740993),
        ("int", 7.0, 7),
        ("numeric", 0.1, "0.1"),
        ("numeric", "12345678901234567890.12", "12345678901234567890.12"),
        ("float8", 2, 2.0),
        ("bool", True, True),
        ("text", "Grüße 'x'; --", "Grüße 'x'; --"),
        ("text", 12, "12"),
        ("jsonb", {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
        ("json", "text", "text"),
        ("date", "2026-11-21", "2026-11-21"),
        ("timestamptz", "2026-11-21T10:00:00+02:00", "2026-11-21T08:00:00+00:00"),
        ("timestamptz", "2026-11-21", "2026-11-21T00:00:00+00:00"),
        ("timestamp", "2026-11-21T10:00:00", "2026-11-21T10:00:00"),
        ("time", "10:30:00", "10:30:00"),
        ("interval", 90, 90.0),
        ("uuid", "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("bytea", "AAEC", "AAEC"),
        ("int[]", [1, None, 3], [1, None, 3]),
        ("text[]", [["a", "b"], ["c", "d"]], [["a", "b"], ["c", "d"]]),
        ("jsonb[]", [{"a": 1}], [{"a": 1}]),
        ("mood", "glad", "glad"),
        ("inet", "192.0.2.1", "192.0.2.1"),
        ("int", None, None),
    ],
)  # fmt: skip
async def test_json_values_fit_the_types_of_postgresql_both_ways(
    target: Target, type: str, given: JSON, expected: JSON
) -> None:
    value = await target.output(f"SELECT CAST(:x AS {type})", parameters={"x": given}, outputFormat="value")

    assert value == expected


@pytest.mark.parametrize(
    ("expression", "decimals", "expected"),
    [
        ("1.50::numeric", "number", 1.5),
        ("2.00::numeric", "number", 2),
        ("'NaN'::float8", "text", "nan"),
        ("'Infinity'::numeric", "number", "Infinity"),
        ("int4range(1, 5)", "text",
         {"lower": 1, "upper": 5, "lowerInc": True, "upperInc": False, "empty": False}),
        ("(SELECT o FROM orders o WHERE id = 1)", "text",
         {"id": 1, "customer": "Ada", "total": "10.50", "placed_at": "2026-01-02T03:04:05+00:00"}),
        ("'2 days'::interval", "text", 172800.0),
    ],
)  # fmt: skip
async def test_values_without_a_like_in_json_are_written_out(
    target: Target, expression: str, decimals: str, expected: JSON
) -> None:
    assert await target.output(f"SELECT {expression}", outputFormat="value", decimals=decimals) == expected


async def test_columns_of_one_name_are_all_there(target: Target) -> None:
    assert await target.output("SELECT 1 AS id, 2 AS id, 3 AS id_2") == [{"id": 1, "id_2": 2, "id_2_2": 3}]


@pytest.mark.parametrize("text", ["'; DROP TABLE orders; --", "' OR '1'='1", "\\'; SELECT 1; --", "$1", ":who"])
async def test_no_value_ever_becomes_sql(target: Target, text: str) -> None:
    named = await target.output("SELECT id FROM orders WHERE customer = :who", parameters={"who": text})
    listed = await target.output("SELECT id FROM orders WHERE customer = $1", parameters=[text])
    inline = await target.output("SELECT id FROM orders WHERE customer = {{ input.who }}", input={"who": text})
    echoed = await target.output("SELECT {{ input.who }}::text", input={"who": text}, outputFormat="value")

    assert (named, listed, inline, echoed) == ([], [], [], text)
    assert await stored(target) == 3


async def test_an_expression_inside_quotes_is_refused(target: Target) -> None:
    failure = await target.failure("SELECT id FROM orders WHERE customer = '{{ input }}'", input="' OR '1'='1")

    assert failure.code == "STATEMENT_INVALID"


async def test_a_query_that_is_one_expression_is_the_statement(target: Target) -> None:
    rows = await target.output("{{ input.sql }}", input={"sql": "SELECT :a::int AS a"}, parameters={"a": 1})

    assert rows == [{"a": 1}]


async def test_a_second_statement_is_refused_and_nothing_happens(target: Target) -> None:
    failure = await target.failure("DELETE FROM orders; DELETE FROM orders")

    assert failure.code == "STATEMENT_INVALID"
    assert await stored(target) == 3


async def test_rows_are_written_without_sql(target: Target) -> None:
    inserted = await target.output(
        action="insert", table="public.orders", outputFormat="count",
        values=[{"id": 4, "customer": "Cy", "total": 1.5}, {"id": 5, "customer": "Di", "total": None}],
    )  # fmt: skip
    updated = await target.output(
        action="update", table="orders", values={"total": "7"}, where={"id": [4, 5]}, outputFormat="count"
    )
    deleted = await target.output(action="delete", table="orders", where={"customer": "Di"}, outputFormat="count")
    left = await target.output(action="select", table="orders", where={"customer": "Cy"})

    assert (inserted, updated, deleted) == (2, 2, 1)
    assert left == [{"id": 4, "customer": "Cy", "total": "7.00", "placed_at": None}]


async def test_what_a_statement_returns_is_its_output(target: Target) -> None:
    rows = await target.output("DELETE FROM orders WHERE id > 1 RETURNING id", action="delete")

    assert rows == [{"id": 2}, {"id": 3}]
    assert await stored(target) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM orders",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "SELECT set_config('transaction_read_only', 'off', true), 1",
        "SELECT nextval('numbers')",
        "DO $$ BEGIN DELETE FROM orders; END $$",
        "SET TRANSACTION READ WRITE",
        "CREATE TABLE other ()",
    ],
)
@pytest.mark.parametrize("how", ["action", "config", "connection"])
async def test_a_read_only_query_changes_nothing_whatever_it_tries(
    target: Target, database: str, statement: str, how: str
) -> None:
    admin = await asyncpg.connect(database)
    await admin.execute("CREATE SEQUENCE numbers")
    world = target.world_with(readOnly=how == "connection")
    ways: dict[str, dict[str, JSON]] = {"action": {"action": "select"}, "config": {"readOnly": True}}
    config = {"connection": "shop", "query": statement, **ways.get(how, {})}

    outcome = await world.run("database", config)

    assert isinstance(outcome, Failed)
    assert outcome.retryable is False
    assert outcome.code in ("READ_ONLY", "ACTION_MISMATCH", "SQL_ERROR")
    assert await admin.fetchval("SELECT is_called FROM numbers") is False
    assert await stored(target) == 3
    await admin.close()


async def test_the_statement_has_to_do_what_the_action_says(target: Target) -> None:
    failure = await target.failure("DELETE FROM orders", action="insert")

    assert (failure.code, failure.message) == (
        "ACTION_MISMATCH",
        "The action is insert, and the statement begins with DELETE",
    )


async def test_too_many_rows_fail_and_undo_what_was_done(target: Target) -> None:
    read = await target.failure("SELECT generate_series(1, 1000000000)", maxRows=500)
    changed = await target.failure("DELETE FROM orders RETURNING id", maxRows=2)

    assert (read.code, read.message) == ("TOO_MANY_ROWS", "The result has more than 500 rows")
    assert (changed.code, await stored(target)) == ("TOO_MANY_ROWS", 3)


async def test_exactly_the_most_rows_are_no_error(target: Target) -> None:
    assert await target.output("SELECT id FROM orders", maxRows=3, outputFormat="count") == 3


async def test_only_the_first_row_of_very_many_is_read_where_one_is_wanted(target: Target) -> None:
    assert await target.output("SELECT * FROM generate_series(1, 100000) AS n", outputFormat="value") == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT repeat('x', 200000000)",
        "SELECT repeat('x', 1000000) FROM generate_series(1, 900)",
        "SELECT repeat('x', 17000000)",
    ],
)
async def test_a_huge_result_is_refused_without_being_held(target: Target, query: str) -> None:
    failure = await target.failure(query)

    assert (failure.code, failure.retryable) == ("RESULT_TOO_LARGE", False)


async def test_a_slow_statement_is_stopped_by_the_database(target: Target, database: str) -> None:
    failure = await target.failure("SELECT pg_sleep(60)", timeout=0.3)

    admin = await asyncpg.connect(database)
    async with asyncio.timeout(10):
        while await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' "
            "AND pid <> pg_backend_pid()"
        ):
            pass
    await admin.close()
    assert (failure.code, failure.retryable) == ("TIMEOUT", True)


async def test_the_nodes_own_timeout_counts_too(target: Target) -> None:
    world = replace(target.world_with(), timeout=0.3)

    outcome = await world.run("database", {"connection": "shop", "query": "SELECT pg_sleep(60)"})

    assert isinstance(outcome, Failed)
    assert outcome.code == "TIMEOUT"


@pytest.mark.parametrize(
    ("query", "code", "details"),
    [
        ("INSERT INTO orders VALUES (1, 'x')", "CONSTRAINT_VIOLATED",
         {"sqlstate": "23505", "detail": "Key (id)=(1) already exists.", "table_name": "orders",
          "constraint_name": "orders_pkey"}),
        ("INSERT INTO orders (id) VALUES (9)", "CONSTRAINT_VIOLATED", None),
        ("SELEKT 1", "SQL_ERROR", {"sqlstate": "42601", "position": "1"}),
        ("SELECT * FROM nowhere", "SQL_ERROR", {"sqlstate": "42P01", "position": "15"}),
        ("SELECT 1 / 0", "SQL_ERROR", {"sqlstate": "22012"}),
        ("COPY orders FROM STDIN", "STATEMENT_INVALID", None),
        ("COMMIT", "STATEMENT_INVALID", None),
        ("VACUUM", "SQL_ERROR", {"sqlstate": "25001"}),
    ],
)  # fmt: skip
async def test_errors_of_the_database_are_told_with_their_code(
    target: Target, query: str, code: str, details: JSON
) -> None:
    failure = await target.failure(query)

    assert (failure.code, failure.retryable) == (code, False)
    if details is not None:
        assert failure.details == details


@pytest.mark.parametrize(
    ("type", "value"),
    [("int", "x"), ("int", 1.5), ("int", True), ("bool", 1), ("date", "soon"), ("uuid", "1"), ("int[]", 1),
     ("bytea", "%%"), ("int2", 100_000), ("timestamptz", 5), ("numeric", "1,5")],
)  # fmt: skip
async def test_a_value_of_the_wrong_type_is_refused_by_name(target: Target, type: str, value: JSON) -> None:
    failure = await target.failure(f"SELECT CAST(:amount AS {type})", parameters={"amount": value})

    assert (failure.code, failure.retryable) == ("PARAMETER_INVALID", False)


async def test_a_deadlock_or_lost_race_may_be_tried_again(target: Target) -> None:
    failure = await target.failure("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$")

    assert (failure.code, failure.retryable) == ("SQL_ERROR", True)


async def test_a_server_that_is_not_there_may_be_tried_again(target: Target, database: str) -> None:
    async with postgresql_over_tcp(database) as port:
        pass
    world = target.world_with(port=port)
    http = Outgoing(allow=("127.0.0.1",))
    world = replace(world, supplies=replace(world.supplies, http=http))

    outcome = await world.run("database", {"connection": "shop", "query": "SELECT 1"})
    await http.close()

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("CONNECTION_FAILED", True)


async def test_a_connection_that_breaks_in_the_middle_may_be_tried_again(target: Target) -> None:
    failure = await target.failure("SELECT pg_terminate_backend(pg_backend_pid())")

    assert (failure.code, failure.retryable) == ("CONNECTION_FAILED", True)


async def test_a_wrong_password_is_told_and_never_shown(target: Target) -> None:
    wrong = replace(target, password="not-the-password")

    failure = await wrong.failure("SELECT 1")

    assert (failure.code, failure.retryable) == ("AUTHENTICATION_FAILED", False)
    assert "not-the-password" not in repr(failure)


async def test_a_private_address_is_refused_unless_allowed(target: Target) -> None:
    http = Outgoing()
    world = target.world_with()
    world = replace(world, supplies=replace(world.supplies, http=http))

    outcome = await world.run("database", {"connection": "shop", "query": "SELECT 1"})
    await http.close()

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("ADDRESS_REFUSED", False)
    assert outcome.remedy == f"An administrator may allow it: WEIR_HTTP_ALLOW=127.0.0.1:{target.settings['port']}"


@pytest.mark.parametrize(
    ("host", "tls", "code"),
    [
        ("localhost", "verify", None),
        ("127.0.0.1", "verify", "TLS_FAILED"),
        ("127.0.0.1", "require", None),
        ("localhost", "none", None),
    ],
)
async def test_tls_is_as_strict_as_the_connection_says(
    target: Target, database: str, tmp_path: Path, host: str, tls: str, code: str | None
) -> None:
    made = certificate(tmp_path, "localhost")
    async with postgresql_over_tcp(database, made.server_context()) as port:
        http = Outgoing(allow=(f"{host}:{port}",))
        world = target.world_with(host=host, port=port, tls=tls, ca=made.ca)
        world = replace(world, supplies=replace(world.supplies, http=http))

        outcome = await world.run("database", {"connection": "shop", "query": "SELECT 1", "outputFormat": "value"})
        await http.close()

    assert outcome.code == code if isinstance(outcome, Failed) else outcome == Completed(output=1)


@pytest.mark.parametrize("tls", ["require", "verify"])
async def test_a_server_without_tls_gets_no_password_where_tls_is_asked_for(target: Target, tls: str) -> None:
    outcome = await target.world_with(tls=tls).run("database", {"connection": "shop", "query": "SELECT 1"})

    assert isinstance(outcome, Failed)
    assert outcome.code == "CONNECTION_FAILED"
