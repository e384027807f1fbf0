"""The Centrifuge client protocol, JSON version 2: structs, frame codec, prebuilt pushes.

Knows bytes and structs; never a socket, a session or a clock. Commands allow unknown fields:
newer clients add optional ones and expect older servers to ignore them.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated

import msgspec

from realtime.codes import Disconnect, RealtimeError, Unsubscribed
from realtime.model import Publication

NO_DATA = msgspec.Raw(b"null")
ABSENT = msgspec.Raw()
"""A raw field that was not sent; msgspec has no union with Raw."""
SERVER_VERSION = "sicerdas-realtime 1"

Id = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class ProtocolFault(Exception):
    """The client sent something that is no frame of this protocol."""


class ConnectRequest(msgspec.Struct, frozen=True):
    token: str = ""
    data: msgspec.Raw = NO_DATA
    name: str = ""
    version: str = ""


class SubscribeRequest(msgspec.Struct, frozen=True):
    channel: str = ""
    recover: bool = False
    epoch: str = ""
    offset: Offset = 0
    data: msgspec.Raw = NO_DATA


class ChannelRequest(msgspec.Struct, frozen=True):
    """Body of unsubscribe, presence and presence_stats."""

    channel: str = ""


class StreamPosition(msgspec.Struct, frozen=True):
    offset: Offset = 0
    epoch: str = ""


class HistoryRequest(msgspec.Struct, frozen=True):
    channel: str = ""
    limit: int = 0
    since: StreamPosition | None = None
    reverse: bool = False


class RpcRequest(msgspec.Struct, frozen=True):
    method: str = ""
    data: msgspec.Raw = NO_DATA


class RefreshRequest(msgspec.Struct, frozen=True):
    token: str = ""


class Command(msgspec.Struct, frozen=True):
    """One command; the first request that is set counts, as in the reference server."""

    id: Id = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: ChannelRequest | None = None
    publish: msgspec.Raw = ABSENT
    presence: ChannelRequest | None = None
    presence_stats: ChannelRequest | None = None
    history: HistoryRequest | None = None
    ping: msgspec.Raw = ABSENT
    send: msgspec.Raw = ABSENT
    rpc: RpcRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: msgspec.Raw = ABSENT


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    code: int
    message: str
    temporary: bool = False


class ClientInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """How presence and join/leave show a connection."""

    user: str
    client: str


class WirePublication(msgspec.Struct, frozen=True, omit_defaults=True):
    data: msgspec.Raw
    offset: int = 0


class ConnectResult(msgspec.Struct, frozen=True, omit_defaults=True):
    client: str
    version: str
    expires: bool = False
    ttl: int = 0
    ping: int = 0
    pong: bool = False


class RefreshResult(msgspec.Struct, frozen=True, omit_defaults=True):
    client: str
    version: str
    expires: bool = False
    ttl: int = 0


class SubscribeResult(msgspec.Struct, frozen=True, omit_defaults=True):
    recoverable: bool = False
    epoch: str = ""
    publications: list[WirePublication] | None = None
    recovered: bool = False
    offset: int = 0
    positioned: bool = False
    data: msgspec.Raw | None = None
    was_recovering: bool = False


class Empty(msgspec.Struct, frozen=True):
    """The result of unsubscribe and ping."""


class PresenceResult(msgspec.Struct, frozen=True):
    presence: dict[str, ClientInfo]


class PresenceStatsResult(msgspec.Struct, frozen=True):
    num_clients: int
    num_users: int


class HistoryResult(msgspec.Struct, frozen=True):
    publications: list[WirePublication]
    epoch: str
    offset: int


class RpcResult(msgspec.Struct, frozen=True):
    data: msgspec.Raw


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one command; exactly one field besides the id is set."""

    id: int
    error: ErrorBody | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Empty | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: HistoryResult | None = None
    ping: Empty | None = None
    rpc: RpcResult | None = None
    refresh: RefreshResult | None = None


class Frame:
    """One outgoing JSON object, built once and shared by every connection that gets it."""

    __slots__ = ("__dict__", "data", "publication")

    def __init__(self, data: bytes, publication: Publication | None = None) -> None:
        self.data = data
        self.publication = publication

    @cached_property
    def text(self) -> str:
        """The same as text, decoded once for all text transports."""
        return self.data.decode()

    @cached_property
    def websocket(self) -> bytes:
        """The same as one unmasked WebSocket text message (RFC 6455, 5.2)."""
        return message_header(0x81, len(self.data)) + self.data


def message_header(first: int, size: int) -> bytes:
    """Build the header of an unmasked WebSocket frame."""
    if size < 126:  # noqa: PLR2004  RFC 6455's own borders
        return bytes((first, size))
    if size < 65536:  # noqa: PLR2004
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


_command_decoder = msgspec.json.Decoder(Command)
_encode = msgspec.json.Encoder().encode


def decode_frame(frame: str | bytes, max_bytes: int) -> list[Command]:
    """Split a frame into its commands; raises ProtocolFault for anything else."""
    try:
        if isinstance(frame, str):
            frame = frame.encode()
        if len(frame) > max_bytes:
            raise ProtocolFault("frame too large")
        lines = [line for line in frame.split(b"\n") if not line.isspace() and line]
        commands = [_command_decoder.decode(line) for line in lines]
    except (msgspec.MsgspecError, ValueError, RecursionError) as fault:
        raise ProtocolFault("malformed frame") from fault
    if not commands:
        raise ProtocolFault("empty frame")
    return commands


def encode_reply(reply: Reply) -> Frame:
    """Encode one reply."""
    return Frame(_encode(reply))


def encode_error(command_id: int, error: RealtimeError) -> Frame:
    """Encode the refusal of one command."""
    body = ErrorBody(error.code, error.message, error.temporary)
    return Frame(_encode(Reply(command_id, error=body)))


def one_line(data: bytes) -> bytes:
    """Make JSON safe for newline-separated frames: a raw newline in JSON is only white space."""
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\n", b" ").replace(b"\r", b" ")
    return data


def wire(publications: Iterable[Publication]) -> list[WirePublication]:
    """Shape publications for a reply."""
    return [WirePublication(msgspec.Raw(p.data), p.offset) for p in publications]


class PushWriter:
    """Builds the push frames of one channel from a prefix that is encoded once."""

    __slots__ = ("_prefix",)

    def __init__(self, channel: str) -> None:
        self._prefix = b'{"push":{"channel":' + _encode(channel)

    def publication(self, publication: Publication) -> Frame:
        """Build the frame every subscriber of the channel gets."""
        head = self._prefix + b',"pub":{"data":' + publication.data
        if publication.offset:
            return Frame(b'%b,"offset":%d}}}' % (head, publication.offset), publication)
        return Frame(head + b"}}}", publication)

    def joined(self, info: bytes) -> Frame:
        """Build a join push from an encoded ClientInfo."""
        return Frame(self._prefix + b',"join":{"info":' + info + b"}}}")

    def left(self, info: bytes) -> Frame:
        """Build a leave push from an encoded ClientInfo."""
        return Frame(self._prefix + b',"leave":{"info":' + info + b"}}}")

    def unsubscribed(self, reason: Unsubscribed) -> Frame:
        """Build the push that ends a subscription from the server's side."""
        body = _encode({"code": reason.code, "reason": reason.reason})
        return Frame(self._prefix + b',"unsubscribe":' + body + b"}}")


def encode_disconnect(disconnect: Disconnect) -> Frame:
    """Build the disconnect push for transports that have no close frame."""
    body = {"code": disconnect.code, "reason": disconnect.reason}
    return Frame(_encode({"push": {"disconnect": body}}))


def encode_info(info: ClientInfo) -> bytes:
    """Encode one presence entry."""
    return _encode(info)


def decode_info(data: bytes) -> ClientInfo:
    """Decode one presence entry that this library stored."""
    return _info_decoder.decode(data)


_info_decoder = msgspec.json.Decoder(ClientInfo)

PING_FRAME = Frame(b"{}")
PONG = Command()
"""The answer to a ping is an empty command."""
