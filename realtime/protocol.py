"""The codec of the Centrifuge client protocol, JSON version 2: frames in and out, prebuilt pushes.

Knows bytes and the structs of `realtime.messages`; never a socket, a session or a clock.
"""

from collections.abc import Iterable

import msgspec

from realtime.codes import Disconnect, RealtimeError, Unsubscribed
from realtime.messages import (
    ClientInfo,
    Command,
    ErrorBody,
    Reply,
    SubscribeResult,
    WirePublication,
)
from realtime.model import Publication

SERVER_VERSION = "sicerdas-realtime 1"


class ProtocolFault(Exception):
    """The client sent something that is no frame of this protocol."""


class Frame:
    """One outgoing JSON object, built once and shared by every connection that gets it."""

    # By hand: a `cached_property` costs a dict for each frame, and a lock for each first look.
    __slots__ = ("_text", "_websocket", "data", "publication")

    def __init__(self, data: bytes, publication: Publication | None = None) -> None:
        self.data = data
        self.publication = publication
        self._text: str | None = None
        self._websocket: bytes | None = None

    @property
    def text(self) -> str:
        """The same as text, decoded once for all text transports."""
        if self._text is None:
            self._text = self.data.decode()
        return self._text

    @property
    def websocket(self) -> bytes:
        """The same as one unmasked WebSocket text message (RFC 6455, 5.2)."""
        if self._websocket is None:
            self._websocket = message_header(0x81, len(self.data)) + self.data
        return self._websocket


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
        if not frame.isascii():
            # What is passed on as it came is not looked into below, and one bad byte in a text
            # message ends the socket of everybody it is passed on to (RFC 6455, 8.1).
            frame.decode()
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


def says_the_same(one: bytes, other: bytes) -> bool:
    """Tell whether two JSON texts mean the same: a database may write them in its own way.

    What cannot be read here says nothing against the other.
    """
    if one == other:
        return True
    try:
        same: bool = msgspec.json.decode(one) == msgspec.json.decode(other)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return True
    return same


def wire(publications: Iterable[Publication]) -> list[WirePublication]:
    """Shape publications for a reply."""
    return [WirePublication(msgspec.Raw(p.data), p.offset, _raw(p.info)) for p in publications]


def _raw(data: bytes) -> msgspec.Raw | None:
    return msgspec.Raw(data) if data else None


class PushWriter:
    """Builds the push frames of one channel from a prefix that is encoded once."""

    __slots__ = ("_prefix",)

    def __init__(self, channel: str) -> None:
        self._prefix = b'{"push":{"channel":' + _encode(channel)

    def publication(self, publication: Publication) -> Frame:
        """Build the frame every subscriber of the channel gets."""
        return Frame(self._pub(publication, publication.data), publication)

    def delta(self, publication: Publication, data: bytes, *, patched: bool) -> Frame:
        """Build the frame of those who asked for deltas; `data` is a JSON string."""
        return Frame(
            self._pub(publication, data, b',"delta":true' if patched else b""), publication
        )

    def _pub(self, publication: Publication, data: bytes, more: bytes = b"") -> bytes:
        head = self._prefix + b',"pub":{"data":' + data
        if publication.offset:
            head += b',"offset":%d' % publication.offset
        if publication.info:
            head += b',"info":' + publication.info
        return head + more + b"}}}"

    def joined(self, info: bytes) -> Frame:
        """Build a join push from an encoded ClientInfo."""
        return Frame(self._prefix + b',"join":{"info":' + info + b"}}}")

    def left(self, info: bytes) -> Frame:
        """Build a leave push from an encoded ClientInfo."""
        return Frame(self._prefix + b',"leave":{"info":' + info + b"}}}")

    def subscribed(self, result: SubscribeResult) -> Frame:
        """Build the push that begins a subscription from the server's side."""
        body = msgspec.structs.replace(result, publications=None, recovered=False)
        return Frame(self._prefix + b',"subscribe":' + _encode(body) + b"}}")

    def unsubscribed(self, reason: Unsubscribed) -> Frame:
        """Build the push that ends a subscription from the server's side."""
        body = _encode({"code": reason.code, "reason": reason.reason})
        return Frame(self._prefix + b',"unsubscribe":' + body + b"}}")


def encode_message(data: bytes) -> Frame:
    """Build the push that carries data outside of all channels."""
    return Frame(b'{"push":{"message":{"data":' + one_line(data) + b"}}}")


def encode_refresh(ttl: int) -> Frame:
    """Build the push that tells a new expiry; 0: never."""
    return Frame(_encode({"push": {"refresh": {"expires": True, "ttl": ttl} if ttl else {}}}))


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
