"""Lists of IP addresses and networks: how they are written, and who is on them."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from domain.errors import Invalid

MAX_NETWORKS = 100


def check_networks(texts: Sequence[str], *path: str) -> tuple[str, ...]:
    """The networks as CIDR text, an address being a network of one; raises Invalid with `path` and the index."""
    if len(texts) > MAX_NETWORKS:
        raise Invalid(f"{len(texts)} networks; at most {MAX_NETWORKS} are taken", path=path)
    return tuple(str(_checked(text, (*path, str(index)))) for index, text in enumerate(texts))


def is_among(address: str | None, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of the networks; an IPv4 address mapped into IPv6 counts as itself."""
    try:
        asked = ip_address(address or "")
    except ValueError:
        return False
    if isinstance(asked, IPv6Address) and asked.ipv4_mapped is not None:
        asked = asked.ipv4_mapped
    return any(asked in _network(network) for network in networks)


@lru_cache(maxsize=10_000)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


def _checked(text: str, path: tuple[str, ...]) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise Invalid(
            f"{text[:60]!r} is no IP address or network: {error}",
            path=path,
            remedy="Write an address like 192.0.2.7 or 2001:db8::7, or a network like 192.0.2.0/24.",
        ) from error
