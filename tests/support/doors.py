"""Every door of the realtime side, knocked at byte by byte: headers that no library would send."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.hostile import close_codes

HELLO = b'{"id":1,"connect":{}}'
ANSWER_S = 10.0
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Door:
    """One way in."""

    path: str
    method: str = "GET"
    is_socket: bool = False
    """Whether it is a WebSocket: opened first, then spoken to."""

    def request(self, host: str, headers: Headers) -> bytes:
        """The whole request."""
        own = [("host", host), *headers]
        if self.is_socket:
            own += [("connection", "upgrade"), ("upgrade", "websocket")]
            own += [("sec-websocket-version", "13")]
            own += [("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")]
        if self.method == "POST":
            own += [("content-type", "application/json"), ("content-length", str(len(HELLO)))]
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in own), "", ""]
        body = HELLO if self.method == "POST" else b""
        return "\r\n".join(lines).encode("latin-1") + body


SOCKET = Door("/connection/websocket", is_socket=True)
LISTENING_SOCKET = Door("/connection/uni_websocket", is_socket=True)
IN_QUERY = "?cf_connect=%7B%22id%22:1,%22connect%22:%7B%7D%7D"
SOCKETS = (SOCKET, LISTENING_SOCKET)
STREAMS = (
    Door("/connection/sse", "POST"),
    Door("/connection/sse" + IN_QUERY),
    Door("/connection/http_stream", "POST"),
    Door("/connection/uni_sse", "POST"),
    Door("/connection/uni_sse?cf_connect=%7B%7D"),
)
DOORS = (*SOCKETS, *STREAMS)


@dataclass
class Visitor:
    """What a server said to one knock."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    answer: bytes
    """The head, and what has been read behind it."""

    def said(self) -> bytes:
        """What came behind the head."""
        return self.answer.partition(b"\r\n\r\n")[2]

    async def to_the_end(self) -> bytes:
        """Read until the server has said goodbye or the line is gone; what came behind the head."""
        try:
            while not self._has_ended() and (more := await self.reader.read(65_536)):
                self.answer += more
        except ConnectionError:
            pass  # a reset: the server waits for no answer to its goodbye
        return self.said()

    def _has_ended(self) -> bool:
        # A stream's answer ends with its last chunk; the connection may serve further requests.
        return bool(close_codes(self.answer)) or self.answer.endswith(b"\r\n0\r\n\r\n")


@asynccontextmanager
async def knock(url: str, door: Door, headers: Headers = ()) -> AsyncIterator[Visitor]:
    """Send one request and read the head of its answer."""
    host = urlsplit(url).netloc
    name, port = host.split(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    try:
        writer.write(door.request(host, headers))
        async with asyncio.timeout(ANSWER_S):
            head = await reader.readuntil(b"\r\n\r\n")
        yield Visitor(reader, writer, int(head.split(b" ", 2)[1]), head)
    finally:
        writer.transport.abort()
