"""One call of a node to the service behind a connection: its circuit, and what an answer other than 2xx comes to."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from domain.connections import Connection
from domain.engine.outcomes import Failed
from domain.ids import encode
from domain.json import JSON
from jobs.breakers import CircuitOpen
from jobs.masking import Secrets
from jobs.nodes.base import StepContext
from jobs.outgoing import OutgoingError, OutgoingRequest, OutgoingResponse

RETRYABLE: Final = frozenset({408, 425, 429})
_OURS: Final = frozenset({"ADDRESS_REFUSED", "REQUEST_INVALID", "RESPONSE_TOO_LARGE"})
"""Failures that say nothing about the service's health."""
_SHOWN: Final = 2_000


async def call(step: StepContext, connection: Connection, request: OutgoingRequest) -> OutgoingResponse | Failed:
    """The response, whatever its status, or why there is none; 5xx and no answer count against the connection."""
    circuit = f"{encode('connection', connection.id)}:{connection.revision}"
    try:
        async with step.services.breaker.guard(circuit, step.timeout) as guarded:
            try:
                response = await step.services.http.send(request)
            except OutgoingError as error:
                if error.code in _OURS:
                    guarded.ignored()
                else:
                    guarded.failed()
                message = masked(error.message, connection)
                return Failed(code=error.code, message=message, retryable=error.retryable, remedy=error.remedy)
            if response.status >= 500:
                guarded.failed()
            return response
    except CircuitOpen as error:
        return error.outcome()


def unexpected(
    response: OutgoingResponse, connection: Connection, at: datetime, *, code: str, says: str | None = None
) -> Failed:
    """An answer that is an error. `says`: the service's own words, where they were found in the body."""
    status = response.status
    body = masked(response.content.decode("utf-8", "replace").replace("\x00", "\ufffd"), connection)
    words = f": {masked(says, connection)[:500]}" if says else ""
    details: dict[str, JSON] = {"status": status, "body": body if len(body) <= _SHOWN else f"{body[:_SHOWN]}…"}
    return Failed(
        code=code,
        message=f"The service answers {status}{words}",
        retryable=status in RETRYABLE or status >= 500,
        retry_after=retry_after(response.headers, at),
        remedy=_remedy(status, connection),
        details=details,
    )


def _remedy(status: int, connection: Connection) -> str | None:
    if status in (401, 403):
        return f"Check the secrets of the connection {connection.name!r}, and what they permit."
    if status in RETRYABLE or status >= 500:
        return "Give the node a retry; it waits as long as the service asks for."
    return "Look at error.details.body for what the service says."


def retry_after(headers: Mapping[str, str], at: datetime) -> float | None:
    """Seconds from `at`: the header has either those or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else (parsedate_to_datetime(value) - at).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(0.0, seconds)


def masked(text: str, connection: Connection) -> str:
    """The text without the connection's secrets, should a service repeat them."""
    return Secrets(connection.secrets.values()).masked(text)
