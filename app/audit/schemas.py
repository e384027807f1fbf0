"""What comes out of the audit log."""

from datetime import datetime
from typing import Any

from msgspec import Struct


class AuditEntry(Struct, frozen=True):
    """One deed, as admins see it; `hash` is the entry's link in the chain, in hex.

    `impersonator_id` is the admin who acted as `actor_id`.
    """

    id: int
    at: datetime
    actor_id: int | None
    impersonator_id: int | None
    action: str
    target_type: str
    target_id: str
    detail: dict[str, Any]
    hash: str


class AuditQuery(Struct, frozen=True):
    """Which entries to list; an absent filter takes all.

    `actor_id` finds what somebody did in any name, `q` words in the action, the target and the
    detail; `since` is the first moment that counts, `until` the first that does not.
    """

    q: str | None = None
    actor_id: int | None = None
    action: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class ChainState(Struct, frozen=True):
    """The result of a check of the whole chain.

    Keep `entries` and `head` elsewhere: a later check that has fewer entries, or another hash at
    that place, proves that the end was cut off.
    """

    intact: bool
    entries: int
    head: str
    broken_at: int | None
