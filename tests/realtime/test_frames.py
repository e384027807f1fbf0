"""WebSocket frames of clients (RFC 6455): what is taken, and which fault has which code."""

import os
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.http.ws.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    NO_STATUS,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    Violation,
    close_code,
    close_frame,
    frame,
)
from app.http.ws.handshake import Refused, accepted, read_opening, refusal

MAX = 65_536
MASK = bytes([1, 2, 3, 4])


def sent(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """A frame as a client sends it."""
    plain = frame(opcode, payload)
    header = bytearray(plain[: len(plain) - len(payload)])
    if not fin:
        header[0] &= 0x7F
    if not masked:
        return bytes(header) + payload
    header[1] |= 0x80
    return bytes(header) + MASK + bytes(b ^ MASK[i % 4] for i, b in enumerate(payload))


def read(*chunks: bytes, max_bytes: int = MAX) -> list[Message]:
    """Everything a reader makes of these bytes."""
    reader = FrameReader(max_bytes)
    return [message for chunk in chunks for message in reader.feed(chunk)]


def one_by_one(data: bytes) -> Iterable[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


def violation(*chunks: bytes, max_bytes: int = MAX) -> int:
    """The close code that these bytes earn."""
    with pytest.raises(Violation) as raised:
        read(*chunks, max_bytes=max_bytes)
    return raised.value.code


class TestMessages:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
    def test_every_length_is_read_whole_and_in_pieces(self, size: int) -> None:
        """The three ways of writing a length."""
        payload = os.urandom(size)
        data = sent(BINARY, payload)
        assert read(data) == [(BINARY, payload)]
        assert read(data[: len(data) // 2], data[len(data) // 2 :]) == [(BINARY, payload)]

    @pytest.mark.parametrize("size", [0, 1, 2, 125, 126, 127, 133, 65_535, 65_536, 65_537])
    @pytest.mark.parametrize("wide", [2, 4, 10])
    def test_one_whole_text_is_read_as_its_pieces_are(self, size: int, wide: int) -> None:
        """The short way for a whole plain frame and the long way agree, also on odd lengths."""
        header = {2: bytes([0x80 | min(size, 125)]), 4: b"\xfe", 10: b"\xff"}[wide]
        length = b"" if wide == 2 else (size % 65_536).to_bytes(wide - 2, "big")
        data = b"\x81" + header + length + bytes(4) + b"a" * size

        def outcome(*chunks: bytes) -> list[Message] | int:
            try:
                return read(*chunks)
            except Violation as fault:
                return fault.code

        assert outcome(data) == outcome(*one_by_one(data[:14]), data[14:])

    def test_a_frame_that_comes_byte_by_byte_is_read(self) -> None:
        """Whatever the network does to it."""
        data = sent(TEXT, b"hello") + sent(PING, b"x") + sent(TEXT, b"y" * 300)
        assert read(*one_by_one(data)) == [(TEXT, b"hello"), (PING, b"x"), (TEXT, b"y" * 300)]

    def test_fragments_are_joined_and_control_frames_may_come_between(self) -> None:
        """A ping in the middle of a message is answered before the message ends."""
        data = sent(TEXT, b"a", fin=False) + sent(PING, b"p")
        data += sent(CONTINUATION, b"b", fin=False) + sent(CONTINUATION, b"c")
        assert read(data) == [(PING, b"p"), (TEXT, b"abc")]

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(st.binary(max_size=300), max_size=8),
        st.lists(st.integers(1, 50), min_size=1, max_size=5),
    )
    def test_cutting_changes_nothing(self, payloads: list[bytes], cuts: list[int]) -> None:
        """Any messages, cut anywhere, come out as they went in."""
        data = b"".join(sent(BINARY, payload) for payload in payloads)
        chunks, at = [], 0
        while at < len(data):
            step = cuts[len(chunks) % len(cuts)]
            chunks.append(data[at : at + step])
            at += step
        assert read(*chunks) == [(BINARY, payload) for payload in payloads]

    @settings(max_examples=500, deadline=None)
    @given(st.lists(st.binary(max_size=64), max_size=6))
    def test_r2_no_bytes_raise_anything_but_a_violation(self, chunks: list[bytes]) -> None:
        """Rubbish is a fault of the client, never of ours."""
        try:
            read(*chunks)
            code = 0
        except Violation as fault:
            code = fault.code
        assert code in {0, 1002, 1007, 1009}


class TestViolations:
    def test_empty_fragments_are_bounded(self) -> None:
        """They weigh nothing, so that the bound of bytes would let them come for ever."""
        begun, empty = sent(TEXT, b"", fin=False), sent(CONTINUATION, b"", fin=False)
        assert read(begun, empty * 10, sent(CONTINUATION, b"x")) == [(TEXT, b"x")]
        assert violation(begun, empty * 100) == 1008
        whole = begun + empty * 10 + sent(CONTINUATION, b"x")
        assert read(whole * 20) == [(TEXT, b"x")] * 20

    @pytest.mark.parametrize(
        "data",
        [
            sent(TEXT, b"x", masked=False),
            bytes([0xC1, 0x80]) + MASK,
            bytes([0x83, 0x80]) + MASK,
            bytes([0x8B, 0x80]) + MASK,
            sent(PING, b"x", fin=False),
            sent(PING, b"x" * 126),
            sent(CONTINUATION, b"x"),
            sent(TEXT, b"x", fin=False) + sent(TEXT, b"y"),
        ],
        ids=["unmasked", "rsv", "opcode3", "opcode11", "cut ping", "long ping", "cont", "new"],
    )
    def test_protocol_errors_are_1002(self, data: bytes) -> None:
        """No extension is negotiated, so no reserved bit is allowed."""
        assert violation(data) == 1002

    def test_too_big_is_1009_before_it_is_buffered(self) -> None:
        """The header says enough; so does the sum of fragments."""
        header = bytes([0x82, 0xFF]) + (MAX + 1).to_bytes(8, "big")
        assert violation(header) == 1009
        part = sent(BINARY, b"x" * 600, fin=False)
        more = sent(CONTINUATION, b"x" * 600, fin=False)
        assert violation(part, more, max_bytes=1000) == 1009

    def test_invalid_text_is_1007_also_across_fragments(self) -> None:
        """Text is UTF-8, and a character may be cut between two frames."""
        assert violation(sent(TEXT, b"\xff")) == 1007
        euro = "€".encode()
        whole = sent(TEXT, euro[:1], fin=False) + sent(CONTINUATION, euro[1:])
        assert read(whole) == [(TEXT, euro)]
        assert violation(sent(TEXT, euro[:1], fin=False) + sent(CONTINUATION, b"x")) == 1007

    def test_what_came_before_a_fault_still_counts(self) -> None:
        """The reader yields first and raises then."""
        reader, seen = FrameReader(MAX), []
        with pytest.raises(Violation):
            seen.extend(reader.feed(sent(TEXT, b"good") + b"\xff\xff"))
        assert seen == [(TEXT, b"good")]


class TestClose:
    @pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 3000, 3999, 4999])
    def test_codes_that_may_travel(self, code: int) -> None:
        """With a reason or without."""
        assert close_code(code.to_bytes(2, "big") + b"bye") == code
        assert close_code(b"") == NO_STATUS

    @pytest.mark.parametrize(
        "payload", [b"\x03", b"\x00\x00", b"\x03\xec", b"\x03\xed", b"\x27\x0f"]
    )
    def test_codes_that_may_not(self, payload: bytes) -> None:
        """Half a code, 0, 1004, 1005, 9999 and more."""
        with pytest.raises(Violation):
            close_code(payload)

    def test_the_reason_is_text_and_fits(self) -> None:
        """A control frame holds 125 bytes."""
        with pytest.raises(Violation) as raised:
            close_code(b"\x03\xe8\xff")
        assert raised.value.code == 1007
        assert len(close_frame(3001, "x" * 500)) == 127
        assert read(sent(CLOSE, b"")) == [(CLOSE, b"")]
        assert read(sent(PONG, b"")) == [(PONG, b"")]


class TestHandshake:
    GOOD = (
        b"GET /connection/websocket?x=1 HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"sec-websocket-protocol: a, b\r\n\r\n"
    )

    def test_a_good_one_is_answered_as_the_rfc_says(self) -> None:
        """The RFC's own example."""
        opening = read_opening(self.GOOD)
        assert opening.target == b"/connection/websocket?x=1"
        assert opening.subprotocols == ["a", "b"]
        answer = accepted(opening.key, "a", [(b"x-y", b"z")])
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
        assert answer.endswith(b"Sec-WebSocket-Protocol: a\r\nx-y: z\r\n\r\n")
        assert b"extensions" not in answer.lower()

    @pytest.mark.parametrize(
        ("old", "new", "status"),
        [
            (b"version: 13", b"version: 8", 426),
            (b"GET", b"POST", 405),
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"short", 400),
            (b"sec-websocket-key", b"x", 400),
            (b"host: a", b"origin: a\r\norigin: a", 403),
        ],
    )
    def test_a_bad_one_is_refused(self, old: bytes, new: bytes, status: int) -> None:
        """Version, method, key, two origins."""
        with pytest.raises(Refused) as raised:
            read_opening(self.GOOD.replace(old, new))
        assert raised.value.status == status
        assert refusal(status).startswith(b"HTTP/1.1 %d " % status)
