"""Lists of networks: how they may be written and who is on them."""

import pytest

from domain.errors import Invalid
from domain.networks import check_networks, is_among

LIST = check_networks(["192.0.2.0/24", " 198.51.100.7 ", "2001:db8::/32"], "allowedIps")


def test_an_address_is_a_network_of_one() -> None:
    assert LIST == ("192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32")


@pytest.mark.parametrize(
    ("address", "among"),
    [
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        ("2001:db8:1::1", True),
        ("2001:db9::1", False),
        ("::ffff:192.0.2.1", True),
        ("::ffff:192.0.3.1", False),
        ("unix:", False),
        ("", False),
        (None, False),
    ],
)
def test_who_is_on_the_list(address: str | None, among: bool) -> None:
    assert is_among(address, LIST) is among


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "0x7f.1", "example.org", "::1/129"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_networks(["10.0.0.0/8", text], "allowedIps")

    assert refused.value.path == ("allowedIps", "1")
