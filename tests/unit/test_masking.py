"""A secret that comes back from a step is masked, however it is spelled, wherever it stands."""

import base64
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from urllib.parse import quote, quote_plus, urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.connections import Connection
from domain.engine.outcomes import Completed, Ended, Failed, Iterating, LogLevel, LogLine, Waiting
from domain.ids import ConnectionId
from domain.json import JSON
from jobs.masking import MASK, RememberingConnections, Secrets

SECRET = 'hunter2/+& "ä€'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET),
        quote(SECRET, safe="").lower().replace("hunter2", "hunter2"),
        quote_plus(SECRET),
        urlencode({"key": SECRET}),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_every_spelling_is_masked(spelling: str) -> None:
    text = Secrets([SECRET]).masked(f"<{spelling}>")

    assert MASK in text
    assert "unter2" not in text
    assert spelling not in text


@given(before=st.binary(max_size=8), after=st.binary(max_size=8), secret=st.text(min_size=8, max_size=40))
def test_in_base64_nothing_of_it_can_be_read_wherever_it_stands(before: bytes, after: bytes, secret: str) -> None:
    content = secret.encode("utf-8", "surrogatepass")
    if content.decode("utf-8", "ignore") != secret:
        return
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + content + after).decode()

        masked = Secrets([secret]).masked(text)

        left = len(masked.replace(MASK, ""))
        assert MASK in masked
        assert left <= len(text) - (8 * len(content)) // 6 + 2


def test_a_longer_secret_is_masked_before_one_that_is_a_part_of_it() -> None:
    assert Secrets(["hunter", "hunter2-long"]).masked("hunter2-long, hunter") == f"{MASK}, {MASK}"


def test_what_is_too_short_to_be_told_from_other_text_is_left() -> None:
    secrets = Secrets(["abc", ""])

    assert secrets.masked("abc") == "abc"
    assert not secrets


def test_all_that_is_written_of_an_outcome_is_masked() -> None:
    secrets = Secrets(["hunter2"])
    line = LogLine(level=LogLevel.INFO, message="sent hunter2", data={"a": ["hunter2", 1, None]})
    masked_line = LogLine(level=LogLevel.INFO, message=f"sent {MASK}", data={"a": [MASK, 1, None]})
    value: JSON = {"hunter2": ["x hunter2", {"deep": "hunter2"}, 7, True]}
    masked: JSON = {MASK: [f"x {MASK}", {"deep": MASK}, 7, True]}

    assert secrets.masked_outcome(
        Completed(output=value, outputs={"b": value}, variables={"v": value}, decision=value, logs=(line,))
    ) == Completed(output=masked, outputs={"b": masked}, variables={"v": masked}, decision=masked, logs=(masked_line,))
    assert secrets.masked_outcome(
        Failed(code="X", message="no hunter2", remedy="not hunter2", details={"d": value}, logs=(line,))
    ) == Failed(code="X", message=f"no {MASK}", remedy=f"not {MASK}", details={"d": masked}, logs=(masked_line,))
    assert secrets.masked_outcome(Ended(message="hunter2", details={"d": value})) == Ended(
        message=MASK, details={"d": masked}
    )
    assert secrets.masked_outcome(Iterating(items=[value, "hunter2"])) == Iterating(items=[masked, MASK])
    assert secrets.masked_outcome(Waiting(signal="go")) == Waiting(signal="go")


@given(cuts=st.lists(st.integers(min_value=0, max_value=60), max_size=8))
async def test_a_secret_that_comes_in_pieces_is_masked_and_all_else_stays(cuts: list[int]) -> None:
    content = b"a" * 20 + b"hunter2-long" + b"b" * 20 + b"hunter2-long"
    edges = sorted({0, *cuts, len(content)} & set(range(len(content) + 1)))

    async def pieces() -> AsyncIterator[bytes]:
        for begin, end in pairwise(edges):
            yield content[begin:end]

    masked = b"".join([chunk async for chunk in Secrets(["hunter2-long"]).masked_chunks(pieces())])

    assert masked == content.replace(b"hunter2-long", MASK.encode())
    assert b"".join([chunk async for chunk in Secrets().masked_chunks(pieces())]) == content


async def test_the_secrets_of_every_connection_that_was_asked_for_are_known() -> None:
    class Given:
        async def get(self, name: str) -> Connection:
            return Connection(id=ConnectionId(UUID(int=1)), name=name, type="custom", secrets={"key": f"{name}-secret"})

    secrets = Secrets()
    connections = RememberingConnections(Given(), secrets)
    assert not secrets

    for name in ("first", "second"):
        assert (await connections.get(name)).secrets == {"key": f"{name}-secret"}

    assert secrets.masked("first-secret, second-secret, third-secret") == f"{MASK}, {MASK}, third-secret"
