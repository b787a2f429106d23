"""The database node on SQLite files: in a process of its own, within limits, the stored file never changed in place."""

import os
import sqlite3
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from domain.connections import Connections
from domain.engine.outcomes import Completed, Failed, Outcome
from domain.files import FileRef, Files
from domain.graphs import Node
from domain.ids import TenantId
from domain.json import JSON, JSONObject, as_object
from jobs.nodes import CATALOG
from tests.unit.node_world import NodeWorld, node_world
from weir_kit import GivenConnections, MemoryFiles, connection

SCHEMA = """
CREATE TABLE expenses (id INTEGER PRIMARY KEY, what TEXT NOT NULL UNIQUE, amount REAL);
INSERT INTO expenses VALUES (1, 'paper', 2.5), (2, 'ink', NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A tenant's files, one of them the database `books.db`."""

    world: NodeWorld
    files: MemoryFiles
    stored: FileRef

    async def run(self, query: str | None = None, *, file: JSON = None, **config: JSON) -> Outcome:
        asked = {"file": file or self.stored.as_json(), **({"query": query} if query else {}), **config}
        return await self.world.run("database", asked)

    async def output(self, query: str | None = None, *, file: JSON = None, **config: JSON) -> JSON:
        outcome = await self.run(query, file=file, **config)
        assert isinstance(outcome, Completed), outcome
        return outcome.output

    async def failure(self, query: str | None = None, *, file: JSON = None, **config: JSON) -> Failed:
        outcome = await self.run(query, file=file, **config)
        assert isinstance(outcome, Failed), outcome
        return outcome

    async def add(self, content: bytes, name: str = "other.db") -> JSONObject:
        async def chunks() -> AsyncGenerator[bytes]:
            yield content

        return (await self.files.put(name, "application/vnd.sqlite3", chunks())).as_json()


def book(path: Path, script: str = SCHEMA) -> bytes:
    database = sqlite3.connect(path)
    database.executescript(script)
    database.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
async def bare() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


@pytest.fixture
async def shelf(bare: NodeWorld, tmp_path: Path) -> Shelf:
    files = MemoryFiles()

    def of(tenant: TenantId) -> Files:
        return files

    async def chunks() -> AsyncGenerator[bytes]:
        yield book(tmp_path / "books.db")

    stored = await files.put("books.db", "application/vnd.sqlite3", chunks())
    return Shelf(world=replace(bare, supplies=replace(bare.supplies, files=of)), files=files, stored=stored)


def with_connection(shelf: Shelf, **settings: JSON) -> NodeWorld:
    books = connection("books", type="sqlite", settings={"file": shelf.stored.as_json()["$file"], **settings})

    def connections(tenant: TenantId) -> Connections:
        return GivenConnections([books])

    return replace(shelf.world, supplies=replace(shelf.world.supplies, connections=connections))


async def test_a_file_is_asked(shelf: Shelf) -> None:
    rows = await shelf.output("SELECT * FROM expenses WHERE id < :most", action="select", parameters={"most": 9})

    assert rows == [{"id": 1, "what": "paper", "amount": 2.5}, {"id": 2, "what": "ink", "amount": None}]
    assert len(shelf.files.kept) == 1


async def test_a_change_makes_a_new_file_and_leaves_the_old_one(shelf: Shelf, tmp_path: Path) -> None:
    before = shelf.files.content("books.db")
    output = as_object(
        await shelf.output(
            action="insert", table="expenses", values=[{"what": "pen", "amount": 1}, {"what": "glue", "amount": 3}],
            outputFormat="count",
        )
    )  # fmt: skip
    amounts = await shelf.output(
        "SELECT sum(amount) FROM expenses", action="select", outputFormat="value", file=output["file"]
    )
    old = await shelf.output("SELECT count(*) FROM expenses", action="select", outputFormat="value")

    assert (output["result"], amounts, old) == (2, 6.5, 2)
    assert as_object(output["file"])["$file"] != shelf.stored.as_json()["$file"]
    assert shelf.files.kept[shelf.stored.id][1] == before
    (tmp_path / "new.db").write_bytes(list(shelf.files.kept.values())[-1][1])
    assert sqlite3.connect(tmp_path / "new.db").execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_statement_that_changes_nothing_gives_the_same_file(shelf: Shelf) -> None:
    output = as_object(await shelf.output("DELETE FROM expenses WHERE id = 99", outputFormat="count"))

    assert output == {"result": 0, "file": shelf.stored.as_json()}


async def test_an_empty_file_is_an_empty_database(shelf: Shelf) -> None:
    made = as_object(await shelf.output("CREATE TABLE a (b)", file=await shelf.add(b"")))

    assert await shelf.output("SELECT count(*) FROM a", action="select", outputFormat="value", file=made["file"]) == 0


async def test_a_database_in_wal_mode_is_read(shelf: Shelf, tmp_path: Path) -> None:
    content = book(tmp_path / "wal.db", f"PRAGMA journal_mode = WAL; {SCHEMA}")
    assert content[18:20] == b"\x02\x02"

    file = await shelf.add(content)

    assert await shelf.output("SELECT count(*) FROM expenses", action="select", outputFormat="value", file=file) == 2


async def test_a_connection_reads_unless_it_allows_more(shelf: Shelf) -> None:
    query: JSONObject = {"connection": "books", "query": "DELETE FROM expenses", "outputFormat": "count"}

    by_default = await with_connection(shelf).run("database", query)
    allowed = await with_connection(shelf, readOnly=False).run("database", query)

    assert isinstance(by_default, Failed)
    assert by_default.code == "READ_ONLY"
    assert isinstance(allowed, Completed)
    assert as_object(allowed.output)["result"] == 2


@pytest.mark.parametrize(
    "value", ["'; DROP TABLE expenses; --", "x", 7, 1.5, True, None, {"a": [1]}, "a\x00b", "😀"]
)  # fmt: skip
async def test_values_are_bound(shelf: Shelf, value: JSON) -> None:
    rows = await shelf.output("SELECT id FROM expenses WHERE what = ?", action="select", parameters=[value])

    assert rows == []


async def test_values_become_json(shelf: Shelf) -> None:
    row = await shelf.output(
        "SELECT 9223372036854775807 AS big, x'00ff' AS bytes, 1e999 AS infinite, CAST(x'ff41' AS text) AS broken, "
        "'a' || char(0) AS nul, NULL AS none",
        action="select", outputFormat="first",
    )  # fmt: skip

    assert row == {
        "big": 9223372036854775807,
        "bytes": "AP8=",
        "infinite": "inf",
        "broken": "\ufffdA",
        "nul": "a\ufffd",
        "none": None,
    }


async def test_random_numbers_differ_from_run_to_run(shelf: Shelf) -> None:
    query = "SELECT hex(randomblob(16)) || random()"

    drawn = [await shelf.output(query, action="select", outputFormat="value") for _ in range(3)]

    assert len(set(map(str, drawn))) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH '/etc/passwd' AS other",
        "ATTACH ':memory:' AS other",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/x', 'x')",
        "PRAGMA writable_schema = ON",
        "PRAGMA trusted_schema = ON",
        "PRAGMA temp_store_directory = '/tmp'",
        "VACUUM INTO '{stolen}'",
        "BEGIN",
        "SAVEPOINT a",
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
async def test_nothing_outside_the_file_is_reached(
    shelf: Shelf, tmp_path: Path, statement: str, read_only: bool
) -> None:
    stolen = tmp_path / "stolen.db"

    failure = await shelf.failure(statement.format(stolen=stolen), readOnly=read_only)

    assert failure.code in ("READ_ONLY", "STATEMENT_INVALID", "SQL_ERROR")
    assert failure.retryable is False
    assert os.listdir(tmp_path) == ["books.db"]
    assert len(shelf.files.kept) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM expenses",
        "WITH x AS (SELECT 1) DELETE FROM expenses",
        "CREATE TEMP TABLE a (b)",
        "PRAGMA user_version = 7",
        "EXPLAIN DELETE FROM expenses",
    ],
)
async def test_a_read_only_query_changes_nothing(shelf: Shelf, statement: str) -> None:
    failure = await shelf.failure(statement, readOnly=True)

    assert (failure.code, failure.retryable) == ("READ_ONLY", False)


async def test_what_a_table_looks_like_may_be_asked(shelf: Shelf) -> None:
    names = await shelf.output(
        "SELECT name FROM pragma_table_info('expenses')", action="select", outputFormat="columns"
    )

    elements = await shelf.output("SELECT value FROM json_each('[1, 2]')", action="select", outputFormat="columns")

    assert (names, elements) == ({"name": ["id", "what", "amount"]}, {"value": [1, 2]})


async def test_a_second_statement_is_refused(shelf: Shelf) -> None:
    assert (await shelf.failure("SELECT 1; DROP TABLE expenses")).code == "STATEMENT_INVALID"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("INSERT INTO expenses (what) VALUES ('ink')", "CONSTRAINT_VIOLATED"),
        ("INSERT INTO expenses (what) VALUES (NULL)", "CONSTRAINT_VIOLATED"),
        ("SELEKT 1", "SQL_ERROR"),
        ("SELECT * FROM nowhere", "SQL_ERROR"),
        ("SELECT @native", "SQL_ERROR"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", "TOO_MANY_ROWS"),
        ("SELECT zeroblob(20000000)", "SQL_ERROR"),
        ("SELECT hex(zeroblob(6000000)), hex(zeroblob(6000000))", "RESULT_TOO_LARGE"),
        ("INSERT INTO expenses (what) VALUES ('a'), ('b'), ('c') RETURNING zeroblob(6000000)", "RESULT_TOO_LARGE"),
    ],
)
async def test_what_fails_says_why_and_stores_nothing(shelf: Shelf, query: str, code: str) -> None:
    failure = await shelf.failure(query)

    assert (failure.code, failure.retryable) == (code, False)
    assert len(shelf.files.kept) == 1


async def test_a_slow_statement_is_stopped(shelf: Shelf) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    failure = await shelf.failure(endless, action="select", timeout=0.2)

    assert (failure.code, failure.remedy is not None) == ("TIMEOUT", True)


async def test_a_statement_that_eats_memory_ends_in_its_own_process(shelf: Shelf) -> None:
    hungry = (
        "WITH RECURSIVE n(i, b) AS (SELECT 1, zeroblob(8000000) UNION SELECT i + 1, zeroblob(8000000) || i FROM n) "
        "SELECT count(*) FROM n"
    )

    failure = await shelf.failure(hungry, action="select")
    after = await shelf.output("SELECT count(*) FROM expenses", action="select", outputFormat="value")

    assert (failure.code, failure.retryable) in [("SQLITE_STOPPED", False), ("SQL_ERROR", False)]
    assert after == 2


async def test_a_database_that_grows_too_large_is_not_stored(shelf: Shelf) -> None:
    failure = await shelf.failure(
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 60) "
        "INSERT INTO expenses SELECT i, 'x' || i, zeroblob(1000000) FROM n",
        action="query",
    )

    assert failure.code == "FILE_TOO_LARGE"
    assert len(shelf.files.kept) == 1


async def test_what_is_no_database_is_told(shelf: Shelf) -> None:
    text = await shelf.failure("SELECT 1", file=await shelf.add(b"just a text", "text.txt"))
    broken = await shelf.failure(
        "SELECT * FROM expenses", file=await shelf.add(shelf.files.content("books.db")[:3_000], "half.db")
    )
    garbled = await shelf.failure(
        "SELECT 1 FROM sqlite_master", file=await shelf.add(b"SQLite format 3\x00" + b"\xff" * 4_000, "garbled.db")
    )
    missing = await shelf.failure("SELECT 1", file={"$file": "file_00000000000000000000000099"})
    nothing = await shelf.failure("SELECT 1", file={"name": "a"})

    assert (text.code, broken.code, garbled.code) == ("FILE_INVALID", "FILE_INVALID", "FILE_INVALID")
    assert (missing.code, nothing.code) == ("FILE_MISSING", "FILE_INVALID")


async def test_a_file_that_is_too_large_is_not_read_on(shelf: Shelf) -> None:
    file = await shelf.add(b"SQLite format 3\x00" + bytes(33 * 1024 * 1024), "large.db")

    assert (await shelf.failure("SELECT 1", file=file)).code == "FILE_TOO_LARGE"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ["connection", "query"]),
        ({"connection": "a", "file": "{{ input }}", "query": "SELECT 1"}, ["connection"]),
        ({"connection": "a", "query": "SELECT 1; SELECT 2"}, ["query"]),
        ({"connection": "a", "query": "SELECT :b", "parameters": {"a": 1}}, ["parameters"]),
        ({"connection": "a", "query": "SELECT :b", "parameters": "{{ input }}"}, ["parameters"]),
        ({"connection": "a", "action": "update", "table": "t", "values": [{"a": 1}]}, ["where", "values"]),
        ({"connection": "a", "action": "delete", "table": "t"}, ["where"]),
        ({"connection": "a", "action": "insert", "table": "t"}, ["values"]),
        ({"connection": "a", "query": "SELECT {{ input.id }}"}, []),
        ({"connection": "a", "query": "SELECT `b`, [c], $$d$$"}, []),
        ({"connection": "a", "query": "SELECT 1", "maxRows": 0, "action": "drop"}, ["action", "maxRows"]),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_found_before_it_runs(config: JSONObject, expected: list[str]) -> None:
    findings = CATALOG.check(Node(id="a", kind="database", config=config))

    assert [".".join(finding.path[1:]) for finding in findings] == expected
