"""The broker contract inside one process: for tests, and for an installation of one process."""

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from realtime.broker import WHOLE, BrokerState, History, Keep, Kind, Message, Receiver
from realtime.codes import BrokerUnavailable
from realtime.model import Publication

KEY_TTL_S = 300.0
"""How long an idempotency key is remembered."""


@dataclass(slots=True)
class _Stream:
    epoch: str = field(default_factory=lambda: secrets.token_hex(4))
    offset: int = 0
    items: deque[Publication] = field(default_factory=deque)

    ends_at: float = float("inf")

    def append(self, data: bytes, info: bytes, size: int) -> Publication:
        self.offset += 1
        publication = Publication(data, self.offset, info=info)
        self.items.append(publication)
        while len(self.items) > size:
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
        self.parked: dict[tuple[str, str], dict[str, float]] = {}
        self.keys: dict[tuple[str, str], tuple[tuple[int, str], float]] = {}
        self.down = False
        self.stream_size = stream_size
        self.clock = clock

    def lose(self) -> None:
        """Forget everything, as a server that was killed."""
        self.streams.clear()
        self.leases.clear()
        self.parked.clear()
        self.keys.clear()

    def restore(self) -> None:
        """End an outage."""
        self.down = False
        for broker in self.brokers:
            broker.receiver.on_restored()

    def stream(self, channel: str) -> _Stream:
        """Find or begin a channel's stream."""
        stream = self.streams.setdefault(channel, _Stream())
        if stream.ends_at <= self.clock():
            stream.items.clear()
        return stream

    def seen(self, channel: str, key: str) -> tuple[int, str] | None:
        """Return what the first use of an idempotency key returned."""
        now = self.clock()
        self.keys = {k: v for k, v in self.keys.items() if v[1] > now}
        place, _ = self.keys.get((channel, key), (None, 0.0))
        return place

    def remember(self, channel: str, key: str, place: tuple[int, str]) -> None:
        """Keep what the first use of an idempotency key returned."""
        if key:
            self.keys[channel, key] = (place, self.clock() + KEY_TTL_S)

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
        self.node = ""

    @property
    def state(self) -> BrokerState:
        """Say whether messages flow now."""
        return BrokerState(not self.bus.down, "down" if self.bus.down else "")

    async def start(self, receiver: Receiver, node: str = "") -> None:
        """Join the bus."""
        self.receiver = receiver
        self.node = node
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

    async def publish(self, channel: str, message: Message, *, key: str = "") -> None:
        """Deliver to every broker on the bus that wants the channel."""
        self.bus.check()
        if key and self.bus.seen(channel, key):
            return
        self.bus.remember(channel, key, (0, ""))
        for broker in list(self.bus.brokers):
            if channel in broker.channels:
                broker.receiver.on_message(channel, message)

    async def append(
        self, channel: str, data: bytes, *, info: bytes = b"", key: str = "", keep: Keep = WHOLE
    ) -> tuple[int, str]:
        """Add to the stream and deliver."""
        self.bus.check()
        if key and (place := self.bus.seen(channel, key)):
            return place
        stream = self.bus.stream(channel)
        publication = stream.append(data, info, keep.size or self.bus.stream_size)
        stream.ends_at = self.bus.clock() + keep.ttl_s if keep.ttl_s else float("inf")
        self.bus.remember(channel, key, (publication.offset, stream.epoch))
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

    async def order(self, node: str, data: bytes) -> bool:
        """Deliver to the broker of this name."""
        self.bus.check()
        found = [b for b in self.bus.brokers if b.node == node]
        for broker in found:
            broker.receiver.on_control(data)
        return bool(found)

    async def presence_put(self, channel: str, leases: Mapping[str, bytes], ttl_s: float) -> None:
        """Add or renew leases."""
        self.bus.check()
        ends_at = self.bus.clock() + ttl_s
        present = self.bus.leases.setdefault(channel, {})
        present.update({client: (info, ends_at) for client, info in leases.items()})

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

    async def presence_park(self, channel: str, client: str, user: str, grace_s: float) -> None:
        """Note that this client may come back."""
        self.bus.check()
        parked = self.bus.parked.setdefault((channel, user), {})
        parked[client] = self.bus.clock() + grace_s

    async def presence_claim(self, channel: str, user: str) -> bool:
        """Take over one parked lease of the user."""
        self.bus.check()
        parked = self.bus.parked.pop((channel, user), {})
        now = self.bus.clock()
        waiting = {client: until for client, until in parked.items() if until > now}
        if not waiting:
            return False
        client, _ = waiting.popitem()
        if waiting:
            self.bus.parked[channel, user] = waiting
        await self.presence_remove(channel, client)
        return True

    async def presence_unpark(self, channel: str, client: str, user: str) -> bool:
        """End a parked lease, unless it was claimed."""
        self.bus.check()
        parked = self.bus.parked.get((channel, user), {})
        if parked.pop(client, None) is None:
            return False
        if not parked:
            del self.bus.parked[channel, user]
        await self.presence_remove(channel, client)
        return True
