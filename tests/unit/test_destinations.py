"""What an administrator denies, however a workflow writes it."""

from ipaddress import ip_address

import pytest

from domain.destinations import destination
from domain.errors import Invalid


@pytest.mark.parametrize(
    ("denied", "host", "port", "address"),
    [
        ("evil.example", "evil.example", 443, "8.8.8.8"),
        ("evil.example", "EVIL.example.", 443, "8.8.8.8"),
        ("evil.example", "api.evil.example", 443, "8.8.8.8"),
        ("evil.example", "ｅｖｉｌ。example", 443, "8.8.8.8"),
        ("evil.example:25", "evil.example", 25, "8.8.8.8"),
        ("8.8.8.8", "dns.example", 53, "8.8.8.8"),
        ("8.8.8.8:53", "134744072", 53, "8.8.8.8"),
        ("8.8.8.0/24", "dns.example", 443, "8.8.8.8"),
        ("8.8.8.9/24", "dns.example", 443, "8.8.8.8"),
        ("8.8.8.0/24", "dns.example", 443, "::ffff:8.8.8.8"),
        ("8.8.8.0/24", "dns.example", 443, "64:ff9b::808:808"),
        ("8.8.8.0/24", "dns.example", 443, "2002:808:808::1"),
        ("2606:4700::/32", "one.example", 443, "2606:4700::1111"),
        ("[2606:4700::1111]:443", "one.example", 443, "2606:4700::1111"),
        ("2606:4700::1111", "one.example", 443, "2606:4700::1111"),
    ],
)
def test_what_is_denied_is_covered_in_every_spelling(denied: str, host: str, port: int, address: str) -> None:
    assert destination(denied).covers(host, port, [ip_address(address)])


@pytest.mark.parametrize(
    ("denied", "host", "port", "address"),
    [
        ("evil.example", "notevil.example", 443, "8.8.8.8"),
        ("evil.example", "evil.example.org", 443, "8.8.8.8"),
        ("evil.example:25", "evil.example", 443, "8.8.8.8"),
        ("8.8.8.8", "dns.example", 443, "8.8.4.4"),
        ("8.8.8.0/24", "dns.example", 443, "2606:4700::1111"),
    ],
)
def test_nothing_else_is_covered(denied: str, host: str, port: int, address: str) -> None:
    assert not destination(denied).covers(host, port, [ip_address(address)])


@pytest.mark.parametrize("text", ["", "a b", "a:b", "a:0", "a:65536", "10.0.0.0/33", "user@host", "http://a"])
def test_what_names_no_destination_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no host, HOST:PORT or network"):
        destination(text)
