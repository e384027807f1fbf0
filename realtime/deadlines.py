"""The four deadlines of one connection: connect, ping, pong, expiry. The time is an argument."""

from realtime import codes
from realtime.codes import Disconnect
from realtime.model import Limits

NEVER = float("inf")


class Deadlines:
    """What must happen by when, and what follows when it does not."""

    __slots__ = ("_connect_by", "_expires_at", "_limits", "_ping_at", "_pong_by")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._connect_by = now + limits.connect_timeout_s
        self._expires_at = NEVER
        self._ping_at = NEVER
        self._pong_by = NEVER

    @property
    def next(self) -> float:
        """The next moment at which there is something to do."""
        return min(self._connect_by, self._ping_at, self._pong_by, self._expires_at)

    def missed(self, now: float) -> Disconnect | None:
        """Return the verdict when a deadline has passed."""
        if now >= self._connect_by:
            return codes.STALE
        if now >= self._pong_by:
            return codes.NO_PONG
        return codes.EXPIRED if now >= self._expires_at else None

    def ping_is_due(self, now: float) -> bool:
        """Tell whether to ping now; then the pong is awaited."""
        if now < self._ping_at:
            return False
        self._ping_at = now + self._limits.ping_interval_s
        self._pong_by = now + self._limits.pong_timeout_s
        return True

    def connected(self, now: float) -> None:
        """Start to ping."""
        self._connect_by = NEVER
        self._ping_at = now + self._limits.ping_interval_s

    def pong(self) -> None:
        """The client lives."""
        self._pong_by = NEVER

    def expire(self, expires_in: float | None, now: float, *, grace: bool) -> int:
        """Set the end; returns the seconds a client that can renew is told, 0 for none."""
        if expires_in is None:
            self._expires_at = NEVER
            return 0
        if not grace:
            self._expires_at = now + expires_in
            return 0
        self._expires_at = now + expires_in + self._limits.expiry_grace_s
        return max(1, int(expires_in))

    def clear(self) -> None:
        """Nothing is awaited any more."""
        self._connect_by = self._expires_at = self._ping_at = self._pong_by = NEVER
