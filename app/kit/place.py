"""Roughly where an address is, from the address alone: nobody else is asked about people."""

import ipaddress
from enum import StrEnum


class Place(StrEnum):
    """As much as an address says by itself."""

    THIS_COMPUTER = "this-computer"
    LOCAL_NETWORK = "local-network"
    INTERNET = "internet"
    UNKNOWN = "unknown"


def place_of(address: str) -> Place:
    """Loopback, a private or link-local range (RFC 1918, 4193, 3927), or the internet."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return Place.UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback:
        return Place.THIS_COMPUTER
    if parsed.is_private or parsed.is_link_local:
        return Place.LOCAL_NETWORK
    return Place.INTERNET
