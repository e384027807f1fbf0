"""Identifiers: integer ids of the specification's entities, opaque strings for everything newer."""

import secrets
import time
from typing import Annotated

from msgspec import Meta

INT4_MAX = 2**31 - 1
"""PostgreSQL's `integer` ends here; a larger id cannot exist and must not reach the driver."""

EntityId = Annotated[int, Meta(ge=1, le=INT4_MAX)]

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, 32)
        digits.append(_CROCKFORD[digit])
    return "".join(reversed(digits))


def new_id() -> str:
    """An opaque id of 26 characters, ordered by creation (ULID: 48 bits of ms, 80 random bits)."""
    return _base32(time.time_ns() // 1_000_000, 10) + _base32(secrets.randbits(80), 16)
