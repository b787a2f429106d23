"""Where a script's requests may go: the domains its node allows, by way of the worker's guarded HTTP client."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

from jobs.outgoing import OutgoingError, OutgoingRequest, OutgoingResponse
from jobs.sandbox.outcomes import MEBIBYTE, FetchFailed, FetchReply, FetchRequest

DOMAIN: Final = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(:[0-9]{1,5})?|\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?")
"""What may stand in a list of allowed domains: a host, `*.` and a domain for all hosts below it, maybe with a port."""
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_HEADERS: Final = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_MOST_BODY: Final = MEBIBYTE
_MOST_RESPONSE: Final = 4 * MEBIBYTE


class Http(Protocol):
    async def send(self, request: OutgoingRequest) -> OutgoingResponse:
        """Raises OutgoingError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """Implements `jobs.sandbox.Fetch`. Requests that change something carry `key` and their number as Idempotency-Key.

    Redirects of requests that change nothing are followed, each within the domains; other ones are answers.
    """

    http: Http
    domains: Sequence[str]
    key: str
    timeout: float

    async def __call__(self, request: FetchRequest) -> FetchReply:
        method = request.method.upper()
        if method not in _METHODS:
            raise FetchFailed(f"{request.method[:20]!r} is no method; use one of {', '.join(sorted(_METHODS))}")
        self._check(request.url)
        url, headers = request.url, self._headers(request, method)
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._send(method, url, headers, request.body)
            location = response.headers.get("location") if response.status in _REDIRECTS else None
            if location is None or method not in _SAFE:
                return _reply(url, response)
            before, url = url, urljoin(url, location)
            if _origin(before) != _origin(url):
                headers = {name: value for name, value in headers.items() if name not in _SECRET_HEADERS}
        raise FetchFailed(f"{_shown(request.url)} redirects more than {_MOST_REDIRECTS} times")

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> OutgoingResponse:
        self._check(url)
        content = None if body is None else body.encode(errors="replace")
        if content is not None and len(content) > _MOST_BODY:
            raise FetchFailed(f"a request may send {_MOST_BODY:,} bytes, not {len(content):,}")
        outgoing = OutgoingRequest(
            method=method, url=url, headers=headers, content=content, timeout=self.timeout, follow_redirects=False
        )
        try:
            response = await self.http.send(outgoing)
        except OutgoingError as error:
            raise FetchFailed(f"{error.code}: {error.message}{f'. {error.remedy}' if error.remedy else ''}") from None
        if len(response.content) > _MOST_RESPONSE:
            raise FetchFailed(f"the answer has {len(response.content):,} bytes, the most is {_MOST_RESPONSE:,}")
        return response

    def _check(self, url: str) -> None:
        origin = _origin(url)
        if origin is None:
            raise FetchFailed(f"{url[:80]!r} is no absolute http or https URL")
        host, port = origin
        if not any(_within(host, port, domain.lower()) for domain in self.domains):
            raise FetchFailed(f"{host}:{port} is not allowed; add {host!r} to the node's allowedDomains")

    def _headers(self, request: FetchRequest, method: str) -> dict[str, str]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if refused := _OWN_HEADERS & headers.keys():
            raise FetchFailed(f"the header {min(refused)!r} is set by Weir itself")
        if request.json:
            headers.setdefault("content-type", "application/json")
        if method not in _SAFE:
            headers.setdefault("idempotency-key", f"{self.key}:{request.number}")
        return headers


def _origin(url: str) -> tuple[str, int] | None:
    """Host, in lower case, and port of an http or https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port and parts.scheme in ("http", "https") else None


def _within(host: str, port: int, domain: str) -> bool:
    name, colon, wanted = domain.rpartition(":") if re.search(r":[0-9]+$", domain) else (domain, "", "")
    if colon and int(wanted) != port:
        return False
    name = name.strip("[]")
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _reply(url: str, response: OutgoingResponse) -> FetchReply:
    try:
        text = response.content.decode(response.encoding, "replace")
    except LookupError:  # the server named an encoding that Python does not know
        text = response.content.decode("utf-8", "replace")
    return FetchReply(url=url, status=response.status, headers=response.headers, body=text)


def _shown(url: str) -> str:
    """The URL without what may be secret in it."""
    host, port = _origin(url) or ("?", 0)
    return f"{host}:{port}"
