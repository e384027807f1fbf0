"""Hostile input by dice: frames of the protocol that are nearly right, and bytes that are not."""

import json
import random
import struct
from collections.abc import Callable
from typing import Any

VERBS = (
    "connect", "subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history",
    "ping", "send", "rpc", "refresh", "sub_refresh", "nonsense",
)  # fmt: skip
CHANNELS = ("log:1", "value:1", "tail:1", "user:7", "user:8", "unknown", "", "x" * 300, "log:\0")
FIELDS = ("channel", "token", "recover", "epoch", "offset", "data", "flag", "delta", "limit",
          "since", "reverse", "method", "subs", "positioned", "id")  # fmt: skip


class Dice:
    """Makes hostile things; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def frame(self) -> str | bytes:
        """One frame: some commands, sometimes broken."""
        lines = [self._command() for _ in range(self.random.choice((1, 1, 1, 2, 5)))]
        text = "\n".join(lines)
        if self.random.random() < 0.3:
            return self._mutated(text)
        return text if self.random.random() < 0.8 else text.encode(errors="surrogatepass")

    def _command(self) -> str:
        command: dict[str, Any] = {}
        if self.random.random() < 0.9:
            command["id"] = self.random.choice((1, 2, 3, 0, -1, 2**32, 1.5, "1", None))
            if self.random.random() < 0.7:
                command["id"] = self.random.randrange(1, 1000)
        for _ in range(self.random.choice((0, 1, 1, 1, 1, 2))):
            command[self.random.choice(VERBS)] = self._body()
        return json.dumps(command)

    def _body(self) -> Any:
        if self.random.random() < 0.1:
            return self._value(0)
        body = {field: self._value(0) for field in self.random.sample(FIELDS, 3)}
        if self.random.random() < 0.8:
            body["channel"] = self.random.choice(CHANNELS)
            body["method"] = self.random.choice(("echo", "who", "refuse", "", "nothing"))
        return body

    def _value(self, depth: int) -> Any:
        kinds: list[Callable[[], Any]] = [
            lambda: self.random.choice((0, 1, -1, 2**31, 2**63, 2**64, 1e308)),
            lambda: self.random.choice(("", "x", "\ud800"[:0], "é" * 50, "\u0000")),
            lambda: self.random.choice((True, False, None)),
            lambda: [[]] * self.random.randrange(5),
        ]
        if depth < 4:
            kinds.append(lambda: {self.random.choice(FIELDS): self._value(depth + 1)})
        return self.random.choice(kinds)()

    def _mutated(self, text: str) -> str | bytes:
        data = bytearray(text.encode())
        for _ in range(self.random.randrange(1, 6)):
            at = self.random.randrange(len(data)) if data else 0
            match self.random.randrange(5):
                case 0:
                    data[at : at + 1] = self.random.randbytes(1)
                case 1:
                    del data[at : at + self.random.randrange(1, 20)]
                case 2:
                    data[at:at] = self.random.choice((b"\n", b"\n\n", b"{}", b"\0", b"[" * 3000))
                case 3:
                    data[at:at] = data[: self.random.randrange(200)]
                case _:
                    data[at:at] = b"x" * self.random.choice((1, 70_000))
        return bytes(data)

    def attack(self) -> tuple[bytes, bytes]:
        """A handshake that may be broken, and what follows a good one: broken frames."""
        if self.random.random() < 0.25:
            return self._handshake_gone_wrong(), b""
        frames = [self._raw_frame() for _ in range(self.random.randrange(1, 6))]
        return HANDSHAKE, b"".join(frames)

    def _handshake_gone_wrong(self) -> bytes:
        data = bytearray(HANDSHAKE)
        match self.random.randrange(4):
            case 0:
                return self.random.randbytes(self.random.randrange(1, 2000))
            case 1:
                return bytes(data[: self.random.randrange(1, len(data))])
            case 2:
                at = self.random.randrange(len(data))
                data[at : at + 3] = self.random.randbytes(3)
                return bytes(data)
            case _:
                return HANDSHAKE.replace(b"13", b"%d" % self.random.randrange(100))

    def _raw_frame(self) -> bytes:
        """A WebSocket frame: right, or wrong in opcode, flags, mask, length or text."""
        opcode = self.random.choice((0, 1, 1, 1, 2, 8, 9, 10, 3, 11, 15))
        first = opcode | self.random.choice((0x80, 0x80, 0x80, 0, 0xC0, 0xF0))
        made = self.frame()
        payload = made.encode() if isinstance(made, str) else made
        match self.random.randrange(6):
            case 0:
                payload = self.random.randbytes(self.random.randrange(200))
            case 1:
                payload = payload[:125]
            case 2:
                payload = struct.pack("!H", self.random.randrange(65_536)) + b"\xff"
        length = len(payload)
        if self.random.random() < 0.1:
            length = self.random.choice((0, 125, 65_535, 2**31, 2**63))
        masked = 0x80 if self.random.random() < 0.9 else 0
        return bytes([first]) + _length(length, masked) + (bytes(4) if masked else b"") + payload


HOST = "x"
HANDSHAKE = (
    b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def masked_text(text: str) -> bytes:
    """A right text frame; its mask is zero."""
    data = text.encode()
    return b"\x81" + _length(len(data), 0x80) + bytes(4) + data


def _length(length: int, masked: int) -> bytes:
    if length < 126:
        return bytes([masked | length])
    if length < 65_536:
        return bytes([masked | 126]) + struct.pack("!H", length)
    return bytes([masked | 127]) + struct.pack("!Q", length)


def close_codes(data: bytes) -> list[int]:
    """The codes of the close frames in what a server sent, the handshake's answer left out."""
    head, _, rest = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        return []
    found: list[int] = []
    while len(rest) >= 2:
        length, start = rest[1] & 0x7F, 2
        if length == 126:
            length, start = struct.unpack("!H", rest[2:4])[0], 4
        elif length == 127:
            length, start = struct.unpack("!Q", rest[2:10])[0], 10
        if rest[0] & 0x0F == 8 and length >= 2:
            found.append(struct.unpack("!H", rest[start : start + 2])[0])
        rest = rest[start + length :]
    return found
