"""A socket without ASGI: the event loop's transport here, a realtime connection there.

All that is left of an accepted WebSocket: no task, no queue object, no timer while it is idle.
"""

import asyncio
from collections.abc import Iterable

from app.http.door import Visitor
from app.http.ws.frames import (
    BINARY,
    CLOSE,
    NO_STATUS,
    NORMAL,
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
from realtime import Connection, Frame, Node
from realtime.codes import Disconnect
from realtime.transport import Owner

SMALLEST_COMMAND = 16
"""Bytes; a pong of the protocol, masked, is half of that and needs no answer."""


class DetachedSocket(asyncio.Protocol):
    """The protocol of a detached transport, and the connection's way out."""

    __slots__ = ("_closing", "_connection", "_node", "_reader", "_transport", "_wire")

    def __init__(self, transport: asyncio.Transport, node: Node, reader: FrameReader) -> None:
        self._transport = transport
        self._reader = reader
        self._node = node
        self._wire = node.wire(transport)
        self._connection: Connection | None = None
        self._closing = False
        """A close frame of ours has left: only the client's is waited for."""

    def open(self, visitor: Visitor, early: Iterable[Message], *, greeting: bytes = b"") -> None:
        """Become a connection of the node; what arrived before is taken first.

        `greeting` is the answer to the handshake, where that was not given yet.
        """
        if greeting:
            self._wire.write(greeting)
        identity, checked_at, token_required = visitor
        self._connection = self._node.attach(
            self, identity, checked_at, token_required=token_required
        )
        self._take(early)

    # -- what the event loop calls ---------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        if len(data) <= SMALLEST_COMMAND:
            self._take(self._reader.feed(data))
            return
        self._wire.cork()
        self._take(self._reader.feed(data))
        # A command that needs little is answered in the next step: its reply joins this one's.
        self._wire.uncork(later=self._connection is not None and self._connection.is_awaited)

    def pause_writing(self) -> None:
        """The transport has a backlog."""
        self._wire.paused()

    def resume_writing(self) -> None:
        """The transport has none any more."""
        self._wire.resumed()

    def connection_lost(self, _error: Exception | None) -> None:
        """Leave nothing behind; the slot goes last, when no channel holds it any more."""
        if self._connection is not None:
            self._connection.ended()
            self._connection = None
        self._wire.lost()

    # -- what the connection calls ---------------------------------------------------------------

    def bind(self, owner: Owner) -> None:
        """Learn whose way out this is."""
        self._wire.owner = owner

    @property
    def slot(self) -> int:
        """The place in the fan-out."""
        return self._wire.slot

    @property
    def is_crowded(self) -> bool:
        """Tell whether much waits."""
        return self._wire.is_crowded

    def push(self, outgoing: Frame) -> None:
        """Send one frame."""
        self._wire.write(outgoing.websocket)

    def close(self, disconnect: Disconnect, *, flush: bool) -> None:
        """Say goodbye and wait a moment for the client's own."""
        self._say_goodbye(disconnect.code, disconnect.reason, flush=flush)

    def gone(self) -> None:
        """Nothing waits here."""

    # -- inside ------------------------------------------------------------------------------

    def _take(self, messages: Iterable[Message]) -> None:
        ping: bytes | None = None
        try:
            for opcode, payload in messages:
                if opcode in (TEXT, BINARY):
                    if not self._closing and self._connection is not None:
                        self._connection.receive(payload)
                elif opcode == PING:
                    ping = payload  # of several at once only the newest needs an answer
                elif opcode == CLOSE:
                    self._end(close_code(payload))
                    return
        except Violation as violation:
            self._refuse(violation)
        if ping is not None and not self._closing:
            self._wire.write(frame(PONG, ping))

    def _end(self, code: int) -> None:
        """The client has said goodbye: answer, unless it was the answer, and close."""
        if not self._closing:
            self._closing = True
            self._wire.finish(close_frame(NORMAL if code == NO_STATUS else code), flush=True)
        self._transport.close()
        self._abort_later()

    def _refuse(self, violation: Violation) -> None:
        self._say_goodbye(violation.code, violation.reason, flush=True)
        if violation.is_last:
            self._transport.close()

    def _say_goodbye(self, code: int, reason: str, *, flush: bool) -> None:
        if not self._closing:
            self._closing = True
            self._wire.finish(close_frame(code, reason), flush=flush)
            self._abort_later()

    def _abort_later(self) -> None:
        """A client that neither reads nor answers is dropped."""
        loop = asyncio.get_running_loop()
        loop.call_later(self._node.limits.close_timeout_s, self._wire.abort)
