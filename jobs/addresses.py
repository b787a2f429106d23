"""Which addresses workflows may connect to; changes when connections are made in another way.

A host is resolved once, its addresses are checked, and the connection goes to one of the checked ones, so that a name
cannot change its mind in between. Whoever connects verifies TLS by the host's name all the same.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

from domain.addresses import refused
from domain.destinations import Destination

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host name and port to numeric addresses; raises OSError."""


class AddressRefused(Exception):
    """The host leads to an address that is not public; nothing was sent to it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Unreachable(Exception):
    """The host has no address, or none of them takes a connection."""


class AddressGuard:
    """`allow` lists the `host` and `host:port` that may be reached whatever their address.

    `block_private` off allows every address. What is in `deny` is never reached, allowed or not.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        deny: Iterable[Destination] = (),
        block_private: bool = True,
        resolve: Resolve | None = None,
    ) -> None:
        self._deny = tuple(deny)
        self._allow = frozenset(map(str.lower, allow)) if block_private else None
        self._resolve = resolve or _resolve

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The numeric addresses of a host, all of them checked and at least one.

        Raises AddressRefused, or Unreachable when there is none.
        """
        if not 0 < port < 65536:
            raise Unreachable(f"there is no port {port}")
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the name {host!r} cannot be resolved: {error}") from None
        if not addresses:
            raise Unreachable(f"the name {host!r} has no address")
        self._check(host, port, addresses)
        return addresses

    async def connect(self, host: str, port: int) -> socket.socket:
        """A socket connected to a checked address of the host. Raises AddressRefused or Unreachable."""
        failure: OSError | None = None
        for address in await self.addresses(host, port):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            connected = socket.socket(family, socket.SOCK_STREAM)
            try:
                connected.setblocking(False)
                await asyncio.get_running_loop().sock_connect(connected, (address, port))
            except OSError as error:
                connected.close()
                failure = error
            except BaseException:
                connected.close()
                raise
            else:
                return connected
        raise Unreachable(f"{shown(host, port)} takes no connection: {failure}")

    def _check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        name = shown(host, port)
        numeric = [ip_address(text) for text in addresses]
        if any(denied.covers(host, port, numeric) for denied in self._deny):
            remedy = "The list is WEIR_HTTP_DENY; an administrator may shorten it."
            raise AddressRefused(f"{name} is denied on this installation", remedy)
        if self._allow is None or name.lower() in self._allow or host.lower() in self._allow:
            return
        for address in numeric:
            if refused(address):
                message = f"{name} leads to the address {address}, which is not public"
                raise AddressRefused(message, f"An administrator may allow it: WEIR_HTTP_ALLOW={name}")


def shown(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
