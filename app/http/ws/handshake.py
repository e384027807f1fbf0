"""The opening handshake of a WebSocket (RFC 6455, 4.2), sans I/O: a request in, an answer out."""

import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from http import HTTPStatus

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY_BYTES = 16
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: "
)

PLAIN_HEAD = re.compile(
    rb"GET /[!-~]*+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++: ?(?![ \t])[\t -~\x80-\xff]*+(?<![ \t])\r\n)++\r\n"
)
"""A request line and headers of RFC 9112, without folding, and without white space at the ends."""
PLAIN_HEADER = re.compile(rb"\r\n([^:\r]+): ?([^\r]*)")
"""One header of such a head."""
NOT_PLAIN = frozenset(
    {b"content-length", b"transfer-encoding", b"expect", b"sec-websocket-protocol"}
)

Headers = list[tuple[bytes, bytes]]


class Refused(Exception):
    """The request is no handshake that can be accepted."""

    def __init__(self, status: HTTPStatus, headers: Headers | None = None) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.headers = headers or []


@dataclass(slots=True)
class Opening:
    """What a client asked for."""

    target: bytes
    headers: Headers
    key: bytes = b""
    subprotocols: list[str] = field(default_factory=list)


def read_opening(head: bytes) -> Opening:
    """Read a whole request head that the HTTP parser has checked; raises Refused."""
    lines = head.split(b"\r\n")
    method, target, _ = lines[0].split(b" ", 2)
    headers: Headers = []
    for line in lines[1:]:
        if line:
            name, _, value = line.partition(b": ")
            headers.append((name, value))
    opening = Opening(target, headers)
    if method != b"GET":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, [(b"allow", b"GET")])
    _check(opening)
    return opening


def plain_opening(data: bytes) -> Opening | None:
    """Read a handshake that came whole and needs no HTTP parser; None: let one look at it.

    Nothing is taken here that a parser would refuse or read otherwise: no line may be folded, no
    header may come twice, and nothing may follow.
    """
    if PLAIN_HEAD.fullmatch(data) is None:
        return None
    headers = [(name.lower(), value) for name, value in PLAIN_HEADER.findall(data)]
    found = dict(headers)
    is_plain = len(found) == len(headers) and b"host" in found and not NOT_PLAIN & found.keys()
    if not is_plain or not _asks_for_a_socket(found):
        return None
    opening = Opening(data[4 : data.index(b" ", 4)], headers)
    try:
        _check(opening)
    except Refused:
        return None
    return opening


def _asks_for_a_socket(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether this is an upgrade (RFC 6455, 4.2.1)."""
    options = headers.get(b"connection", b"").lower().split(b",")
    is_upgrade = b"upgrade" in [option.strip() for option in options]
    return is_upgrade and headers.get(b"upgrade", b"").lower() == b"websocket"


def _check(opening: Opening) -> None:
    origins, keys, versions = 0, [], []
    for name, value in opening.headers:
        if name == b"origin":
            origins += 1
        elif name == b"sec-websocket-key":
            keys.append(value)
        elif name == b"sec-websocket-version":
            versions.append(value)
        elif name == b"sec-websocket-protocol":
            opening.subprotocols += [part.strip() for part in value.decode("latin-1").split(",")]
    if origins > 1:
        # Nobody honest sends two.
        raise Refused(HTTPStatus.FORBIDDEN)
    if versions != [b"13"]:
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, [(b"sec-websocket-version", b"13")])
    opening.key = _the_key(keys)


def _the_key(keys: list[bytes]) -> bytes:
    """Return the one valid key; raises Refused."""
    try:
        if len(keys) == 1 and len(a2b_base64(keys[0], strict_mode=True)) == KEY_BYTES:
            return keys[0]
    except Error:
        pass
    raise Refused(HTTPStatus.BAD_REQUEST)


def accepted(key: bytes, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Build the answer that opens the socket; extensions are never negotiated."""
    digest = sha1(key + GUID).digest()  # noqa: S324  the protocol's own, no secret
    proof = b2a_base64(digest, newline=False)
    head = SWITCHING + proof + b"\r\n"
    if subprotocol:
        head += b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1") + b"\r\n"
    return head + _lines(headers) + b"\r\n"


def refusal(status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b"") -> bytes:
    """Build the answer that refuses."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    own = (b"content-length", b"connection")
    others = [(name, value) for name, value in headers if name.lower() not in own]
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return head.encode() + _lines(others) + b"\r\n" + body


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([name + b": " + value + b"\r\n" for name, value in headers])
