"""What a session asks of the world: bytes to send, a close, or work that needs I/O."""

from collections.abc import Mapping

import msgspec

from realtime.codes import Disconnect
from realtime.messages import Command, HistoryRequest, SubscribeRequest
from realtime.protocol import Frame


class Send(msgspec.Struct, frozen=True, gc=False):
    """Put this frame on the outgoing queue."""

    frame: Frame


class Close(msgspec.Struct, frozen=True, gc=False):
    """Flush what can be flushed, then close with this code."""

    disconnect: Disconnect


class Authenticate(msgspec.Struct, frozen=True, gc=False):
    """Verify the token of `connect`; answer with `Session.connected` or `refused`."""

    id: int
    token: str
    data: bytes = b"null"
    subs: Mapping[str, SubscribeRequest] = {}
    """Where the client stood in channels that the server had subscribed it to."""


class Renew(msgspec.Struct, frozen=True, gc=False):
    """Verify the token of `refresh`; answer with `Session.refreshed` or `refused`."""

    id: int
    token: str


class RenewChannel(msgspec.Struct, frozen=True, gc=False):
    """Verify the token of `sub_refresh`; answer with `Session.answered` or `refused`."""

    id: int
    channel: str
    token: str


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Publish to a channel, where its family allows that."""

    id: int
    channel: str
    data: bytes


class Tell(msgspec.Struct, frozen=True, gc=False):
    """Hand a message that wants no answer to the application."""

    data: bytes
    id: int = 0


class Enrol(msgspec.Struct, frozen=True, gc=False):
    """Subscribe the client from the server's side."""

    channel: str
    id: int = 0


class Expel(msgspec.Struct, frozen=True, gc=False):
    """Take the client off a channel whose grant has expired, or clear up behind a lost one."""

    channel: str
    expired: bool = True
    id: int = 0


class Join(msgspec.Struct, frozen=True, gc=False):
    """Authorise and subscribe; answer with `Session.subscribed`, or with `left` and `refused`."""

    id: int
    request: SubscribeRequest


class Leave(msgspec.Struct, frozen=True, gc=False):
    """Take the connection off the channel; answer with `Session.unsubscribed`."""

    id: int
    channel: str


class Call(msgspec.Struct, frozen=True, gc=False):
    """Run an rpc method."""

    id: int
    method: str
    data: bytes


class ReadPresence(msgspec.Struct, frozen=True, gc=False):
    """Read who is on a channel; `stats` asks for the numbers only."""

    id: int
    channel: str
    stats: bool


class ReadHistory(msgspec.Struct, frozen=True, gc=False):
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
