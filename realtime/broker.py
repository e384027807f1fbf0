"""The contract between processes; `broker_memory` and `broker_redis` keep it.

A broker carries publications, orders to disconnect, presence leases and the short history of TAIL
channels. It is never the truth: losing it loses nothing that was acknowledged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

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


class BrokerState(msgspec.Struct, frozen=True):
    """What readiness shows."""

    connected: bool
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a stream is kept; zero stands for the broker's own bound."""

    size: int = 0
    ttl_s: int = 0


WHOLE = Keep()
WHOLE_STREAM = 100_000
"""More publications than any stream keeps."""


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

    async def start(self, receiver: Receiver, node: str = "") -> None:
        """Begin, under this node's name; an absent server is no error, it is waited for."""

    async def stop(self) -> None:
        """End; leaves no task and no connection."""

    async def subscribe(self, channel: str) -> bool:
        """Want a channel until `unsubscribe`; True once messages flow, False in an outage."""

    async def unsubscribe(self, channel: str) -> None:
        """Want a channel no more."""

    async def publish(self, channel: str, message: Message, *, key: str = "") -> None:
        """Send to every process that wants the channel; once for each idempotency key."""

    async def append(
        self, channel: str, data: bytes, *, info: bytes = b"", key: str = "", keep: Keep = WHOLE
    ) -> tuple[int, str]:
        """Add to the channel's stream and send, in one step; returns offset and epoch.

        `info` tells which client published. A second append with the same `key` within
        five minutes does nothing and returns what the first one returned.
        """

    async def history(self, channel: str, after: int, limit: int) -> History:
        """Read the channel's stream; creates its epoch when it has none."""

    async def drop(self, channel: str) -> None:
        """Forget the stream's publications; offsets go on from where they were."""

    async def control(self, data: bytes) -> None:
        """Send to every process, this one included."""

    async def order(self, node: str, data: bytes) -> bool:
        """Send to the control of one process; False when no process of this name listens."""

    async def presence_put(self, channel: str, leases: Mapping[str, bytes], ttl_s: float) -> None:
        """Add or renew leases: what is shown of each client."""

    async def presence_remove(self, channel: str, client: str) -> None:
        """Give a lease back."""

    async def presence_park(self, channel: str, client: str, user: str, grace_s: float) -> None:
        """Note that this client may come back as another one of the same user for a while."""

    async def presence_claim(self, channel: str, user: str) -> bool:
        """Take over one parked lease of the user, whose client is gone then; False: none."""

    async def presence_unpark(self, channel: str, client: str, user: str) -> bool:
        """End a parked lease; False when somebody claimed it, on whichever process."""

    async def presence(self, channel: str) -> dict[str, bytes]:
        """Return the living leases."""
