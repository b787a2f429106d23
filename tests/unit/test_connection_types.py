"""Connections before they are saved: defaults, and findings that name the field and never a secret."""

from collections.abc import Mapping

import pytest

from domain.connection_types import TYPES
from domain.connections_check import (
    InvalidConnection,
    checked_name,
    checked_secrets,
    checked_settings,
    refuse_stray_characters,
    type_of,
)
from domain.errors import Invalid, TooLarge
from domain.json import JSON, JSONObject
from domain.validation.json_schemas import schema_findings

FILE = "file_01h455vb4pex5vsknk084sn02q"


def check(type: str, settings: JSONObject, *secrets: str) -> JSONObject:
    return checked_settings(type_of(type), settings, frozenset(secrets))


def found(type: str, settings: JSONObject, *secrets: str) -> list[str]:
    """Code and path of each finding."""
    with pytest.raises(InvalidConnection) as refused:
        check(type, settings, *secrets)
    assert refused.value.path == refused.value.findings[0].path
    return [f"{finding.code} {'.'.join(finding.path)}" for finding in refused.value.findings]


def test_these_are_the_types() -> None:
    assert {name: sorted(type.secrets) for name, type in TYPES.items()} == {
        "smtp": ["password"],
        "postgresql": ["password"],
        "mysql": ["password"],
        "sqlite": [],
        "http": ["password", "signingSecret", "token", "value"],
        "openai": ["apiKey"],
        "custom": [],
    }


@pytest.mark.parametrize("name", TYPES)
def test_the_settings_of_a_type_are_described_by_a_json_schema(name: str) -> None:
    type = TYPES[name]

    assert list(schema_findings(type.settings_schema)) == []
    assert all((type.title, type.description, type.documentation))


@pytest.mark.parametrize(
    ("type", "given", "complete"),
    [
        ("smtp", {"host": "mail.example.com"}, {"host": "mail.example.com", "port": 587, "tls": "starttls"}),
        (
            "smtp",
            {"host": "::1", "port": 465, "tls": "implicit", "username": "u", "from": "Shop <shop@example.com>"},
            {"host": "::1", "port": 465, "tls": "implicit", "username": "u", "from": "Shop <shop@example.com>"},
        ),
        (
            "postgresql",
            {"host": "db", "database": "d", "user": "u"},
            {"host": "db", "database": "d", "user": "u", "tls": "verify", "readOnly": False, "port": 5432},
        ),
        (
            "mysql",
            {"host": "db", "database": "d", "user": "u", "tls": "none", "readOnly": True},
            {"host": "db", "database": "d", "user": "u", "tls": "none", "readOnly": True, "port": 3306},
        ),
        ("sqlite", {"file": FILE}, {"file": {"$file": FILE}, "readOnly": True}),
        ("sqlite", {"file": {"$file": FILE, "size": 4}}, {"file": {"$file": FILE}, "readOnly": True}),
        ("http", {"baseUrl": "https://api.example.com/v1"}, {"baseUrl": "https://api.example.com/v1", "auth": "none"}),
        ("openai", {"model": "m"}, {"baseUrl": "https://api.openai.com/v1", "model": "m"}),
        ("custom", {"any": [1, {"thing": None}]}, {"any": [1, {"thing": None}]}),
    ],
)
def test_what_is_left_out_gets_its_default(type: str, given: JSONObject, complete: JSONObject) -> None:
    assert check(type, given) == complete


@pytest.mark.parametrize(
    ("type", "settings", "secrets", "findings"),
    [
        ("smtp", {}, (), ["MISSING settings.host"]),
        ("smtp", {"host": "http://mail"}, (), ["WRONG_SHAPE settings.host"]),
        ("smtp", {"host": "mail", "port": "25"}, (), ["WRONG_SHAPE settings.port"]),
        ("smtp", {"host": "mail", "port": 0}, (), ["WRONG_SHAPE settings.port"]),
        ("smtp", {"host": "mail", "tls": "ssl"}, (), ["WRONG_SHAPE settings.tls"]),
        ("smtp", {"hots": "m", "host": "m"}, (), ["UNKNOWN_KEY settings.hots"]),
        ("smtp", {"host": "m"}, ("pasword",), ["UNKNOWN_KEY secrets.pasword"]),
        ("postgresql", {"host": "db", "user": "u"}, (), ["MISSING settings.database"]),
        ("sqlite", {"file": "orders.db"}, (), ["WRONG_SHAPE settings.file"]),
        ("sqlite", {"file": 3}, (), ["WRONG_SHAPE settings.file"]),
        ("http", {"baseUrl": "/v1"}, (), ["WRONG_SHAPE settings.baseUrl"]),
        ("http", {"baseUrl": "ftp://x"}, (), ["WRONG_SHAPE settings.baseUrl"]),
        ("http", {"baseUrl": "https://x", "auth": "basic"}, (), ["MISSING settings.username"]),
        ("http", {"baseUrl": "https://x", "auth": "bearer"}, ("value",), ["MISSING secrets.token"]),
        ("http", {"baseUrl": "https://x", "auth": "header"}, (), ["MISSING settings.name", "MISSING secrets.value"]),
        ("http", {"baseUrl": "https://x", "auth": "header", "name": "Host"}, ("value",), ["BAD_HEADER settings.name"]),
        ("http", {"baseUrl": "https://x", "auth": "header", "name": "a b"}, ("value",), ["BAD_HEADER settings.name"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_at_its_field(
    type: str, settings: JSONObject, secrets: tuple[str, ...], findings: list[str]
) -> None:
    assert found(type, settings, *secrets) == findings


def test_a_password_in_a_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidConnection) as refused:
        check("http", {"baseUrl": "https://user:hunter2@example.com"})

    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(refused.value.findings)


def test_an_unknown_type_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(Invalid, match="There is no type of connection 'postgres'") as refused:
        type_of("postgres")

    assert (refused.value.path, refused.value.remedy) == (("type",), "Did you mean 'postgresql'?")


def test_settings_have_a_size() -> None:
    with pytest.raises(TooLarge):
        check("custom", {"a": "x" * 70_000})


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "connection_abc", "a\x00"])
def test_a_name_is_a_text_of_some_length_that_is_not_taken_for_an_id(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_name(name)

    assert refused.value.path == ("name",)


def test_a_name_loses_the_spaces_at_its_ends() -> None:
    assert checked_name("  Mail server ") == "Mail server"


@pytest.mark.parametrize(
    ("secrets", "path"),
    [
        ({"password": 7}, ("secrets", "password")),
        ({"password": ["hunter2"]}, ("secrets", "password")),
        ({"password": ""}, ("secrets", "password")),
        ({"password": "hunter2" * 10_000}, ("secrets", "password")),
        ({"password": "hunter2\x00"}, ("secrets", "password")),
        ({"pass word": "hunter2"}, ("secrets",)),
        ({f"name{number}": "hunter2" for number in range(51)}, ("secrets",)),
    ],
)
def test_secrets_are_texts_and_a_refusal_tells_nothing_of_them(
    secrets: Mapping[str, JSON], path: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid) as refused:
        checked_secrets(secrets)

    assert refused.value.path == path
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["token\n", " token", "to\rken", "to\x7fken"])
def test_a_secret_that_came_with_stray_characters_is_refused_where_the_type_is_known(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_stray_characters(TYPES["http"], {"token": text})

    assert refused.value.path == ("secrets", "token")
    assert "token\n" not in str(refused.value)
    refuse_stray_characters(TYPES["custom"], {"key": "-----BEGIN PRIVATE KEY-----\n…\n"})
