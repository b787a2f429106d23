"""Requests to the outside: one shared client that connects only to addresses it has checked.

Every connection, redirects included, resolves its host here, refuses addresses that are not public, and goes to the
very address that was checked, so that a name cannot change its mind in between.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, cast

import httpcore
import httpx

MAX_RESPONSE_BYTES = 16 * 1024 * 1024
MAX_REDIRECTS = 10
CONNECT_SECONDS = 10.0
_NAT64 = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "168.63.129.16/32"),
    )
)
"""Special-purpose networks that older Pythons take for public (IANA's registries), and Azure's WireServer."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host name and port to numeric addresses; raises OSError."""


class OutgoingError(Exception):
    """The request got no response. `code` is stable and in capitals."""

    def __init__(self, code: str, message: str, *, retryable: bool, remedy: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """`timeout`: seconds for everything, from resolving the name to the response's last byte."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes | None = None
    timeout: float = 60.0
    follow_redirects: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingResponse:
    """`headers` have lower-case names; several of one name are joined by commas."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    encoding: str


class Outgoing:
    """One per process. `allow` lists the `host` and `host:port` that may be reached whatever their address.

    `block_private` off allows every address.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        block_private: bool = True,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_connections: int = 1_000,
        resolve: Resolve | None = None,
    ) -> None:
        self._max_response_bytes = max_response_bytes
        allowed = frozenset(map(str.lower, allow)) if block_private else None
        backend = _CheckedBackend(allowed, resolve or _resolve)
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
        """Raises OutgoingError: ADDRESS_REFUSED, REQUEST_INVALID, CONNECTION_FAILED, TIMEOUT, TOO_MANY_REDIRECTS,
        RESPONSE_TOO_LARGE."""
        try:
            async with asyncio.timeout(request.timeout):
                return await self._send(request)
        except (TimeoutError, httpx.TimeoutException):
            message = f"No complete response from {_shown(request.url)} within {request.timeout:g} s"
            raise OutgoingError("TIMEOUT", message, retryable=True) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
            message = f"The request to {_shown(request.url)} is not valid: {error}"
            remedy = "Give an absolute URL with http or https, and headers in ASCII."
            raise OutgoingError("REQUEST_INVALID", message, retryable=False, remedy=remedy) from None
        except httpx.TooManyRedirects:
            message = f"{_shown(request.url)} redirects more than {MAX_REDIRECTS} times"
            raise OutgoingError("TOO_MANY_REDIRECTS", message, retryable=False) from None
        except httpx.HTTPError as error:
            message = f"The request to {_shown(request.url)} failed: {error or type(error).__name__}"
            raise OutgoingError("CONNECTION_FAILED", message, retryable=True) from None

    async def _send(self, request: OutgoingRequest) -> OutgoingResponse:
        built = self._client.build_request(
            request.method,
            request.url,
            headers=[(name.encode("ascii"), value.encode()) for name, value in request.headers.items()],
            content=request.content,
            timeout=httpx.Timeout(request.timeout, connect=min(request.timeout, CONNECT_SECONDS)),
        )
        response = await self._client.send(built, stream=True, follow_redirects=request.follow_redirects)
        try:
            content = await self._read(response)
        finally:
            await response.aclose()
        return OutgoingResponse(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            content=content,
            encoding=response.encoding or "utf-8",
        )

    async def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > self._max_response_bytes:
                message = f"The response has more than {self._max_response_bytes:,} bytes"
                remedy = "Ask for less at a time."
                raise OutgoingError("RESPONSE_TOO_LARGE", message, retryable=False, remedy=remedy)
        return bytes(content)


def refused(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is not public: private, loopback, link-local, multicast, reserved, a metadata service.

    IPv4 addresses inside IPv6 ones (mapped, 6to4, Teredo, NAT64) count as themselves.
    """
    if isinstance(address, IPv6Address):
        inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inside.append(IPv4Address(int(address) & 0xFFFFFFFF))
        embedded = [each for each in inside if each is not None]
        if embedded:
            return any(refused(each) for each in embedded)
    special = any(address in network for network in _NOT_PUBLIC)
    return special or not address.is_global or address.is_multicast or address.is_reserved


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses; TLS still verifies the name, which httpcore passes on its own."""

    def __init__(self, allow: frozenset[str] | None, resolve: Resolve) -> None:
        self._allow = allow
        self._resolve = resolve
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
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host!r} cannot be resolved: {error}") from None
        self._check(host, port, addresses)
        failure: Exception = httpcore.ConnectError(f"the name {host!r} has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    def _check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if self._allow is None or name.lower() in self._allow or host.lower() in self._allow:
            return
        for text in addresses:
            if refused(ip_address(text)):
                message = f"{name} leads to the address {text}, which is not public"
                remedy = f"An administrator may allow it: WEIR_HTTP_ALLOW={name}"
                raise OutgoingError("ADDRESS_REFUSED", message, retryable=False, remedy=remedy)


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
