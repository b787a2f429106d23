"""Where a request comes from: changes when a proxy tells it in another way."""

import uuid_utils.compat as uuid
from starlette.requests import HTTPConnection

from domain.audit import Origin, origin


def origin_of(connection: HTTPConnection) -> Origin:
    """The peer's address as the server knows it, the user agent, the request's id: a new one if none was sent."""
    address = connection.client.host if connection.client else None
    request_id = connection.headers.get("x-request-id") or uuid.uuid7().hex
    return origin(address, connection.headers.get("user-agent"), request_id)
