"""Hosts that are not public, in every spelling, and the addresses that are not."""

from ipaddress import IPv4Address, ip_address

import pytest

from domain.addresses import address_of, refused, why_not_public

ANYWHERE = str(IPv4Address(0))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
        "0x7f.1", "127.0.0.1.", "%31%32%37.0.0.1", "①②⑦.⓪.⓪.①", "１２７。０。０。１", "127.0.0\u00ad.1",
    ],
)  # fmt: skip
def test_loopback_is_known_in_every_spelling(host: str) -> None:
    assert str(address_of(host)) == "127.0.0.1"
    assert why_not_public(host) == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("172.16.0.1", "172.16.0.1"),
        ("192.168.0.10", "192.168.0.10"),
        ("100.64.0.1", "100.64.0.1"),
        (ANYWHERE, ANYWHERE),
        ("0", ANYWHERE),
        ("0x", ANYWHERE),
        ("169.254.169.254", "169.254.169.254, the metadata service of a cloud"),
        ("2852039166", "169.254.169.254, the metadata service of a cloud"),
        ("[::ffff:169.254.169.254]", "169.254.169.254, the metadata service of a cloud"),
        ("[fd00:ec2::254]", "fd00:ec2::254, the metadata service of a cloud"),
        ("[::1]", "::1"),
        ("[::]", "::"),
        ("[fe80::1%25eth0]", "fe80::1"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
        ("[2002:7f00:1::]", "2002:7f00:1::"),
        ("metadata.google.internal", "the metadata service of a cloud"),
        ("Metadata", "the metadata service of a cloud"),
        ("localhost", "a host of this machine or of a private network"),
        ("LOCALHOST.", "a host of this machine or of a private network"),
        ("db.localhost", "a host of this machine or of a private network"),
        ("redis.default.svc.cluster.local", "a host of this machine or of a private network"),
        ("printer.lan", "a host of this machine or of a private network"),
        ("127.0.0.1.nip.io", "127.0.0.1"),
        ("app.10-0-0-1.sslip.io", "10.0.0.1"),
    ],
)
def test_private_networks_metadata_services_and_local_names_are_not_public(host: str, why: str) -> None:
    assert why_not_public(host) == why


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "8.8.8.8", "134744072", "[2606:4700::1111]", "1.2.3.4.5", "256.1.1.1", "10.example.com"),
        *(
            "localhost.example.com",
            "my-metadata.io",
            "8.8.8.8.nip.io",
            "",
            "99999999999999999999",
            "0x7fg",
            "[nothing]",
        ),
        *("127.0.0.256", "1..2", "notlocalhost"),
    ],
)
def test_other_hosts_may_be_public(host: str) -> None:
    assert why_not_public(host) is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1", "fd00:ec2::254", "fc00::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
        "64:ff9b:1::1", "3fff::1", "fec0::1", "3ffe::1", "::127.0.0.1", "::ffff:0:10.0.0.1",
        "2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:10.0.0.1", "2002:a9fe:a9fe::", "2001:0:808:808::80ff:fffe",
        "fe80::1%1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_in_every_form(address: str) -> None:
    assert refused(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_not_refused(address: str) -> None:
    assert not refused(ip_address(address))
