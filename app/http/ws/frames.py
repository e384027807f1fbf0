"""WebSocket frames of clients, sans I/O (RFC 6455): bytes in, whole messages out.

Stricter than needed where it costs nothing: no extension is ever negotiated, so every reserved bit
is a fault. A message is bounded before it is buffered.
"""

from collections.abc import Iterable, Iterator

from websockets.frames import apply_mask  # type: ignore[attr-defined]

from realtime.protocol import message_header

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN = 0x80
RESERVED = 0x70
MASKED = 0x80
SMALL = 125
"""The longest payload of a control frame, and of a frame with a header of two bytes."""
TWO_BYTES, EIGHT_BYTES = 126, 127

NORMAL = 1000
PROTOCOL_ERROR = 1002
NO_STATUS = 1005
INVALID_TEXT = 1007
POLICY = 1008
TOO_BIG = 1009
GOING_AWAY = 1012
SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
"""Of the codes below 3000, those that may travel in a close frame."""

EMPTY_MAX = 64
"""Fragments of one message that may carry nothing: no bound of bytes would ever end them."""
SHORTEST = 8
"""Bytes with which every size of a short frame can be read."""

Message = tuple[int, bytes]


class Violation(Exception):
    """The client broke the protocol; `code` is the close code that says how."""

    def __init__(self, code: int, reason: str, *, is_last: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.is_last = is_last
        """It was a goodbye: nothing follows it, so nothing is waited for (RFC 6455 7.1.1)."""


class FrameReader:
    """Puts a client's messages together."""

    __slots__ = ("_buffer", "_empty", "_max_bytes", "_opcode", "_parts", "_size")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = b""
        self._parts: list[bytes] | None = None
        self._opcode = self._size = self._empty = 0

    def feed(self, data: bytes) -> Iterable[Message]:
        """Yield every message that is whole now, control frames too; raises Violation."""
        if not self._buffer and self._parts is None:
            text = _one_text(data, self._max_bytes)
            if text is not None:
                return ((TEXT, text),)
        return self._feed(data)

    def _feed(self, data: bytes) -> Iterator[Message]:
        buffer: bytes | bytearray = data
        if self._buffer:
            buffer = self._joined(data)
        at = 0
        while (head := self._head(buffer, at)) is not None:
            start, size = head
            end = start + size
            if len(buffer) < end:
                break
            first = buffer[at]
            mask = bytes(buffer[start - 4 : start])
            payload = apply_mask(bytes(buffer[start:end]), mask) if size else b""
            at = end
            message = self._take(first, payload)
            if message is not None:
                yield message
        if at == len(buffer):
            self._buffer = b""
        elif at or buffer is data:
            self._buffer = bytes(buffer[at:])

    def _joined(self, data: bytes) -> bytearray:
        """Grow in place: a frame that comes byte by byte is not copied each time."""
        if not isinstance(self._buffer, bytearray):
            self._buffer = bytearray(self._buffer)  # type: ignore[assignment]
        self._buffer += data
        return self._buffer  # type: ignore[return-value]

    def _head(self, buffer: bytes | bytearray, at: int) -> tuple[int, int] | None:
        """Return where the payload starts and its size, once the header is there; check it."""
        have = len(buffer) - at
        if have < 2:  # noqa: PLR2004  the shortest header, without its mask
            return None
        first, second = buffer[at], buffer[at + 1]
        self._check(first, second)
        size, start = second & 0x7F, at + 2
        if size == TWO_BYTES:
            start += 2
        elif size == EIGHT_BYTES:
            start += 8
        if len(buffer) < start:
            return None
        if size >= TWO_BYTES:
            size = int.from_bytes(buffer[at + 2 : start], "big")
        if self._size * (not first & 0x0F) + size > self._max_bytes:
            raise Violation(TOO_BIG, "message too big")
        return (start + 4, size) if len(buffer) >= start + 4 else None

    def _check(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & RESERVED:
            raise Violation(PROTOCOL_ERROR, "reserved bits must be 0")
        if not second & MASKED:
            raise Violation(PROTOCOL_ERROR, "frames must be masked")
        if opcode >= CLOSE:
            if opcode > PONG or not first & FIN or second & 0x7F > SMALL:
                fault = "invalid control frame"
                raise Violation(PROTOCOL_ERROR, fault, is_last=opcode == CLOSE)
        elif opcode > BINARY:
            raise Violation(PROTOCOL_ERROR, "unknown opcode")
        elif (opcode == CONTINUATION) == (self._parts is None):
            raise Violation(PROTOCOL_ERROR, "unexpected fragment")

    def _take(self, first: int, payload: bytes) -> Message | None:
        """Take one frame; a message comes out when it was the last one of it."""
        opcode = first & 0x0F
        if opcode >= CLOSE:
            return opcode, payload
        if self._parts is not None:
            self._append(payload)
            if not first & FIN:
                return None
            opcode, payload = self._opcode, b"".join(self._parts)
            self._parts, self._size, self._empty = None, 0, 0
        elif not first & FIN:
            self._opcode, self._parts, self._size = opcode, [payload], len(payload)
            return None
        if opcode == TEXT and not payload.isascii():
            _demand_text(payload)
        return opcode, payload

    def _append(self, payload: bytes) -> None:
        """Take a further fragment."""
        assert self._parts is not None
        self._parts.append(payload)
        self._size += len(payload)
        self._empty += not payload
        if self._empty > EMPTY_MAX:
            raise Violation(POLICY, "too many empty fragments")


def _one_text(data: bytes, max_bytes: int) -> bytes | None:
    """Return the text of bytes that are one whole plain frame, as most are; None: look closer."""
    if len(data) < SHORTEST or data[0] != FIN | TEXT or not data[1] & MASKED:
        return None
    size, start = data[1] & 0x7F, 6
    if size == TWO_BYTES:
        size, start = int.from_bytes(data[2:4], "big"), 8
    if size == EIGHT_BYTES and start == 6:  # noqa: PLR2004  its size stands elsewhere
        return None
    if not 0 < size <= max_bytes or len(data) != start + size:
        return None
    payload = apply_mask(data[start:], data[start - 4 : start])
    return payload if payload.isascii() else None


def frame(opcode: int, payload: bytes) -> bytes:
    """Build one unmasked frame."""
    return message_header(FIN | opcode, len(payload)) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Build a close frame; the reason is cut to what fits."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode()[: SMALL - 2])


def close_code(payload: bytes) -> int:
    """Read a client's close frame; raises Violation for one that may not be sent."""
    if not payload:
        return NO_STATUS
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in SENDABLE or 3000 <= code <= 4999):  # noqa: PLR2004
        raise Violation(PROTOCOL_ERROR, "invalid close code", is_last=True)
    _demand_text(payload[2:], is_last=True)
    return code


def _demand_text(payload: bytes, *, is_last: bool = False) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise Violation(INVALID_TEXT, "invalid UTF-8", is_last=is_last) from None
