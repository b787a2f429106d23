"""Places on the network as an administrator names them: changes when they may be named in another way."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from domain.addresses import address_of, embedded, host_name
from domain.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A `network`, or a `host` with every host below it; `port` None is every port."""

    host: str | None = None
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int, addresses: Iterable[IPv4Address | IPv6Address]) -> bool:
        """Whether a connection to this host, which has these addresses, would go there, however it is written."""
        if self.port not in (None, port):
            return False
        if self.host is not None:
            name = host_name(host)
            return name == self.host or name.endswith(f".{self.host}")
        network = self.network
        return network is not None and any(
            each in network for address in addresses for each in (address, *embedded(address))
        )


def destination(text: str) -> Destination:
    """`example.com`, `example.com:25`, `192.0.2.1`, `[2001:db8::1]:443`, `192.0.2.0/24`. Raises Invalid."""
    try:
        if "/" in text:
            return Destination(network=ip_network(text, strict=False))
        host, port = _split(text)
        address = address_of(host)
        if address is not None:
            return Destination(network=ip_network(str(address)), port=port)
    except ValueError as error:
        raise Invalid(f"{text!r} is no host, HOST:PORT or network: {error}") from None
    name = host_name(host)
    if not name or any(letter in name for letter in "[]:@ "):
        raise Invalid(f"{text!r} is no host, HOST:PORT or network")
    return Destination(host=name, port=port)


def _split(text: str) -> tuple[str, int | None]:
    """Host and port; an IPv6 address may stand without brackets where there is no port. Raises ValueError."""
    if text.count(":") > 1 and not text.startswith("["):
        return f"[{text}]", None
    host, separator, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not separator:
        return text, None
    if not 0 < int(port) < 65536:
        raise ValueError(f"there is no port {port}")
    return host, int(port)
