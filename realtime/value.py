"""A VALUE channel on this process: the newest value, soon, and never an old one after a new one.

The first change leaves at once; those of the next interval are conflated into the newest.
"""

import asyncio
from collections.abc import Callable

from realtime.audience import Audience, Subscriber
from realtime.broker import Message
from realtime.delta import Deltas
from realtime.fanout import Fanout
from realtime.model import Publication
from realtime.protocol import PushWriter


class ValueChannel:
    """One VALUE channel."""

    def __init__(
        self,
        name: str,
        interval_s: float,
        clock: Callable[[], float],
        fanout: Fanout | None = None,
    ) -> None:
        self.audience = Audience(name, fanout)
        self.newest: Publication | None = None
        self._interval_s = interval_s
        self._clock = clock
        self._writer = PushWriter(name)
        self.deltas = Deltas(name)
        self._quiet_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """True when nobody listens here."""
        return not self.audience.members

    async def start(self) -> None:
        """Nothing to learn: the newest value comes with the snapshot."""

    def stop(self) -> None:
        """Forget a value that waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def receive(self, message: Message) -> None:
        """Take a value; one that is not newer than the newest is dropped."""
        if not self._is_newer(message.publication):
            return
        self.newest = message.publication
        if self._timer is not None:
            return
        wait_s = self._quiet_until - self._clock()
        if wait_s <= 0:
            self._deliver()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._deliver)

    def _is_newer(self, publication: Publication) -> bool:
        """Values without a version are taken as they come, until one with a version has come:
        0 is also the version before the first change."""
        if self.newest is None or not publication.version:
            return not self._has_version
        return publication.version > self.newest.version

    @property
    def _has_version(self) -> bool:
        return self.newest is not None and self.newest.version > 0

    def _deliver(self) -> None:
        self._timer = None
        self._quiet_until = self._clock() + self._interval_s
        if self.newest is not None:
            self.audience.broadcast(self._writer.publication(self.newest))

    def admit(
        self,
        subscriber: Subscriber,
        snapshot: Publication | None,
        view: Subscriber | None = None,
    ) -> Publication | None:
        """Make the subscriber live and return the newest value known, snapshot included.

        Must run in the same step as the reply. A snapshot newer than what was seen here is news
        for the others too: its own publication may be dropped as old when it arrives.
        """
        if snapshot is not None and snapshot.version and self._is_newer(snapshot):
            self.receive(Message.of(snapshot))
        self.audience.add(subscriber, view)
        if snapshot is not None and not snapshot.version and not self._has_version:
            return snapshot
        return self.newest
