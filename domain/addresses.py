"""Which hosts are not public, in whatever way they are written: changes when another network is to be kept apart.

A URL's host is read as browsers and HTTP clients read it (WHATWG URL Standard, host parsing): `2130706433`, `0x7f.1`
and `[::ffff:127.0.0.1]` are all 127.0.0.1.
"""

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Final
from urllib.parse import unquote

_NAT64: Final = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC: Final = tuple(
    map(
        ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "168.63.129.16/32"),
            *("fec0::/10", "3ffe::/16", "::/96", "::ffff:0:0:0/96"),
        ),
    )
)
"""Special-purpose networks that Python takes for public (IANA's registries), those that were given up but may still be
routed inside (site-local, 6bone, IPv4-compatible, IPv4-translated), and Azure's WireServer."""
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""The upper half of an interface identifier whose lower half is an IPv4 address (RFC 5214)."""
_METADATA: Final = frozenset({"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"})
_METADATA_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_LOCAL_NAMES: Final = frozenset(
    {"localhost", "ip6-localhost", "ip6-loopback", "broadcasthost", "localtest.me", "lvh.me"}
)
_LOCAL_ENDS: Final = (
    *(".localhost", ".local", ".internal", ".intranet", ".lan", ".corp", ".home", ".home.arpa", ".localdomain", ".svc"),
    *(".cluster.local", ".localtest.me", ".lvh.me"),
)
_NAMED_ADDRESS: Final = re.compile(r"(?:^|\.)(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})\.(?:nip|sslip|xip)\.io$")
"""Public names that lead to the address written in them."""
_STRIPPED: Final = dict.fromkeys(map(ord, "\t\n\r"))
_SHY: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""What IDNA drops from a name."""


def refused(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is not public: private, loopback, link-local, multicast, reserved, a metadata service.

    IPv4 addresses inside IPv6 ones (mapped, 6to4, Teredo, ISATAP, NAT64) count as themselves.
    """
    inside = embedded(address)
    if inside:
        return any(refused(each) for each in inside)
    special = any(address in network for network in _NOT_PUBLIC)
    return special or not address.is_global or address.is_multicast or address.is_reserved


def embedded(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses to which a packet for this IPv6 address may be handed on."""
    if isinstance(address, IPv4Address):
        return ()
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        inside.append(last)
    return tuple(each for each in inside if each is not None)


def why_not_public(host: str) -> str | None:
    """What a host, as it stands in a URL, leads to when that is not public; None for one that may be public.

    Names are judged by their look: nothing is resolved.
    """
    address = address_of(host)
    if address is not None:
        if not refused(address):
            return None
        plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
        return f"{plain}, the metadata service of a cloud" if str(plain) in _METADATA else str(plain)
    name = host_name(host)
    if name in _METADATA_NAMES:
        return "the metadata service of a cloud"
    if name in _LOCAL_NAMES or name.endswith(_LOCAL_ENDS):
        return "a host of this machine or of a private network"
    named = _NAMED_ADDRESS.search(name)
    return why_not_public(".".join(named.groups())) if named else None


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address a host is, in any spelling; None for a name, and for what is no host at all."""
    if host.startswith("["):
        try:
            return IPv6Address(unquote(host.strip("[]")).partition("%")[0])
        except AddressValueError:
            return None
    return _ipv4(host_name(host))


def host_name(host: str) -> str:
    """A host as it is looked up: characters that mean the same, such as full-width digits, are one."""
    text = unicodedata.normalize("NFKC", unquote(host).translate(_STRIPPED).translate(_SHY))
    return text.replace("。", ".").lower().removesuffix(".")


def _ipv4(name: str) -> IPv4Address | None:
    """One to four numbers, decimal, octal (0…) or hexadecimal (0x…); the last fills the bytes that are left."""
    parts = name.split(".")
    numbers = [_number(part) for part in parts]
    if len(parts) > 4 or any(number is None for number in numbers):
        return None
    *first, last = (number or 0 for number in numbers)
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(parts)):
        return None
    return IPv4Address(sum(number << (8 * (3 - at)) for at, number in enumerate(first)) + last)


def _number(text: str) -> int | None:
    base, digits = (16, text[2:]) if text.startswith("0x") else (8, text[1:]) if text.startswith("0") else (10, text)
    if text in ("0", "0x"):
        return 0
    try:
        return int(digits, base) if len(text) <= 20 and digits.isascii() and digits.isalnum() else None
    except ValueError:
        return None
