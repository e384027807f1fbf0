"""Remembers for a moment whose session a cookie is, so that a page's reload asks no database.

Never longer than a revoked session's sockets may live: whoever was ended meanwhile is asked for
anew, and nothing is remembered while orders to end somebody may be missed.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from app.http.door import Known
from app.http.sessions import cookie_token
from realtime import Identity, Node

REMEMBER_S = 5.0
"""As often as open sockets are asked for (`Limits.revalidate_interval_s`)."""
MOST = 20_000
"""Sessions of one process; beyond, the one asked for longest ago is forgotten (about 10 MiB)."""

LookUp = Callable[[str], Awaitable[Identity | None]]


class KnownSessions:
    """Sessions that were looked up a moment ago, by the hash of their token."""

    def __init__(self, node: Node, look_up: LookUp, *, remember_s: float = REMEMBER_S) -> None:
        self._node = node
        self._look_up = look_up
        self._remember_s = remember_s
        self._known: dict[bytes, Known] = {}

    async def authenticate(self, scope: Any) -> Identity | None:
        """Ask the store whose cookie it is. Raises what the store raises when it is away."""
        token = cookie_token(scope)
        if token is None:
            return None
        checked_at = self._node.now()
        identity = await self._look_up(token)
        if identity is not None:
            self._keep(_key(token), Known(identity, checked_at))
        return identity

    def recall(self, scope: Any) -> Known | None:
        """Say it without asking; None: ask."""
        token = cookie_token(scope)
        if token is None:
            return Known(None, self._node.now())
        known = self._known.get(key := _key(token))
        if known is None:
            return None
        if self._is_fresh(known):
            return known
        del self._known[key]
        return None

    def _is_fresh(self, known: Known) -> bool:
        identity, checked_at = known
        is_young = self._node.now() - checked_at < self._remember_s
        stands = self._node.identities.stand
        return is_young and identity is not None and stands(identity, checked_at)

    def _keep(self, key: bytes, known: Known) -> None:
        self._known.pop(key, None)  # the newest stands last
        self._known[key] = known
        oldest = next(iter(self._known))
        too_old = known.checked_at - self._known[oldest].checked_at >= self._remember_s
        if too_old or len(self._known) > MOST:
            del self._known[oldest]


def _key(token: str) -> bytes:
    """Whoever reads this process's memory finds no cookie here."""
    return sha256(token.encode()).digest()
