"""Which media type answers a request: changes when one is added (GraphQL over HTTP, RFC 9110 section 12.5.1)."""

from collections.abc import Iterator
from dataclasses import dataclass

RESPONSE = "application/graphql-response+json"
JSON = "application/json"
STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller accepts: a single answer (None: none), a stream, and which of them rather."""

    single: str | None
    stream: bool
    prefers_stream: bool


def negotiate(accept: str | None) -> Answer:
    """Reads an Accept header, None for a missing one.

    A range that names a type counts more than a wildcard. Where both single types are equal, the newer one is
    taken if it is named, else plain JSON, which every client understands.
    """
    ranges = list(_ranges(accept or "*/*"))
    response, plain = _quality(ranges, RESPONSE), _quality(ranges, JSON)
    best = max(response, plain)
    single = None
    if best[0] > 0:
        single = RESPONSE if response > plain or (response == plain and response[1] == 2) else JSON
    stream = _quality(ranges, STREAM)
    asked = stream[0] > 0 and stream[1] == 2  # a wildcard is no wish for a stream
    return Answer(single=single, stream=asked, prefers_stream=asked and stream[0] > best[0])


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = _number(value)
        if media:
            yield media, quality


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return min(max(value, 0.0), 1.0)


def _quality(ranges: list[tuple[str, float]], media: str) -> tuple[float, int]:
    """The quality of the most exact range that covers the type, and how exact it is: 2 named, 1 `x/*`, 0 `*/*`."""
    exactness = {media: 2, f"{media.partition('/')[0]}/*": 1, "*/*": 0}
    found = [(exactness[name], quality) for name, quality in ranges if name in exactness]
    if not found:
        return (0.0, -1)
    exact, quality = max(found)
    return quality, exact
