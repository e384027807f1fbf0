"""Two brokers of one house, and ears that remember what they were told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realtime import Publication
from realtime.broker import Broker, BrokerState, Message


class Ear:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []
        self.controls: list[bytes] = []
        self.restored = 0

    def on_message(self, channel: str, message: Message) -> None:
        self.messages.append((channel, message))

    def on_control(self, data: bytes) -> None:
        self.controls.append(data)

    def on_restored(self) -> None:
        self.restored += 1


Pair = tuple[Broker, Ear, Broker, Ear]


@asynccontextmanager
async def started(one: Broker, other: Broker) -> AsyncIterator[Pair]:
    """Both brokers with an ear."""
    ears = Ear(), Ear()
    await one.start(ears[0], "one")
    await other.start(ears[1], "other")
    assert one.state == other.state == BrokerState(connected=True)
    try:
        yield one, ears[0], other, ears[1]
    finally:
        await one.stop()
        await other.stop()


def message(number: int, version: int = 0) -> Message:
    """A publication whose data is its number."""
    return Message.of(Publication(b'{"n":%d}' % number, number, version))
