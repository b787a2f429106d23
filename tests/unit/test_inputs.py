"""User data against user schemas: everything that does not fit is told, whatever the schema tries."""

import time

import pytest

from domain.json import JSON
from domain.validation.inputs import InvalidInput, check_input, checked_input
from domain.validation.json_schemas import schema_findings

SCHEMA: JSON = {
    "type": "object",
    "required": ["id", "email"],
    "properties": {
        "id": {"type": "integer", "description": "The order's number"},
        "email": {"type": "string", "format": "email"},
        "sku": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "tags": {"type": "array", "uniqueItems": True},
        "due": {"type": "string", "format": "date-time"},
        "to": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["city"]}]},
    },
    "patternProperties": {"^x-": {"type": "boolean"}},
    "additionalProperties": False,
}


def test_an_input_that_fits_is_given_back() -> None:
    value: JSON = {
        "id": 1,
        "email": "ada@example.com",
        "sku": "ABC",
        "tags": [1, True, "1", [1], {"a": 1}],
        "due": "2026-11-21T09:00:00Z",
        "to": {"city": "Ulm"},
        "x-a": True,
    }

    assert checked_input(SCHEMA, value) is value
    assert checked_input(None, value) is value


def test_everything_that_does_not_fit_is_told_with_its_path() -> None:
    value: JSON = {
        "id": "1",
        "sku": "abc",
        "tags": [{"a": 1}, {"a": 1.0}],
        "due": "tomorrow",
        "to": {},
        "x-a": 1,
        "more": 1,
    }

    with pytest.raises(InvalidInput) as caught:
        checked_input(SCHEMA, value)

    findings = {".".join(finding.path): finding.message for finding in caught.value.findings}
    assert findings == {
        "email": "email is missing",
        "id": "id should be integer, not '1'",
        "sku": "sku should match ^[A-Z]{3}$, not be 'abc'",
        "tags": 'tags holds {"a": 1} twice',
        "due": "due: 'tomorrow' is not a 'date-time'",
        "to.city": "to.city is missing",
        "x-a": "x-a should be boolean, not 1",
        "more": "more is no key of the schema",
    }
    assert caught.value.path[0] == "input"


def test_a_hostile_schema_takes_no_more_than_its_steps() -> None:
    doubling: dict[str, JSON] = {
        f"s{at}": {"allOf": [{"$ref": f"#/$defs/s{at + 1}"}, {"$ref": f"#/$defs/s{at + 1}"}]} for at in range(40)
    }
    schema: JSON = {"$ref": "#/$defs/s0", "$defs": {**doubling, "s40": {}}}

    assert [finding.message for finding in check_input(schema, 1)] == [
        "Checking a value by this schema takes too many steps"
    ]
    assert [finding.message for finding in schema_findings(schema)] == [
        "Checking a value by this schema takes too many steps"
    ]


def test_hostile_patterns_and_lists_take_linear_time() -> None:
    started = time.perf_counter()

    pattern = check_input({"pattern": "^(a+)+$"}, "a" * 100_000 + "!")
    unique = check_input({"uniqueItems": True}, [{"a": at} for at in range(20_000)])

    assert (len(pattern), len(unique)) == (1, 0)
    assert time.perf_counter() - started < 2


def test_a_reference_out_of_a_schema_is_never_fetched() -> None:
    assert [f.message for f in check_input({"$ref": "http://127.0.0.1:1/schema"}, 1)] == [
        "The schema refers to 'http://127.0.0.1:1/schema', which is not in it"
    ]
