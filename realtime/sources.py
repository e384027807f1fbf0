"""Where an ordered channel reads what it missed: the durable log, or the broker's stream."""

from typing import Protocol

from realtime.broker import Broker, History
from realtime.model import DurableLog, Publication
from realtime.protocol import one_line


class Source(Protocol):
    """The truth behind one ordered channel."""

    async def head(self) -> tuple[int, str]:
        """Return the newest offset and the epoch."""

    async def read(self, after: int, limit: int) -> History:
        """Return what follows `after`; its epoch is empty where a read cannot tell."""


class LogSource:
    """A LOG channel's truth: the application's durable log."""

    def __init__(self, log: DurableLog, channel: str) -> None:
        self._log = log
        self._channel = channel

    async def head(self) -> tuple[int, str]:
        """Return the newest offset and the epoch."""
        return await self._log.head(self._channel)

    async def read(self, after: int, limit: int) -> History:
        """Return what follows `after`."""
        rows = await self._log.read(self._channel, after, limit)
        found = [Publication(one_line(p.data), p.offset) for p in rows]
        return History(found, found[-1].offset if found else after, "")


class TailSource:
    """A TAIL channel's truth while it runs: the stream kept by the broker."""

    def __init__(self, broker: Broker, channel: str) -> None:
        self._broker = broker
        self._channel = channel

    async def head(self) -> tuple[int, str]:
        """Return the newest offset and the epoch; both begin here when there are none."""
        history = await self._broker.history(self._channel, 2**53, 1)
        return history.offset, history.epoch

    async def read(self, after: int, limit: int) -> History:
        """Return what follows `after`."""
        return await self._broker.history(self._channel, after, limit)
