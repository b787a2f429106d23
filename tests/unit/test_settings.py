"""What the environment may say, and what is answered when it says something else."""

import base64
import os
from pathlib import Path

import pytest

from app.settings import PROJECT, Settings, WrongSetting, default_data_dir, page

KEY = bytes(range(32))


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_environment({}, data_dir=Path("/data"))

    assert settings == Settings(data_dir=Path("/data"))
    assert settings.url == "http://127.0.0.1:8000"
    assert settings.access_token_seconds == 900
    assert settings.http_block_private is True


def test_every_kind_of_value_is_read() -> None:
    settings = Settings.from_environment(
        {
            "WEIR_DATABASE_URL": "postgresql://u:p@host/db",
            "WEIR_MASTER_KEY": base64.b64encode(KEY).decode(),
            "WEIR_DATA_DIR": "/data",
            "WEIR_PUBLIC_URL": "https://weir.example/",
            "WEIR_PORT": " 0 ",
            "WEIR_LOG_LEVEL": "DEBUG",
            "WEIR_DRAIN_SECONDS": "2.5",
            "WEIR_HTTP_ALLOW": "127.0.0.1:9000, intranet,[::1]:80",
            "WEIR_HTTP_BLOCK_PRIVATE": "false",
            "WEIR_REDIS_URL": "",
            "HOME": "/nobody",
        }
    )

    assert settings == Settings(
        database_url="postgresql://u:p@host/db",
        master_key=KEY,
        data_dir=Path("/data"),
        public_url="https://weir.example/",
        port=0,
        log_level="DEBUG",
        drain_seconds=2.5,
        http_allow=("127.0.0.1:9000", "intranet", "[::1]:80"),
        http_block_private=False,
    )
    assert settings.url == "https://weir.example"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WEIR_PORT", "80000", "WEIR_PORT=80000: input should be less than or equal to 65535"),
        ("WEIR_LOG_LEVEL", "loud", "WEIR_LOG_LEVEL=loud: input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("WEIR_PUBLIC_URL", "weir.example", "WEIR_PUBLIC_URL=weir.example: it must begin with http:// or https://"),
        ("WEIR_HTTP_ALLOW", "http://a", "WEIR_HTTP_ALLOW=http://a: 'http://a' is neither HOST nor HOST:PORT"),
        ("WEIR_DATABSE_URL", "x", "WEIR_DATABSE_URL is no setting; did you mean WEIR_DATABASE_URL?"),
        ("WEIR_SOMETHING_ELSE_ENTIRELY", "x", "WEIR_SOMETHING_ELSE_ENTIRELY is no setting"),
        (
            "WEIR_DATABASE_URL",
            "mysql://u:hidden@h",
            "WEIR_DATABASE_URL: it must begin with postgresql:// or postgres://",
        ),
        ("WEIR_MASTER_KEY", "hidden", "WEIR_MASTER_KEY: it must be base64, as `openssl rand -base64 32` makes it"),
        ("WEIR_MASTER_KEY", "aGlkZGVu", "WEIR_MASTER_KEY: data should have at least 32 bytes"),
    ],
)
def test_a_wrong_setting_is_named_and_a_secret_is_not_shown(name: str, value: str, message: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        Settings.from_environment({name: value}, data_dir=Path("/data"))

    assert caught.value.message == message


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(WrongSetting) as caught:
        Settings.from_environment({"WEIR_PORT": "x", "WEIR_PROT": "1"}, data_dir=Path("/data"))

    assert caught.value.message == (
        "WEIR_PROT is no setting; did you mean WEIR_PORT?; "
        "WEIR_PORT=x: input should be a valid integer, unable to parse string as an integer"
    )


def test_the_representation_shows_no_secret() -> None:
    settings = Settings(
        data_dir=Path("/data"), master_key=KEY, database_url="postgresql://u:hidden@h/d", redis_url="redis://:hidden@h"
    )

    assert "hidden" not in repr(settings)
    assert "master_key=" not in repr(settings)


def test_the_data_directory_given_to_a_command_wins(tmp_path: Path) -> None:
    settings = Settings.from_environment({"WEIR_DATA_DIR": "/elsewhere"}, data_dir=tmp_path / "given")

    assert settings.data_dir == tmp_path / "given"


def test_data_lies_in_a_project_of_ones_own(tmp_path: Path) -> None:
    assert default_data_dir({}, tmp_path) == tmp_path / ".weir"


def test_data_of_somebody_elses_project_lies_in_ones_own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)

    first = default_data_dir({"HOME": "/home/me"}, tmp_path)
    second = default_data_dir({"HOME": "/home/me", "XDG_DATA_HOME": "/data"}, tmp_path)

    assert first.parent == Path("/home/me/.local/share/weir")
    assert second == Path("/data/weir") / first.name


def test_the_documentation_lists_the_settings_as_they_are() -> None:
    written = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")

    assert written == page(), "./weir doctor --settings > docs/settings.md"
