"""The contract between processes, and its implementation inside one process.

A broker carries publications, orders to disconnect, presence leases and the short history of TAIL
channels. It is never the truth: losing it loses nothing that was acknowledged.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from realtime.codes import BrokerUnavailable
from realtime.model import Publication


class Kind(StrEnum):
    """What a message on a channel is."""

    PUBLICATION = "p"
    JOIN = "j"
    LEAVE = "l"


@dataclass(frozen=True, slots=True)
class Message:
    """What travels on a channel between processes; `epoch` is set by TAIL histories only."""

    kind: Kind
    publication: Publication
    epoch: str = ""

    @classmethod
    def of(cls, publication: Publication) -> "Message":
        """Wrap a publication that has no epoch."""
        return cls(Kind.PUBLICATION, publication)


@dataclass(frozen=True, slots=True)
class History:
    """A piece of a channel's stream together with the stream's head."""

    publications: list[Publication]
    offset: int
    epoch: str


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What readiness shows."""

    connected: bool
    last_error: str = ""


class Receiver(Protocol):
    """What a broker calls; none of these may block."""

    def on_message(self, channel: str, message: Message) -> None:
        """Take a message of a channel this process subscribed to."""

    def on_control(self, data: bytes) -> None:
        """Take a message for every process."""

    def on_restored(self) -> None:
        """Learn that messages may have been missed and now flow again."""


class Broker(Protocol):
    """Every verb but `subscribe` and `unsubscribe` raises BrokerUnavailable in an outage."""

    @property
    def state(self) -> BrokerState:
        """Say whether messages flow now."""

    async def start(self, receiver: Receiver) -> None:
        """Begin; an absent server is no error, it is waited for."""

    async def stop(self) -> None:
        """End; leaves no task and no connection."""

    async def subscribe(self, channel: str) -> bool:
        """Want a channel until `unsubscribe`; True once messages flow, False in an outage."""

    async def unsubscribe(self, channel: str) -> None:
        """Want a channel no more."""

    async def publish(self, channel: str, message: Message) -> None:
        """Send to every process that wants the channel."""

    async def append(self, channel: str, data: bytes) -> tuple[int, str]:
        """Add to the channel's stream and send, in one step; returns offset and epoch."""

    async def history(self, channel: str, after: int, limit: int) -> History:
        """Read the channel's stream; creates its epoch when it has none."""

    async def drop(self, channel: str) -> None:
        """Forget the stream's publications; offsets go on from where they were."""

    async def control(self, data: bytes) -> None:
        """Send to every process, this one included."""

    async def presence_put(self, channel: str, client: str, info: bytes, ttl_s: float) -> None:
        """Add or renew a lease."""

    async def presence_remove(self, channel: str, client: str) -> None:
        """Give a lease back."""

    async def presence(self, channel: str) -> dict[str, bytes]:
        """Return the living leases."""


@dataclass(slots=True)
class _Stream:
    size: int
    epoch: str = field(default_factory=lambda: secrets.token_hex(4))
    offset: int = 0
    items: deque[Publication] = field(default_factory=deque)

    def append(self, data: bytes) -> Publication:
        self.offset += 1
        publication = Publication(data, self.offset)
        self.items.append(publication)
        while len(self.items) > self.size:
            self.items.popleft()
        return publication


class MemoryBus:
    """What several MemoryBrokers share; `down` plays an outage, `lose` a restart without data."""

    def __init__(
        self, *, stream_size: int = 5000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.brokers: list[MemoryBroker] = []
        self.streams: dict[str, _Stream] = {}
        self.leases: dict[str, dict[str, tuple[bytes, float]]] = {}
        self.down = False
        self.stream_size = stream_size
        self.clock = clock

    def lose(self) -> None:
        """Forget everything, as a server that was killed."""
        self.streams.clear()
        self.leases.clear()

    def restore(self) -> None:
        """End an outage."""
        self.down = False
        for broker in self.brokers:
            broker.receiver.on_restored()

    def stream(self, channel: str) -> _Stream:
        """Find or begin a channel's stream."""
        if channel not in self.streams:
            self.streams[channel] = _Stream(self.stream_size)
        return self.streams[channel]

    def check(self) -> None:
        """Raise BrokerUnavailable while down."""
        if self.down:
            raise BrokerUnavailable("down")


class MemoryBroker:
    """The contract within one process; delivers at once, in order."""

    receiver: Receiver

    def __init__(self, bus: MemoryBus | None = None) -> None:
        self.bus = bus or MemoryBus()
        self.channels: set[str] = set()

    @property
    def state(self) -> BrokerState:
        """Say whether messages flow now."""
        return BrokerState(not self.bus.down, "down" if self.bus.down else "")

    async def start(self, receiver: Receiver) -> None:
        """Join the bus."""
        self.receiver = receiver
        self.bus.brokers.append(self)

    async def stop(self) -> None:
        """Leave the bus."""
        self.bus.brokers.remove(self)

    async def subscribe(self, channel: str) -> bool:
        """Want a channel."""
        self.channels.add(channel)
        return not self.bus.down

    async def unsubscribe(self, channel: str) -> None:
        """Want a channel no more."""
        self.channels.discard(channel)

    async def publish(self, channel: str, message: Message) -> None:
        """Deliver to every broker on the bus that wants the channel."""
        self.bus.check()
        for broker in list(self.bus.brokers):
            if channel in broker.channels:
                broker.receiver.on_message(channel, message)

    async def append(self, channel: str, data: bytes) -> tuple[int, str]:
        """Add to the stream and deliver."""
        self.bus.check()
        stream = self.bus.stream(channel)
        publication = stream.append(data)
        await self.publish(channel, Message(Kind.PUBLICATION, publication, stream.epoch))
        return publication.offset, stream.epoch

    async def history(self, channel: str, after: int, limit: int) -> History:
        """Read the stream."""
        self.bus.check()
        stream = self.bus.stream(channel)
        found = [p for p in stream.items if p.offset > after][:limit]
        return History(found, stream.offset, stream.epoch)

    async def drop(self, channel: str) -> None:
        """Forget the stream's publications."""
        self.bus.check()
        self.bus.stream(channel).items.clear()

    async def control(self, data: bytes) -> None:
        """Deliver to every broker on the bus."""
        self.bus.check()
        for broker in list(self.bus.brokers):
            broker.receiver.on_control(data)

    async def presence_put(self, channel: str, client: str, info: bytes, ttl_s: float) -> None:
        """Add or renew a lease."""
        self.bus.check()
        self.bus.leases.setdefault(channel, {})[client] = (info, self.bus.clock() + ttl_s)

    async def presence_remove(self, channel: str, client: str) -> None:
        """Give a lease back."""
        self.bus.check()
        self.bus.leases.get(channel, {}).pop(client, None)

    async def presence(self, channel: str) -> dict[str, bytes]:
        """Return the living leases."""
        self.bus.check()
        now = self.bus.clock()
        leases = self.bus.leases.get(channel, {})
        return {client: info for client, (info, until) in leases.items() if until > now}
