"""What a connection needs to reach its client: a way out that never blocks its caller."""

from collections.abc import Sequence
from typing import Protocol

from realtime.codes import Disconnect
from realtime.protocol import Frame


class TransportClosed(Exception):
    """The other side is gone; nothing more can be sent."""


class Transport(Protocol):
    """The way to one client. `send` may block; `abort` never does."""

    async def send(self, frames: Sequence[Frame]) -> None:
        """Hand frames over in order; raises TransportClosed when the client is gone."""

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye with a code."""

    def abort(self) -> None:
        """Drop the connection at once, whatever is still buffered."""


class Outgoing(Protocol):
    """Where a connection puts what leaves; nothing here blocks."""

    def bind(self, owner: "Owner") -> None:
        """Learn whose way out this is."""

    @property
    def slot(self) -> int:
        """The place in the process's fan-out, or -1: then every frame is pushed by itself."""

    @property
    def is_crowded(self) -> bool:
        """Tell whether so much waits that a large answer had better wait too."""

    def push(self, frame: Frame) -> None:
        """Take one frame; a client that does not keep up is its owner's business."""

    def close(self, disconnect: Disconnect, *, flush: bool) -> None:
        """Send what waits if that has a point, say goodbye, let the client go."""

    def gone(self) -> None:
        """Learn that there is nobody to send to any more."""


class Owner(Protocol):
    """A connection, as its way out sees it."""

    def lost(self) -> None:
        """Note that the client has gone."""

    def too_slow(self) -> None:
        """End a client that does not keep up."""
