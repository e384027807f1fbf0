"""A token bucket that also counts how often it refused since it was last full."""


class Bucket:
    """Allows `rate` takes a second and `burst` at once; the time is an argument."""

    __slots__ = ("_at", "_burst", "_left", "_rate", "refusals")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at = now
        self.refusals = 0

    def take(self, now: float) -> bool:
        """Take one; False when the bucket is empty."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left >= self._burst:
            self.refusals = 0
        if self._left < 1:
            self.refusals += 1
            return False
        self._left -= 1
        return True
