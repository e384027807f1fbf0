"""The deadlines of one connection: connect, ping, pong, expiry, and expiry of its channels.

The time is an argument.
"""

from zlib import crc32

from realtime import codes
from realtime.codes import Disconnect
from realtime.model import Limits

NEVER = float("inf")


class Deadlines:
    """What must happen by when, and what follows when it does not."""

    __slots__ = (
        "_channels",
        "_connect_by",
        "_connect_left",
        "_expires_at",
        "_limits",
        "_ping_at",
        "_pong_by",
        "_wants_pong",
        "next",
    )

    def __init__(self, limits: Limits, now: float, *, wants_pong: bool = True) -> None:
        self._limits = limits
        self._wants_pong = wants_pong
        self._channels: dict[str, float] | None = None
        self._connect_by = now + limits.connect_timeout_s
        self._connect_left = 0.0
        """What the client has left of that time while its `connect` is looked at."""
        self._expires_at = NEVER
        self._ping_at = NEVER
        self._pong_by = NEVER
        self.next = self._connect_by
        """The next moment at which there is something to do; asked far oftener than it moves."""

    def _settle(self) -> None:
        first = min(self._connect_by, self._ping_at, self._pong_by, self._expires_at)
        self.next = min(first, *self._channels.values()) if self._channels else first

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
        if self._wants_pong:
            self._pong_by = now + self._limits.pong_timeout_s
        self._settle()
        return True

    def connected(self, client: str, now: float) -> None:
        """Start to ping, at a moment of the interval that the client's name chooses.

        Those who came back together, as after a restart, are not pinged together for ever.
        """
        self._connect_by = NEVER
        share = (crc32(client.encode()) + 1) / 2**32
        self._ping_at = now + self._limits.ping_interval_s * share
        self._settle()

    def connecting(self, now: float) -> None:
        """The client has spoken: what our own check of it takes is not its fault."""
        self._connect_left = self._connect_by - now
        self._connect_by = NEVER
        self._settle()

    def refused(self, now: float) -> None:
        """The client may try again, in what was left of its time."""
        self._connect_by = now + self._connect_left
        self._settle()

    def pong(self) -> None:
        """The client lives."""
        self._pong_by = NEVER
        self._settle()

    def expire(self, expires_in: float | None, now: float, *, grace: bool) -> int:
        """Set the end; returns the seconds a client that can renew is told, 0 for none."""
        left_s = NEVER if expires_in is None else expires_in
        self._expires_at = now + left_s + (self._limits.expiry_grace_s if grace else 0)
        self._settle()
        return 0 if expires_in is None or not grace else max(1, int(expires_in))

    def expire_channel(self, channel: str, expires_in: float | None, now: float) -> int:
        """Set the end of one subscription; returns the seconds the client is told, 0 for none."""
        self.forget_channel(channel)
        if expires_in is None:
            return 0
        channels = self._channels = self._channels or {}
        channels[channel] = now + expires_in + self._limits.expiry_grace_s
        self._settle()
        return max(1, int(expires_in))

    def forget_channel(self, channel: str) -> None:
        """The subscription is over."""
        if self._channels:
            self._channels.pop(channel, None)
            self._settle()

    def expired_channels(self, now: float) -> list[str]:
        """Take the subscriptions whose time is over."""
        over = [c for c, at in (self._channels or {}).items() if now >= at]
        for channel in over:
            self.forget_channel(channel)
        return over

    def clear(self) -> None:
        """Nothing is awaited any more."""
        self._connect_by = self._expires_at = self._ping_at = self._pong_by = self.next = NEVER
        self._channels = None
