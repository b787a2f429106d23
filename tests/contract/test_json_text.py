"""JSON on its way into jsonb: whatever a node returned, the database takes it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import orjson
import pytest

from db.connections import EnginePool
from db.json_text import dump, dump_or_null
from domain.json import JSON


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"a": [1, 2.5, True, None, "é😀"]}, {"a": [1, 2.5, True, None, "é😀"]}),
        ("a\0b\0\0", "a\ufffdb\ufffd\ufffd"),
        ("\\u0000", "\\u0000"),
        ("\\\0\\\\\0", "\\\ufffd\\\\\ufffd"),
        ({"key\0": "\\\\u0000"}, {"key\ufffd": "\\\\u0000"}),
        ("half \ud83d pair \ude00", "half \ufffd pair \ufffd"),
        ({"\ud83d": {"\0": "\0"}}, {"\ufffd": {"\ufffd": "\ufffd"}}),
        (float("nan"), None),
        ([2**64, float("inf"), "\0"], [float(2**64), None, "\ufffd"]),
        (-(2**63), -(2**63)),
        (MappingProxyType({"a": (1, 2)}), {"a": [1, 2]}),
        ([[2**70, MappingProxyType({"a": True})]], [[float(2**70), {"a": True}]]),
        ("", ""),
        (1e308, 1e308),
    ],
)
async def test_every_json_value_is_stored_and_read_back(value: JSON, stored: JSON, engine_pool: EnginePool) -> None:
    assert orjson.loads(await engine_pool.fetchval("SELECT $1::text::jsonb", dump(value))) == stored


async def test_a_large_integer_keeps_every_digit_in_the_database(engine_pool: EnginePool) -> None:
    assert await engine_pool.fetchval("SELECT $1::text::jsonb #>> '{}'", dump(10**400 + 1)) == str(10**400 + 1)


async def test_a_deep_value_is_stored(engine_pool: EnginePool) -> None:
    value: JSON = 0
    for _ in range(400):
        value = [value]
    assert await engine_pool.fetchval("SELECT $1::text::jsonb", dump(value)) == "[" * 400 + "0" + "]" * 400


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        dump(cast("JSON", object()))
    with pytest.raises(TypeError):
        dump(cast("Mapping[str, JSON]", {1: 2}))
    with pytest.raises(ValueError, match="4300"):
        dump(10**5000)


def test_none_may_stay_sqls_null() -> None:
    assert dump(None) == "null"
    assert dump_or_null(None) is None
    assert dump_or_null([]) == "[]"
