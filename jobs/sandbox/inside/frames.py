"""How a sandbox process speaks with its parent: frames of JSON, each behind its length in four bytes, big-endian."""

import json
import os
import struct
from collections.abc import Sequence
from typing import Any, cast

_CHUNK = 1_048_576


def receive() -> dict[str, Any] | None:
    """The next frame from standard input; None at its end."""
    head = _read(4)
    body = head and _read(struct.unpack(">I", head)[0])
    return json.loads(body) if body else None


def send(message: object) -> None:
    """Writes a frame to standard output."""
    body = json.dumps(message, ensure_ascii=False).encode()
    data = memoryview(struct.pack(">I", len(body)) + body)
    while data:
        data = data[os.write(1, data) :]


def fetched(requests: Sequence[object]) -> list[Any] | None:
    """Asks the parent to carry out requests and gives what has been answered, of these or of earlier ones.

    At least one answer; None when the time is over.
    """
    send({"fetch": requests})
    reply = receive()
    if reply is None:
        raise SystemExit(0)
    return cast("list[Any] | None", reply["replies"])


def _read(size: int) -> bytes | None:
    chunks: list[bytes] = []
    while size:
        chunk = os.read(0, min(size, _CHUNK))
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
