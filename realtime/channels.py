"""The channels that are open on this process: found by family, opened once, kept warm, closed."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from realtime import codes
from realtime.audience import Subscriber
from realtime.broker import Broker, Kind, Message
from realtime.fanout import Fanout
from realtime.model import ChannelFamily, Delivery, DurableLog, Limits
from realtime.ordered import OrderedChannel
from realtime.protocol import PushWriter
from realtime.sources import LogSource, Source, TailSource
from realtime.tasks import TaskGroup
from realtime.value import ValueChannel

Channel = OrderedChannel | ValueChannel


class Channels:
    """Every channel with local subscribers, or with some until a moment ago."""

    def __init__(
        self,
        families: Sequence[ChannelFamily],
        broker: Broker,
        log: DurableLog | None,
        limits: Limits,
        tasks: TaskGroup,
        clock: Callable[[], float],
        fanout: Fanout | None = None,
    ) -> None:
        self._families: tuple[ChannelFamily, ...] = ()
        self._broker = broker
        self._log = log
        self._limits = limits
        self._tasks = tasks
        self._clock = clock
        self._fanout = fanout
        self._open: dict[str, Channel] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._pins: Counter[str] = Counter()
        self._idle_since: dict[str, float] = {}
        self.register(families)

    def register(self, families: Sequence[ChannelFamily]) -> None:
        """Add families; raises ValueError for a LOG family without a durable log."""
        if self._log is None and any(f.delivery is Delivery.LOG for f in families):
            raise ValueError("a LOG family needs a durable log")
        self._families += tuple(families)

    def family(self, name: str) -> ChannelFamily:
        """Find the family a channel belongs to; raises RealtimeError 102."""
        if len(name) <= self._limits.max_channel_length:
            for family in self._families:
                if family.owns(name):
                    return family
        raise codes.UNKNOWN_CHANNEL.error()

    def get(self, name: str) -> Channel | None:
        """Return the channel if it is open here."""
        return self._open.get(name)

    def standing(self, name: str) -> OrderedChannel | None:
        """Return an ordered channel that is open here and knows where it stands."""
        channel = self._open.get(name)
        if not isinstance(channel, OrderedChannel) or name in self._starting:
            return None
        return channel if channel.last >= 0 else None

    def ordered(self, delivery: Delivery) -> dict[str, OrderedChannel]:
        """Return the open channels of one ordered class that have a known place."""
        return {
            name: channel
            for name, channel in self._open.items()
            if isinstance(channel, OrderedChannel)
            and channel.last >= 0
            and self.family(name).delivery is delivery
        }

    def values(self) -> dict[str, ValueChannel]:
        """Return the open VALUE channels."""
        return {n: c for n, c in self._open.items() if isinstance(c, ValueChannel)}

    def __len__(self) -> int:
        """Count the open channels."""
        return len(self._open)

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[Channel]:
        """Open the channel if need be and keep it open inside the block."""
        self._pins[name] += 1
        try:
            if name not in self._open:
                self._begin(name)
            if (starting := self._starting.get(name)) is not None:
                await asyncio.shield(starting)
            yield self._open[name]
        finally:
            self._pins[name] -= 1
            if not self._pins[name]:
                del self._pins[name]

    def leave(self, name: str, subscriber: Subscriber) -> None:
        """Take a subscriber off a channel."""
        channel = self._open.get(name)
        if channel is not None:
            channel.audience.remove(subscriber)

    def hear(self, name: str, subscriber: Subscriber) -> None:
        """Let a subscriber that had a view hear the channel itself, if it is still on it."""
        channel = self._open.get(name)
        if channel is not None and subscriber in channel.audience.members:
            channel.audience.remove(subscriber)
            channel.audience.add(subscriber)

    def receive(self, name: str, message: Message) -> None:
        """Hand a message to the channel, if it is open here."""
        channel = self._open.get(name)
        if channel is None:
            return
        match message.kind:
            case Kind.PUBLICATION:
                channel.receive(message)
            case Kind.JOIN:
                channel.audience.tell(PushWriter(name).joined(message.publication.data))
            case _:  # a leave
                channel.audience.tell(PushWriter(name).left(message.publication.data))

    async def close_idle(self) -> None:
        """Close channels nobody has listened to for the linger time."""
        now = self._clock()
        for name, channel in list(self._open.items()):
            if not channel.idle or self._pins[name]:
                self._idle_since.pop(name, None)
            elif now - self._idle_since.setdefault(name, now) >= self._limits.linger_s:
                await self._close(name)

    def _begin(self, name: str) -> None:
        self._open[name] = self._make(name)
        if not self.family(name).join_leave_to_all:
            self._open[name].audience.tell_watchers_only()
        loop = asyncio.get_running_loop()
        # A fresh context: the opener may be inside a database transaction.
        task = loop.create_task(self._start(name), context=contextvars.Context())
        self._starting[name] = task
        task.add_done_callback(lambda t: t.cancelled() or t.exception())

    def _make(self, name: str) -> Channel:
        family = self.family(name)
        if family.delivery is Delivery.VALUE:
            return ValueChannel(name, self._limits.value_interval_s, self._clock, self._fanout)
        source: Source = TailSource(self._broker, name)
        if family.delivery is Delivery.LOG and self._log is not None:
            source = LogSource(self._log, name)
        limits = self._limits
        if family.history_size:
            # Memory must not remember what the family says is forgotten.
            limits = replace(limits, window_size=min(limits.window_size, family.history_size))
        return OrderedChannel(name, source, limits, self._tasks, self._fanout)

    async def _start(self, name: str) -> None:
        """Let messages flow first, then learn where the channel stands: no gap between."""
        try:
            async with asyncio.timeout(self._limits.command_timeout_s):
                await self._broker.subscribe(name)
                await self._open[name].start()
        except BaseException:
            await self._close(name)
            raise
        finally:
            self._starting.pop(name, None)

    async def _close(self, name: str) -> None:
        channel = self._open.pop(name)
        self._idle_since.pop(name, None)
        channel.stop()
        await self._broker.unsubscribe(name)
