"""Addresses: every spelling of a place that a lockfile must not reach."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets.addresses import is_private_host, judge

# Refused whatever the user allows.
NEVER = {
    "169.254.169.254": "link-local",
    "169.254.170.2": "link-local",
    "169.254.0.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "febf::1": "link-local",
    "fe80::a9fe:a9fe": "link-local",
    "::ffff:169.254.169.254": "link-local",
    "::ffff:a9fe:a9fe": "link-local",
    "::169.254.169.254": "link-local",
    "::ffff:0:169.254.169.254": "link-local",
    "64:ff9b::169.254.169.254": "link-local",
    "64:ff9b::a9fe:a9fe": "link-local",
    "64:ff9b:1:a9fe:a9:fe00::": "link-local",
    "2002:a9fe:a9fe::1": "link-local",
    "2001:0:a9fe:a9fe::": "link-local",
    "2001:0:808:808::5601:5601": "link-local",
    "100.100.100.200": "cloud metadata",
    "168.63.129.16": "cloud metadata",
    "192.0.0.192": "cloud metadata",
    "::ffff:168.63.129.16": "cloud metadata",
    "64:ff9b::192.0.0.192": "cloud metadata",
    "fd00:ec2::254": "cloud metadata",
    "fd00:ec2::23": "cloud metadata",
    "fd20:ce::254": "cloud metadata",
    "fd00:42::42": "cloud metadata",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "::ffff:0.0.0.0": "unspecified",
    "64:ff9b::": "unspecified",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "::ffff:224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "192.0.0.1": "reserved",
    "192.0.2.1": "reserved",
    "192.88.99.1": "reserved",
    "198.51.100.7": "reserved",
    "203.0.113.7": "reserved",
    "100::1": "reserved",
    "2001:db8::1": "reserved",
    "2001:20::1": "reserved",
    "3fff::1": "reserved",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "64:ff9a::1": "reserved",
    "": "not an address",
    "localhost": "not an address",
    "127.1": "not an address",
    "[::1]": "not an address",
    "1.2.3.4\n": "not an address",
}
# Refused unless the user named the host.
SOMETIMES = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:7f00:1": "loopback",
    "::127.0.0.1": "loopback",
    "64:ff9b::127.0.0.1": "loopback",
    "2002:7f00:1::": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "private",
    "100.127.255.255": "private",
    "198.18.0.1": "private",
    "198.19.255.255": "private",
    "::ffff:192.168.0.1": "private",
    "64:ff9b::10.0.0.1": "private",
    "64:ff9b:1:a00:0:100::": "private",
    "2002:c0a8:1::1": "private",
    "2002:a00:1::1": "private",
    "2001:0:808:808::f5ff:fffe": "private",
    "fc00::1": "private",
    "fd12:3456::1": "private",
    "fec0::1": "private",
    "fd00::1%3": "private",
}
PUBLIC = [
    *(
        "1.1.1.1",
        "8.8.8.8",
        "172.15.255.255",
        "172.32.0.1",
        "192.167.1.1",
        "192.169.0.1",
        "11.0.0.1",
    ),
    *(
        "100.63.255.255",
        "100.128.0.1",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.1.1",
        "223.255.255.255",
    ),
    *("168.63.129.17", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8", "2002:808:808::1"),
    *("::ffff:8.8.8.8", "2001:0:808:808::f7f7:f7f7", "2001:4860:4860::8888", "2600::"),
]


@pytest.mark.parametrize(("address", "rule"), NEVER.items())
def test_never(address: str, rule: str) -> None:
    assert judge(address, private=False) == judge(address, private=True) == rule


@pytest.mark.parametrize(("address", "rule"), SOMETIMES.items())
def test_only_where_the_user_allows_it(address: str, rule: str) -> None:
    assert judge(address, private=False) == rule
    assert judge(address, private=True) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert judge(address, private=False) is judge(address, private=True) is None


def test_the_control_the_standard_library_alone_lets_metadata_through() -> None:
    from ipaddress import ip_address

    missed = [
        text
        for text in ("64:ff9b::a9fe:a9fe", "168.63.129.16", "224.0.0.1")
        if ip_address(text).is_global
    ]
    assert missed


PRIVATE_HOSTS = [
    *(
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "a.b.localhost.",
        "localhost.localdomain",
    ),
    *(
        "ip6-localhost",
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f.0.0.1",
        "0X7F000001",
        "0x7f000001",
    ),
    *(
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0177.1",
        "127.0.0.1.",
        "127.0.0.0x1",
        "127.65535",
        "0x7f.0x1",
    ),
    *(
        "[::1]",
        "::1",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
    ),
    *(
        "10.1",
        "10.0.0.1",
        "012.1",
        "0xa.1",
        "192.168.1",
        "3232235777",
        "172.16.1",
        "[fd00::1]",
        "[fd00::1%25eth0]",
    ),
    *("100.64.1", "198.18.0.1"),
]
OTHER_HOSTS = [
    *(
        "",
        "example.org",
        "localhost.example.org",
        "mylocalhost",
        "127.0.0.1.example.org",
        "8.8.8.8",
        "134744072",
    ),
    *(
        "1.2.3.4.5",
        "256.1",
        "127.0.0.256",
        "08.1",
        "0x",
        "0xg",
        "127..1",
        ".",
        "1_0.1",
        "-1",
        "4294967296",
    ),
    *(
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[fe80::1]",
        "0",
        "0.0.0.0",
        "[::]",
        "nas",
        "ten.local",
    ),
    *("9" * 5000, "0" * 5000, "0x" + "0" * 5000 + "1"),
]


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_private_hosts(host: str) -> None:
    assert is_private_host(host)


@pytest.mark.parametrize("host", OTHER_HOSTS, ids=lambda host: host[:20])
def test_other_hosts(host: str) -> None:
    assert not is_private_host(host)


parts = st.one_of(
    st.integers(0, 300).map(str),
    st.integers(0, 300).map(hex),
    st.integers(0, 300).map("0{:o}".format),
    st.sampled_from(
        [
            "127",
            "0x7f",
            "0177",
            "10",
            "2130706433",
            "0",
            "00",
            "0x0",
            "16777215",
            "65536",
            "08",
            "0x",
        ]
    ),
)


@given(st.lists(parts, min_size=1, max_size=5).map(".".join))
def test_spellings_are_read_as_the_resolver_reads_them(text: str) -> None:
    try:
        address = socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        assert not is_private_host(text)
    else:
        allowed = judge(address, private=False) is not None and judge(address, private=True) is None
        assert is_private_host(text) == allowed
