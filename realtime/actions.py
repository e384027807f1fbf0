"""What a session asks of the world: bytes to send, a close, or work that needs I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from realtime.codes import Disconnect
from realtime.messages import Command, HistoryRequest, SubscribeRequest
from realtime.protocol import Frame


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
    data: bytes = b"null"
    subs: Mapping[str, SubscribeRequest] = field(default_factory=dict)
    """Where the client stood in channels that the server had subscribed it to."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Verify the token of `refresh`; answer with `Session.refreshed` or `refused`."""

    id: int
    token: str


@dataclass(frozen=True, slots=True)
class RenewChannel:
    """Verify the token of `sub_refresh`; answer with `Session.answered` or `refused`."""

    id: int
    channel: str
    token: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish to a channel, where its family allows that."""

    id: int
    channel: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Tell:
    """Hand a message that wants no answer to the application."""

    data: bytes
    id: int = 0


@dataclass(frozen=True, slots=True)
class Enrol:
    """Subscribe the client from the server's side."""

    channel: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class Expel:
    """Take the client off a channel whose grant has expired, or clear up behind a lost one."""

    channel: str
    expired: bool = True
    id: int = 0


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


Work = (
    Authenticate
    | Renew
    | RenewChannel
    | Join
    | Leave
    | Publish
    | Call
    | Tell
    | ReadPresence
    | ReadHistory
    | Enrol
    | Expel
)
Action = Send | Close | Work


def work_of(command: Command) -> Work | None:
    """Return the work of a command that neither connects nor subscribes; None for no command."""
    match command:
        case Command(publish=request) if request is not None:
            return Publish(command.id, request.channel, bytes(request.data))
        case Command(rpc=request) if request is not None:
            return Call(command.id, request.method, bytes(request.data))
        case Command(refresh=request) if request is not None:
            return Renew(command.id, request.token)
        case Command(sub_refresh=request) if request is not None:
            return RenewChannel(command.id, request.channel, request.token)
    return _reading_of(command)


def _reading_of(command: Command) -> Work | None:
    if command.presence is not None:
        return ReadPresence(command.id, command.presence.channel, stats=False)
    if command.presence_stats is not None:
        return ReadPresence(command.id, command.presence_stats.channel, stats=True)
    return None if command.history is None else ReadHistory(command.id, command.history)
