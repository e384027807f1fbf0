"""What a session asks of the world: bytes to send, a close, or work that needs I/O."""

from dataclasses import dataclass

from realtime import codes
from realtime.codes import Disconnect, ErrorCode
from realtime.protocol import Command, Frame, HistoryRequest, SubscribeRequest


@dataclass(frozen=True, slots=True)
class Send:
    """Put this frame on the outgoing queue."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Close:
    """Flush what can be flushed, then close with this code."""

    disconnect: Disconnect


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Verify the token of `connect`; answer with `Session.connected` or `refused`."""

    id: int
    token: str


@dataclass(frozen=True, slots=True)
class Renew:
    """Verify the token of `refresh`; answer with `Session.refreshed` or `refused`."""

    id: int
    token: str


@dataclass(frozen=True, slots=True)
class Join:
    """Authorise and subscribe; answer with `Session.subscribed` or `join_refused`."""

    id: int
    request: SubscribeRequest


@dataclass(frozen=True, slots=True)
class Leave:
    """Take the connection off the channel; answer with `Session.unsubscribed`."""

    id: int
    channel: str


@dataclass(frozen=True, slots=True)
class Call:
    """Run an rpc method."""

    id: int
    method: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ReadPresence:
    """Read who is on a channel; `stats` asks for the numbers only."""

    id: int
    channel: str
    stats: bool


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Read publications of a channel."""

    id: int
    request: HistoryRequest

    @property
    def channel(self) -> str:
        """The channel that is read."""
        return self.request.channel


Work = Authenticate | Renew | Join | Leave | Call | ReadPresence | ReadHistory
Action = Send | Close | Work


def reading_of(command: Command) -> ReadPresence | ReadHistory | None:
    """Return the work of a command that asks about a channel."""
    if command.presence is not None:
        return ReadPresence(command.id, command.presence.channel, stats=False)
    if command.presence_stats is not None:
        return ReadPresence(command.id, command.presence_stats.channel, stats=True)
    return None if command.history is None else ReadHistory(command.id, command.history)


def unsupported(command: Command) -> ErrorCode:
    """Say why a command that this server never serves is refused."""
    if command.publish:
        return codes.PERMISSION_DENIED
    return codes.NOT_AVAILABLE if command.sub_refresh else codes.METHOD_NOT_FOUND
