"""Response bodies without their content encoding, a bounded piece at a time: a few bytes may stand for gigabytes."""

import zlib
from collections.abc import AsyncIterator, Iterator

PIECE = 64 * 1024
_GZIP, _ZLIB, _RAW = 31, 15, -15
_FRAME = 2
"""Bytes that tell whether there is a frame (RFC 1950)."""
_MOST_LAYERS = 3


class NotDecodable(Exception):
    """The body is not what its content encoding says."""


def decoded(chunks: AsyncIterator[bytes], encodings: str) -> AsyncIterator[bytes]:
    """The body behind a Content-Encoding of gzip and deflate (RFC 9110, section 8.4), in pieces of at most 64 KiB.

    Other encodings, which we never ask for, stay. Raises NotDecodable, here or while reading.
    """
    layers = [each.strip().lower() for each in encodings.split(",") if each.strip()]
    if len(layers) > _MOST_LAYERS:
        raise NotDecodable(f"the body is encoded {len(layers)} times over")
    for layer in reversed(layers):
        match layer:
            case "gzip" | "x-gzip":
                chunks = _inflated(chunks, _Inflation(_GZIP))
            case "deflate":
                chunks = _inflated(chunks, _Inflation(_ZLIB, otherwise=_RAW))
            case "identity":
                pass
            case _:
                break
    return chunks


async def _inflated(chunks: AsyncIterator[bytes], inflation: "_Inflation") -> AsyncIterator[bytes]:
    async for chunk in chunks:
        for piece in inflation.pieces(chunk):
            yield piece


class _Inflation:
    """`otherwise`: tried when the first bytes do not fit, for servers that say deflate and mean it without a frame."""

    def __init__(self, bits: int, otherwise: int | None = None) -> None:
        self._bits = bits
        self._otherwise = otherwise
        self._stream = zlib.decompressobj(bits)
        self._begun = b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What comes of the next bytes."""
        while True:
            piece = self._next(data)
            if piece:
                yield piece
            data = self._stream.unconsumed_tail
            if self._stream.eof:
                data = self._stream.unused_data
                if not data or self._bits != _GZIP:
                    return
                self._stream = zlib.decompressobj(_GZIP)  # the next member of the same body
            elif not data and len(piece) < PIECE:
                return

    def _next(self, data: bytes) -> bytes:
        try:
            piece = self._stream.decompress(data, PIECE)
        except zlib.error as error:
            if self._otherwise is None:
                raise NotDecodable(f"the body cannot be decompressed: {error}") from None
            self._bits, self._otherwise = self._otherwise, None
            self._stream = zlib.decompressobj(self._bits)
            return self._next(self._begun + data)
        if self._otherwise is not None:
            self._begun += data
            if len(self._begun) >= _FRAME:
                self._otherwise = None
        return piece
