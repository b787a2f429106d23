"""The database node on a real MariaDB: what it binds, gives back, limits and refuses."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from typing import Any, cast

import aiomysql
import pytest

from domain.engine.outcomes import Completed, Failed
from domain.json import JSON
from jobs.outgoing import Outgoing
from tests.certificates import Certificate, certificate
from tests.contract.database_servers import PASSWORD, Target, mariadb
from tests.unit.node_world import node_world


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificates"), "localhost")


@pytest.fixture(scope="module")
def port(made: Certificate) -> Generator[int]:
    with mariadb(made) as port:
        yield port


@pytest.fixture(scope="module")
async def target(port: int) -> AsyncGenerator[Target]:
    settings: dict[str, JSON] = {"host": "127.0.0.1", "port": port, "database": "target", "user": "weir", "tls": "none"}
    async with node_world(allow=(f"127.0.0.1:{port}",)) as world:
        yield Target(type="mysql", settings=settings, password=PASSWORD, world=world)


@pytest.fixture(autouse=True)
async def fresh(target: Target) -> None:
    await target.output("DROP TABLE IF EXISTS orders, other")
    await target.output(
        "CREATE TABLE orders (id int PRIMARY KEY, customer varchar(50) NOT NULL, total decimal(12, 2), at datetime(3))"
    )
    await target.output(
        "INSERT INTO orders VALUES (1, 'Ada', 10.50, '2026-01-02 03:04:05.5'), (2, 'Bob', 99.99, NULL), "
        "(3, 'Ada', NULL, NULL)"
    )


async def stored(target: Target) -> JSON:
    return await target.output("SELECT count(*) FROM orders", outputFormat="value")


async def test_rows_come_as_objects_of_json(target: Target) -> None:
    rows = await target.output(
        "SELECT * FROM orders WHERE customer = :who ORDER BY id", parameters={"who": "Ada"}, action="select"
    )

    assert rows == [
        {"id": 1, "customer": "Ada", "total": "10.50", "at": "2026-01-02T03:04:05.500000"},
        {"id": 3, "customer": "Ada", "total": None, "at": None},
    ]


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [
        ("first", {"id": 2, "customer": "Bob"}),
        ("value", 2),
        ("columns", {"id": [2, 3], "customer": ["Bob", "Ada"]}),
        ("count", 2),
    ],
)
async def test_the_output_has_the_format_asked_for(target: Target, output_format: str, expected: JSON) -> None:
    query = "SELECT id, customer FROM orders WHERE id > ? ORDER BY id"

    assert await target.output(query, parameters=[1], outputFormat=output_format) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'Grüße'", "Grüße"),
        ("X'0001ff'", "AAH/"),
        ("DATE '2026-11-21'", "2026-11-21"),
        ("TIME '30:15:00'", "30:15:00"),
        ("CAST(1.5 AS double)", 1.5),
        ("CAST(18446744073709551615 AS unsigned)", "18446744073709551615"),
        ("1 = 1", 1),
        ("NULL", None),
    ],
)
async def test_values_become_json(target: Target, expression: str, expected: JSON) -> None:
    assert await target.output(f"SELECT {expression}", outputFormat="value") == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("x", "x"), (7, 7), (1.5, 1.5), (True, 1), (None, None), ({"a": [1]}, '{"a":[1]}'), (-3, -3), (1e300, 1e300)],
)
async def test_json_values_are_bound(target: Target, given: JSON, expected: JSON) -> None:
    assert await target.output("SELECT :x", parameters={"x": given}, outputFormat="value") == expected


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE orders; -- ",
        "\\'; DROP TABLE orders; -- ",
        "\\",
        "'",
        '"',
        "%s %d %",
        "a\nb\x1a\x00",
        "¥\\'",
        "# x",
        "😀",
    ],
)
async def test_no_value_ever_becomes_sql(target: Target, text: str) -> None:
    named = await target.output("SELECT id FROM orders WHERE customer = :who", parameters={"who": text})
    inline = await target.output("SELECT id FROM orders WHERE customer = {{ input.who }}", input={"who": text})
    echoed = await target.output("SELECT hex(?)", parameters=[text], outputFormat="value")

    assert (named, inline, echoed) == ([], [], text.encode().hex().upper())
    assert await stored(target) == 3


async def test_rows_are_written_without_sql(target: Target) -> None:
    inserted = await target.output(
        action="insert", table="target.orders", outputFormat="count",
        values=[{"id": 4, "customer": "Cy`'\"", "total": 1.5}, {"id": 5, "customer": "Di", "total": None}],
    )  # fmt: skip
    updated = await target.output(
        action="update", table="orders", values={"total": "7"}, where={"id": [4, 5]}, outputFormat="count"
    )
    deleted = await target.output(action="delete", table="orders", where={"customer": "Di"}, outputFormat="count")
    left = await target.output(action="select", table="orders", where={"id": 4})

    assert (inserted, updated, deleted) == (2, 2, 1)
    assert left == [{"id": 4, "customer": "Cy`'\"", "total": "7.00", "at": None}]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM orders",
        "CREATE TABLE other (id int)",
        "SELECT * FROM orders INTO OUTFILE '/tmp/never'",
        "EXPLAIN DELETE FROM orders WHERE id IN (SELECT 1) AND sleep(0)",
        "WITH x AS (SELECT 1) DELETE FROM orders",
        "EXECUTE IMMEDIATE 'BEGIN NOT ATOMIC COMMIT; SET SESSION TRANSACTION READ WRITE; DELETE FROM orders; END'",
        "CALL nothing()",
        "SET SESSION TRANSACTION READ WRITE",
        "SELECT 1 /*!; DELETE FROM orders */",
    ],
)
@pytest.mark.parametrize("how", ["action", "config", "connection"])
async def test_a_read_only_query_changes_nothing_whatever_it_tries(target: Target, statement: str, how: str) -> None:
    world = target.world_with(readOnly=how == "connection")
    ways: dict[str, dict[str, JSON]] = {"action": {"action": "select"}, "config": {"readOnly": True}}

    await world.run("database", {"connection": "shop", "query": statement, **ways.get(how, {})})

    assert await stored(target) == 3
    assert await target.output("SHOW TABLES LIKE 'other'") == []


async def test_a_function_that_writes_is_refused_by_a_read_only_query(target: Target, port: int) -> None:
    admin: Any = await cast("Any", aiomysql).connect(
        host="127.0.0.1", port=port, user="weir", password=PASSWORD, db="target"
    )
    await admin.query("DROP FUNCTION IF EXISTS wipe")
    await admin.query("CREATE FUNCTION wipe() RETURNS int BEGIN DELETE FROM orders; RETURN 1; END")
    admin.close()

    refused = await target.failure("SELECT wipe()", action="select")

    assert (refused.code, refused.retryable) == ("READ_ONLY", False)
    assert await stored(target) == 3


async def test_only_the_first_row_of_very_many_is_read_where_one_is_wanted(target: Target) -> None:
    first = await target.output("SELECT seq FROM seq_1_to_1000000000", action="select", outputFormat="value")

    assert first == 1


async def test_bits_are_numbers(target: Target) -> None:
    await target.output("CREATE TABLE other (flags bit(3), doc json)")
    await target.output(action="insert", table="other", values={"flags": 5, "doc": {"a": 1}})

    assert await target.output("SELECT * FROM other") == [{"flags": 5, "doc": '{"a":1}'}]


async def test_a_second_statement_is_refused_by_the_server_too(target: Target) -> None:
    plain = await target.failure("DELETE FROM orders; DELETE FROM orders")
    hidden = await target.failure("{{ input }}", input="SELECT 1 /*! ; DELETE FROM orders */")

    assert (plain.code, hidden.code) == ("STATEMENT_INVALID", "STATEMENT_INVALID")
    assert await stored(target) == 3


async def test_too_many_rows_fail_and_undo_what_was_done(target: Target) -> None:
    read = await target.failure("SELECT seq FROM seq_1_to_100000000", maxRows=500)
    changed = await target.failure("DELETE FROM orders RETURNING id", maxRows=2)

    assert (read.code, changed.code) == ("TOO_MANY_ROWS", "TOO_MANY_ROWS")
    assert await stored(target) == 3


@pytest.mark.parametrize(
    "query",
    ["SELECT repeat('x', 1000000) FROM seq_1_to_900", "SELECT a.seq, repeat('x', 300) FROM seq_1_to_1000000 a"],
)
async def test_a_huge_result_is_refused_without_being_held(target: Target, query: str) -> None:
    failure = await target.failure(query, maxRows=100_000)

    assert (failure.code, failure.retryable) == ("RESULT_TOO_LARGE", False)


async def test_a_slow_statement_is_stopped_by_the_database(target: Target) -> None:
    failure = await target.failure("SELECT count(*) FROM seq_1_to_1000000000 WHERE sleep(1) = 0", timeout=0.3)

    running = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%sleep(1) = 0%' "
    running += "AND id <> connection_id()"
    async with asyncio.timeout(10):
        while await target.output(running, outputFormat="value"):
            pass
    assert (failure.code, failure.retryable) == ("TIMEOUT", True)


@pytest.mark.parametrize(
    ("query", "code", "details"),
    [
        ("INSERT INTO orders VALUES (1, 'x', 1, NULL)", "CONSTRAINT_VIOLATED", {"errno": 1062, "sqlstate": "23000"}),
        ("INSERT INTO orders VALUES (9, NULL, 1, NULL)", "CONSTRAINT_VIOLATED", {"errno": 1048, "sqlstate": "23000"}),
        ("SELEKT 1", "SQL_ERROR", {"errno": 1064, "sqlstate": "42000"}),
        ("SELECT * FROM nowhere", "SQL_ERROR", {"errno": 1146, "sqlstate": "42S02"}),
        ("INSERT INTO orders VALUES (9, repeat('x', 51), 1, NULL)", "SQL_ERROR", {"errno": 1406, "sqlstate": "22001"}),
    ],
)
async def test_errors_of_the_database_are_told_with_their_code(
    target: Target, query: str, code: str, details: JSON
) -> None:
    failure = await target.failure(query)

    assert (failure.code, failure.retryable, failure.details) == (code, False, details)


async def test_a_server_asking_for_a_file_of_ours_gets_none(target: Target) -> None:
    failure = await target.failure("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE orders")

    assert failure.code in ("SQL_ERROR", "CONNECTION_FAILED")
    assert await stored(target) == 3


async def test_a_connection_that_breaks_in_the_middle_may_be_tried_again(target: Target) -> None:
    failure = await target.failure("{{ input }}", input="KILL CONNECTION connection_id()")

    assert failure.retryable


async def test_a_wrong_password_is_told_and_never_shown(target: Target) -> None:
    failure = await replace(target, password="not-the-password").failure("SELECT 1")

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


@pytest.mark.parametrize(
    ("host", "tls", "code"),
    [("localhost", "verify", None), ("127.0.0.1", "verify", "TLS_FAILED"), ("127.0.0.1", "require", None)],
)
async def test_tls_is_as_strict_as_the_connection_says(
    target: Target, made: Certificate, port: int, host: str, tls: str, code: str | None
) -> None:
    http = Outgoing(allow=(f"{host}:{port}",))
    world = target.world_with(host=host, tls=tls, ca=made.ca)
    world = replace(world, supplies=replace(world.supplies, http=http))
    query = "SHOW STATUS LIKE 'Ssl_version'"

    outcome = await world.run("database", {"connection": "shop", "query": query, "outputFormat": "columns"})
    await http.close()

    if code is None:
        assert outcome == Completed(output={"Variable_name": ["Ssl_version"], "Value": ["TLSv1.3"]})
    else:
        assert isinstance(outcome, Failed)
        assert outcome.code == code
