"""Which network addresses may be dialled (security §9): the resolved address is judged, not a name.

`ipaddress.is_global` is not enough: it calls NAT64 and 6to4 forms of link-local addresses global,
and several metadata services too.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

__all__ = ["is_private_host", "judge"]

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle
        "fd00:42::42",  # Scaleway
        "fd00:ec2::23",  # AWS, containers
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
    )
)
"""Metadata services outside 169.254.0.0/16 and fe80::/10, which are refused as a whole."""

_PRIVATE: Final = frozenset({"loopback", "private"})
"""Rules that the user may lift for a host; no other rule is ever lifted."""

# IANA's special-purpose address registries (RFC 6890 and later), the first match counts.
_IPV4: Final[tuple[tuple[IPv4Network, str], ...]] = tuple(
    (IPv4Network(network), rule)
    for network, rule in (
        ("0.0.0.0/8", "unspecified"),  # Linux connects 0.0.0.0 to this machine
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("100.64.0.0/10", "private"),  # carrier-grade NAT
        ("198.18.0.0/15", "private"),  # benchmarks; also where local proxies put every name
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_IPV6: Final[tuple[tuple[IPv6Network, str], ...]] = tuple(
    (IPv6Network(network), rule)
    for network, rule in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fe80::/10", "link-local"),
        ("fc00::/7", "private"),
        ("fec0::/10", "private"),  # site-local, before ULA
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("3fff::/20", "reserved"),
    )
)
_GLOBAL_UNICAST: Final = ip_network("2000::/3")

# Prefixes with an IPv4 address inside, and how far that is from the right end (RFC 4291, 6052,
# 2765, 3056). Whoever routes the prefix connects to the inner address.
_WRAPPED: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # translated
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")
_TEREDO: Final = IPv6Network("2001::/32")
_COMPATIBLE: Final = IPv6Network("::/96")


def judge(address: str, *, private: bool) -> str | None:
    """Name the rule that refuses a resolved address, or give None.

    `private`: the user allowed this host to be private or loopback. A scope id is ignored; what is
    no address is refused.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    for candidate in _meanings(parsed):
        rule = _rule(candidate)
        if rule and not (private and rule in _PRIVATE):
            return rule
    return None


def _rule(address: IPv4Address | IPv6Address) -> str | None:
    if address in _METADATA:
        return "cloud metadata"
    if isinstance(address, IPv4Address):
        return next((rule for network, rule in _IPV4 if address in network), None)
    for network, rule in _IPV6:
        if address in network:
            return rule
    return None if address in _GLOBAL_UNICAST else "reserved"


def _meanings(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Give the addresses that a packet to `address` may end at."""
    if isinstance(address, IPv4Address):
        return [address]
    value = int(address)
    for network, shift in _WRAPPED:
        if address in network:
            return [_inner(value >> shift)]
    if address in _NAT64_LOCAL:
        # RFC 6052 §2.2 for a /48: sixteen bits, eight bits of zero, sixteen bits.
        return [_inner((value >> 64 & 0xFFFF) << 16 | value >> 40 & 0xFFFF)]
    if address in _TEREDO:
        # RFC 4380 §4: the server, and the client with every bit inverted.
        return [_inner(value >> 64), _inner(~value)]
    if address in _COMPATIBLE and value > 0xFFFF:
        return [_inner(value)]
    return [address]


def _inner(value: int) -> IPv4Address:
    return IPv4Address(value & 0xFFFFFFFF)


def is_private_host(host: str) -> bool:
    """Tell whether the text of a URL's host is loopback or private by itself, without resolving.

    Every spelling that getaddrinfo(3) takes for an address counts; other names do not, whatever
    they resolve to. Link-local and metadata addresses are not private: they are never allowed.
    """
    name = host.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if name in {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}:
        return True
    if name.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    number = _loose_ipv4(name)
    literal = name if number is None else str(IPv4Address(number))
    return judge(literal, private=False) is not None and judge(literal, private=True) is None


def _loose_ipv4(text: str) -> int | None:
    """Read an address as inet_aton(3) does: one to four numbers, decimal, octal or hexadecimal."""
    parts = text.split(".")
    if len(parts) > 4:
        return None
    numbers = [_loose_number(part) for part in parts]
    value = 0
    for position, number in enumerate(numbers):
        last = position == len(numbers) - 1
        # The last number fills every byte that is left.
        bits = 8 * (5 - len(numbers)) if last else 8
        if number is None or number >> bits:
            return None
        value = value << bits | number
    return value


def _loose_number(text: str) -> int | None:
    base = 16 if text.startswith("0x") else 8 if text.startswith("0") else 10
    digits = text.removeprefix("0x")
    if len(digits) > 64 or not digits.isascii() or not digits.isalnum():
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None
