"""Which passwords may be chosen, and how often one may guess."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.password_rules import BreachedFile, password_rules
from app.settings import WrongSetting
from domain import throttling
from domain.errors import Invalid
from domain.passwords import check
from domain.throttling import Failures, Guessed, failed, wait_after

EMAIL = "ada.lovelace@example.com"
AT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize("password", ["a" * 12, "kX9#vQ2!r", "correct horse battery staple", "é" * 256])
async def test_a_long_or_a_strong_password_is_taken(password: str) -> None:
    assert await check(password, EMAIL, password_rules(None)) == password


@pytest.mark.parametrize(
    ("password", "message", "remedy"),
    [
        ("", "is short and easy to guess", "Choose one of 12 characters or more, or one that is harder to guess."),
        (
            "p@ssw0rd1",
            "is short and easy to guess",
            "Choose one of 12 characters or more, or one that is harder to guess.",
        ),
        ("x" * 257, "has more than 256 characters", "Choose one of at most 256 characters."),
        ("my ADA.Lovelace 1815", "contains the name of the email address", "Choose one without it."),
        ("a password\0 with NUL", "has a NUL character in it", "Leave it out."),
    ],
)
async def test_a_refusal_names_the_field_the_reason_and_the_remedy(password: str, message: str, remedy: str) -> None:
    with pytest.raises(Invalid) as refused:
        await check(password, EMAIL, password_rules(None), "new")

    told = refused.value
    assert (told.message, told.path, told.remedy) == (f"The password {message}", ("new",), remedy)


async def test_an_email_name_of_two_letters_forbids_nothing() -> None:
    assert await check("a long enough abacus", "ab@example.com", password_rules(None)) == "a long enough abacus"


def leaked(file: Path, *passwords: str, digits: int = 40, count: str = "") -> Path:
    hashes = sorted(hashlib.sha1(each.encode(), usedforsecurity=False).hexdigest().upper() for each in passwords)
    file.write_text("".join(f"{each[:digits]}{count}\n" for each in hashes))
    return file


@pytest.mark.parametrize(("digits", "count"), [(40, ""), (40, ":37"), (16, "")])
async def test_leaked_passwords_are_found_in_a_sorted_file_and_no_others(
    tmp_path: Path, digits: int, count: str
) -> None:
    words = [f"leaked password {number}" for number in range(100)]
    breached = BreachedFile(leaked(tmp_path / "leaked.txt", *words, digits=digits, count=count))

    assert [each for each in words if not await breached.contains(each)] == []
    assert [
        each for each in (f"other password {number}" for number in range(100)) if await breached.contains(each)
    ] == []


async def test_a_leaked_password_is_refused(tmp_path: Path) -> None:
    rules = password_rules(leaked(tmp_path / "leaked.txt", "correct horse battery staple"))

    with pytest.raises(Invalid, match="is on a list of leaked passwords"):
        await check("correct horse battery staple", EMAIL, rules)
    assert await check("correct horse battery stable", EMAIL, rules)


def test_a_file_that_is_no_list_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("password\n")

    with pytest.raises(WrongSetting, match="its first line is no SHA-1"):
        password_rules(tmp_path / "words.txt")
    with pytest.raises(WrongSetting, match="No such file"):
        password_rules(tmp_path / "missing.txt")


def test_a_wait_doubles_from_a_second_to_a_quarter_of_an_hour() -> None:
    seconds = [wait_after(Guessed.EMAIL, failures).total_seconds() for failures in (1, 4, 5, 6, 7, 14, 15, 1000)]

    assert seconds == [0, 0, 1, 2, 4, 512, 900, 900]
    assert wait_after(Guessed.ADDRESS, 19) == timedelta()
    assert wait_after(Guessed.ADDRESS, 20) == timedelta(seconds=1)


def test_a_day_without_failures_clears_the_count() -> None:
    before = Failures(count=7, failed_at=AT, free_at=AT)
    theirs = throttling.email(EMAIL)

    soon, later = AT + timedelta(hours=23), AT + timedelta(hours=24)

    assert failed(theirs, before, soon) == Failures(count=8, failed_at=soon, free_at=soon + timedelta(seconds=8))
    assert failed(theirs, before, later) == Failures(count=1, failed_at=later, free_at=later)


def test_one_is_counted_with_all_who_share_the_address() -> None:
    assert throttling.email(" Ada@Example.com ") == throttling.email("ada@example.com")
    assert throttling.address("2001:db8:1:2::3") == throttling.address("2001:db8:1:2:ffff::4")
    assert throttling.address("2001:db8:1:2::3") != throttling.address("2001:db8:1:3::3")
    assert throttling.address("::ffff:192.0.2.1") == throttling.address("192.0.2.1")
    assert throttling.address("192.0.2.1") != throttling.address("192.0.2.2")
    assert throttling.address("testclient").digest != throttling.email("testclient").digest
