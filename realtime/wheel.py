"""Which connection must be looked at in which second: one wheel instead of a timer for each."""

from math import ceil, inf
from typing import Protocol


class Armed(Protocol):
    """What stands on the wheel."""

    armed: float
    """The second at which it is looked at; infinity: it stands nowhere."""

    def tick(self) -> None:
        """Look at the clock."""


class Wheel:
    """Things by the second in which they are due; the time is an argument."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: dict[float, dict[Armed, None]] = {}

    def arm(self, thing: Armed, at: float) -> None:
        """Have it looked at in the second of this moment, instead of any other."""
        self.disarm(thing)
        if at < inf:
            thing.armed = float(ceil(at))
            self._seconds.setdefault(thing.armed, {})[thing] = None

    def disarm(self, thing: Armed) -> None:
        """Take it off."""
        standing = self._seconds.get(thing.armed)
        if standing is not None:
            standing.pop(thing, None)
            if not standing:
                del self._seconds[thing.armed]
        thing.armed = inf

    def due(self, now: float) -> list[Armed]:
        """Take everything whose second has come; whoever has more to do is armed again."""
        found: list[Armed] = []
        for second in sorted(s for s in self._seconds if s <= now):
            for thing in self._seconds.pop(second):
                thing.armed = inf
                found.append(thing)
        return found
