"""One statement on an SQLite database held in memory: the work of a hardened process without files or network.

A request and an answer are the length of a head in four bytes, the head as JSON, and the database file.
"""

import os
import sqlite3
import struct
import time
from typing import Any, Final, cast

import orjson

from jobs.databases.failures import CONSTRAINT_REMEDY, READ_ONLY_REMEDY, TIMEOUT_REMEDY, DatabaseFailed
from jobs.databases.results import Rows
from jobs.rendering.forking import Refused

HEAD: Final = struct.Struct(">I")
MAX_FILE: Final = 32 * 1024 * 1024
_PROGRESS: Final = 10_000
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: 16 * 1024 * 1024,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 20,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_READING: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_NEVER: Final = frozenset(
    {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT}
)
_PRAGMAS: Final = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
)
_FUNCTIONS_REFUSED: Final = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})


def prepare() -> None:
    sqlite3.connect(":memory:").close()


def pack(head: dict[str, Any], content: bytes = b"") -> bytes:
    """A request or an answer."""
    written = orjson.dumps(head)
    return b"".join((HEAD.pack(len(written)), written, content))


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    (size,) = HEAD.unpack_from(message)
    at = HEAD.size
    return cast("dict[str, Any]", orjson.loads(message[at : at + size])), message[at + size :]


def work(request: bytes) -> bytes:
    """Runs `{sql, values, readOnly, maxRows, enough, exact, seconds}` and answers `{columns, rows, affected}`.

    The database follows when it has changed. Raises Refused with `{code, message, …}`, and MemoryError.
    """
    head, content = unpack(request)
    read_only = bool(head["readOnly"])
    try:
        connection = _opened(content, read_only=read_only, seconds=float(head["seconds"]))
        answer = _executed(connection, head)
        connection.set_authorizer(None)  # it would hear of pragmas that writing the file out uses itself
        changed = b"" if read_only else connection.serialize()
    except sqlite3.Error as error:
        raise _refused(_failure(error, read_only=read_only)) from None
    except DatabaseFailed as error:
        raise _refused(error) from None
    return pack(answer, b"" if changed == content else changed)


def _opened(content: bytes, *, read_only: bool, seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    if content:
        connection.deserialize(_without_log(content))
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA max_page_count = {MAX_FILE // page}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    # SQLite takes its random numbers from a file, which this process cannot open.
    connection.create_function("random", 0, _random)
    connection.create_function("randomblob", 1, _random_bytes)
    connection.text_factory = _text
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _PROGRESS)
    connection.set_authorizer(_reading if read_only else _writing)
    return connection


def _random() -> int:
    return int.from_bytes(os.urandom(8), "big", signed=True)


def _random_bytes(size: int) -> bytes:
    return os.urandom(max(1, min(int(size), 1_000_000)))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _without_log(content: bytes) -> bytes:
    """A database in WAL mode opens in memory when its header says that it is none (sqlite.org/c3ref/deserialize)."""
    return content[:18] + b"\x01\x01" + content[20:] if content[18:20] == b"\x02\x02" else content


def _reading(action: int, first: str | None, second: str | None, *_: object) -> int:
    declaring = action == sqlite3.SQLITE_UPDATE and first == "sqlite_master"  # what json_each and its like look like
    allowed = action in _READING or action == sqlite3.SQLITE_PRAGMA or declaring
    return _writing(action, first, second) if allowed else sqlite3.SQLITE_DENY


def _writing(action: int, first: str | None, second: str | None, *_: object) -> int:
    refused = (
        action in _NEVER
        or (action == sqlite3.SQLITE_PRAGMA and (first or "").lower() not in _PRAGMAS)
        or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS_REFUSED)
    )
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


def _executed(connection: sqlite3.Connection, head: dict[str, Any]) -> dict[str, Any]:
    cursor = connection.execute(head["sql"], head["values"])
    columns = [str(column[0]) for column in cursor.description or ()]
    rows = Rows(columns, most=head["maxRows"], enough=head["enough"], exact=head["exact"])
    for row in cursor:
        if not rows.full:
            rows.add(row)
    affected = len(rows.rows) if columns else max(0, cursor.rowcount)
    return {"columns": rows.columns, "rows": rows.rows, "affected": affected}


def _refused(error: DatabaseFailed) -> Refused:
    told = {"code": error.code, "message": error.message, "retryable": error.retryable, "remedy": error.remedy}
    return Refused(orjson.dumps({**told, "details": error.details}).decode())


def _failure(error: sqlite3.Error, *, read_only: bool) -> DatabaseFailed:
    name = str(getattr(error, "sqlite_errorname", "SQLITE_ERROR"))
    message = str(error)
    details = {"sqlite": name}
    if name == "SQLITE_INTERRUPT":
        return DatabaseFailed("TIMEOUT", "The statement took too long", remedy=TIMEOUT_REMEDY, details=details)
    denied = name == "SQLITE_AUTH" or "not authorized" in message
    if name == "SQLITE_READONLY" or (denied and read_only and "function" not in message):
        return DatabaseFailed("READ_ONLY", message, remedy=READ_ONLY_REMEDY, details=details)
    if denied:
        remedy = "Other files, extensions, transactions and most pragmas are out of reach."
        return DatabaseFailed("STATEMENT_INVALID", message, remedy=remedy, details=details)
    if name.startswith("SQLITE_CONSTRAINT"):
        return DatabaseFailed("CONSTRAINT_VIOLATED", message, remedy=CONSTRAINT_REMEDY, details=details)
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return DatabaseFailed("FILE_INVALID", f"The file is no SQLite database: {message}", details=details)
    if name == "SQLITE_FULL":
        message = f"The database would have more than {MAX_FILE >> 20} MiB"
        return DatabaseFailed("FILE_TOO_LARGE", message, remedy="Keep this much in a server.", details=details)
    return DatabaseFailed("SQL_ERROR", message, details=details)
