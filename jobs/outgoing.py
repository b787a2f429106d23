"""Requests to the outside: one shared client that connects only to addresses it has checked.

Every connection, redirects included, resolves its host here, refuses addresses that are not public, and goes to the
very address that was checked, so that a name cannot change its mind in between.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import httpcore
import httpx

from domain.destinations import Destination
from jobs.addresses import AddressGuard, AddressRefused, Resolve, Unreachable
from jobs.decoding import NotDecodable, decoded
from jobs.http_credentials import Credentials

MAX_RESPONSE_BYTES = 16 * 1024 * 1024
MAX_REDIRECTS = 10
CONNECT_SECONDS = 10.0
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
"""What of the caller's own headers is not taken to another origin."""


class OutgoingError(Exception):
    """The request got no response. `code` is stable and in capitals."""

    def __init__(self, code: str, message: str, *, retryable: bool, remedy: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedContent:
    """A body that is too large to hold: exactly `length` bytes, which `open` gives anew each time."""

    length: int
    open: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """`timeout`: seconds for everything, from resolving the name to the response's last byte.

    `credentials` are sent to the URL's own origin and, whatever it redirects to, nowhere else.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes | StreamedContent | None = None
    credentials: Credentials | None = None
    timeout: float = 60.0
    follow_redirects: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingStream:
    """A response whose body is still to come. `headers` have lower-case names; several of one are joined by commas.

    `url`, without its query, is where it came from in the end; `chunks` raise what `Outgoing.open` does.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    encoding: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingResponse:
    """`headers` as in OutgoingStream."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    encoding: str


class Outgoing:
    """One per process. `allow`, `deny` and `block_private` are those of `AddressGuard`."""

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        deny: Iterable[Destination] = (),
        block_private: bool = True,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_connections: int = 1_000,
        resolve: Resolve | None = None,
    ) -> None:
        self._max_response_bytes = max_response_bytes
        self.addresses = AddressGuard(allow=allow, deny=deny, block_private=block_private, resolve=resolve)
        """The guard of these requests, for those that speak another protocol than HTTP."""
        backend = _CheckedBackend(self.addresses)
        self._client = httpx.AsyncClient(
            transport=_CheckedTransport(backend, max_connections),
            headers={"user-agent": "weir", "accept-encoding": "gzip, deflate"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # the client is shared by all tenants
            max_redirects=MAX_REDIRECTS,
            trust_env=False,  # a proxy would resolve names itself
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, request: OutgoingRequest) -> OutgoingResponse:
        """The whole response. Raises what `open` does, and OutgoingError RESPONSE_TOO_LARGE."""
        async with self.open(request) as stream:
            content = await self.read(stream)
            return OutgoingResponse(
                status=stream.status, headers=stream.headers, content=content, encoding=stream.encoding
            )

    async def read(self, stream: OutgoingStream) -> bytes:
        """The body, no larger than a step may hold. Raises OutgoingError RESPONSE_TOO_LARGE."""
        content = bytearray()
        async for chunk in stream.chunks:
            content += chunk
            if len(content) > self._max_response_bytes:
                message = f"The response has more than {self._max_response_bytes:,} bytes"
                remedy = "Ask for less at a time, or take it as a file: responseType: binary."
                raise OutgoingError("RESPONSE_TOO_LARGE", message, retryable=False, remedy=remedy)
        return bytes(content)

    @asynccontextmanager
    async def open(self, request: OutgoingRequest) -> AsyncGenerator[OutgoingStream]:
        """The response as it begins; its body is read inside the block.

        Raises OutgoingError: ADDRESS_REFUSED, REQUEST_INVALID, CONNECTION_FAILED, RESPONSE_INVALID, TIMEOUT,
        TOO_MANY_REDIRECTS.
        """
        try:
            async with asyncio.timeout(request.timeout):
                response = await self._follow(request)
                try:
                    yield _stream(response)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException):
            message = f"No complete response from {_shown(request.url)} within {request.timeout:g} s"
            raise OutgoingError("TIMEOUT", message, retryable=True) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
            raise _invalid(request, error) from None
        except NotDecodable as error:
            message = f"The response of {_shown(request.url)} is damaged: {error}"
            raise OutgoingError("RESPONSE_INVALID", message, retryable=False) from None
        except httpx.HTTPError as error:
            message = f"The request to {_shown(request.url)} failed: {error or type(error).__name__}"
            raise OutgoingError("CONNECTION_FAILED", message, retryable=True) from None

    async def _follow(self, request: OutgoingRequest) -> httpx.Response:
        """Redirects are followed here and not by httpx, which would take headers of ours to other origins."""
        first = httpx.URL(request.url)
        method, url, content = request.method, first, request.content
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._client.send(self._built(request, method, url, content, first), stream=True)
            if not request.follow_redirects or response.next_request is None:
                return response
            await response.aclose()
            following = response.next_request
            if following.method != method:
                content = None
            method, url = following.method, following.url
        message = f"{_shown(request.url)} redirects more than {MAX_REDIRECTS} times"
        raise OutgoingError("TOO_MANY_REDIRECTS", message, retryable=False)

    def _built(
        self,
        request: OutgoingRequest,
        method: str,
        url: httpx.URL,
        content: bytes | StreamedContent | None,
        first: httpx.URL,
    ) -> httpx.Request:
        headers = {**request.headers}
        if not _same_origin(first, url):
            headers = {name: value for name, value in headers.items() if name.lower() not in _PRIVATE_HEADERS}
        elif request.credentials is not None:
            headers |= request.credentials.headers
            url = httpx.URL(request.credentials.on(str(url)))
        if content is None and request.content is not None:
            headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
        if isinstance(content, StreamedContent):
            headers["content-length"] = str(content.length)
        return self._client.build_request(
            method,
            url,
            headers=[(name.encode("ascii"), value.encode()) for name, value in headers.items()],
            content=content.open() if isinstance(content, StreamedContent) else content,
            timeout=httpx.Timeout(request.timeout, connect=min(request.timeout, CONNECT_SECONDS)),
        )


def _stream(response: httpx.Response) -> OutgoingStream:
    return OutgoingStream(
        url=str(response.request.url.copy_with(query=None)),
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        encoding=response.encoding or "utf-8",
        chunks=decoded(response.aiter_raw(), response.headers.get("content-encoding", "")),
    )


def host_and_port(url: str) -> str:
    """`example.com:443`; an invalid URL's is empty."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return ""
    return f"{parsed.host}:{parsed.port or (443 if parsed.scheme == 'https' else 80)}"


def same_origin(first: str, other: str) -> bool:
    """Whether credentials for the first URL may be sent to the other."""
    try:
        return _same_origin(httpx.URL(first), httpx.URL(other))
    except httpx.InvalidURL:
        return False


def _same_origin(first: httpx.URL, other: httpx.URL) -> bool:
    """Whether scheme, host and port are the same, or the same host has only moved from http to https."""
    if (first.scheme, first.host, first.port) == (other.scheme, other.host, other.port):
        return True
    moved = (first.scheme, other.scheme, first.port, other.port) == ("http", "https", None, None)
    return moved and first.host == other.host


def _invalid(request: OutgoingRequest, error: Exception) -> OutgoingError:
    # What is wrong with a header would be told with its value, which may be a secret.
    why = "a header is not allowed" if isinstance(error, httpx.LocalProtocolError) else str(error)
    message = f"The request to {_shown(request.url)} is not valid: {why}"
    remedy = "Give an absolute URL with http or https, and headers in ASCII."
    return OutgoingError("REQUEST_INVALID", message, retryable=False, remedy=remedy)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses; TLS still verifies the name, which httpcore passes on its own."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._inner: httpcore.AsyncNetworkBackend = cast("Any", httpcore).AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if not 0 < port < 65536:
            raise OutgoingError("REQUEST_INVALID", f"There is no port {port}", retryable=False)
        try:
            addresses = await self._guard.addresses(host, port)
        except Unreachable as error:
            raise httpcore.ConnectError(str(error)) from None
        except AddressRefused as error:
            raise OutgoingError("ADDRESS_REFUSED", error.message, retryable=False, remedy=error.remedy) from None
        failure: Exception = httpcore.ConnectError(f"the name {host!r} has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure


class _CheckedTransport(httpx.AsyncHTTPTransport):
    def __init__(self, backend: httpcore.AsyncNetworkBackend, max_connections: int) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        # httpx has no parameter for the network backend: its own pool, unused so far, is replaced.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=100,
            keepalive_expiry=30.0,
            network_backend=backend,
        )


def _shown(url: str) -> str:
    """The URL without user, password and query, which may hold secrets."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "an invalid URL"
    return f"{parsed.scheme}://{parsed.netloc.decode(errors='replace')}{parsed.path}"[:200]
