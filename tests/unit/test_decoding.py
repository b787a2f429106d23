"""Encoded bodies: what comes out, and that a few bytes never become many at once."""

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from jobs.decoding import PIECE, NotDecodable, decoded

TEXT = b"Gr\xc3\xbc\xc3\x9fe " * 20_000
RAW = zlib.compressobj(wbits=-15)
DEFLATED_RAW = RAW.compress(TEXT) + RAW.flush()


async def cut(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("size", [1, 1_000, 1_000_000])
@pytest.mark.parametrize(
    ("encodings", "body", "text"),
    [
        ("", TEXT, TEXT),
        ("identity", TEXT, TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0), TEXT),
        ("X-Gzip", gzip.compress(b"", mtime=0), b""),
        ("gzip", gzip.compress(TEXT, mtime=0) + gzip.compress(b"more", mtime=0), TEXT + b"more"),
        ("gzip", b"", b""),
        ("deflate", zlib.compress(TEXT), TEXT),
        ("deflate", DEFLATED_RAW, TEXT),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0), TEXT),
        ("br", b"not ours", b"not ours"),
    ],
)
async def test_a_body_is_decoded_however_it_is_cut(encodings: str, body: bytes, text: bytes, size: int) -> None:
    assert b"".join([piece async for piece in decoded(cut(body, size), encodings)]) == text


async def test_a_bomb_comes_in_pieces_and_is_left_as_soon_as_nobody_wants_more() -> None:
    bomb = gzip.compress(gzip.compress(bytes(100_000_000)))
    taken = 0

    async for piece in decoded(cut(bomb, 65_536), "gzip, gzip"):
        assert len(piece) <= PIECE
        taken += len(piece)
        if taken > 1_000_000:
            break

    assert len(bomb) < 1_000
    assert 1_000_000 < taken <= 1_000_000 + PIECE


@pytest.mark.parametrize("encodings", ["gzip", "deflate", "gzip, gzip, gzip, gzip"])
async def test_a_body_that_is_not_what_it_says_is_refused(encodings: str) -> None:
    with pytest.raises(NotDecodable):
        assert [piece async for piece in decoded(cut(b"plain text", 4), encodings)] == []
