"""The subscribing connection's bytes: what Redis says is taken in the step that brought it.

redis-py opens the connection (URL, TLS, password, database) and answers for its end. Between these
its reader, a task and a timeout for each response would be woken for every message: a third of
what a publication costs before it is sent. hiredis parses, as it does for redis-py.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from hiredis import HiredisError, Reader
from redis.asyncio import Connection

log = logging.getLogger("realtime")

NOTHING = object()
"""What the parser says when no response is whole."""


class Feed(asyncio.Protocol):
    """Takes the transport over from a connection on which nothing is awaited."""

    def __init__(self, connection: Connection, take: Callable[[list[Any]], None]) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[Exception] = loop.create_future()
        """Why it ended."""
        self.heard_at = loop.time()
        """When something came last, in seconds of the loop's clock."""
        self._now = loop.time
        self._take = take
        self._reader = Reader(notEnoughData=NOTHING)
        self._pack = connection.pack_commands
        # Private, but there is no other way to it; every test of Redis sees it when that changes.
        reader, writer = connection._reader, connection._writer  # noqa: SLF001
        assert reader is not None
        assert writer is not None
        if reader.at_eof() or reader.exception():
            raise ConnectionError("closed by Redis")  # it is said only once, and was said already
        self._transport = writer.transport
        self._transport.set_protocol(self)

    def send(self, *commands: list[bytes]) -> None:
        """Send commands, unless it has ended; their answers are taken like messages."""
        if not self.lost.done():
            self._transport.write(b"".join(self._pack(commands)))

    def data_received(self, data: bytes) -> None:
        """Take every response that is whole now; one that cannot be taken ends the feed."""
        self.heard_at = self._now()
        self._reader.feed(data)
        try:
            while not self.lost.done() and (response := self._reader.gets()) is not NOTHING:
                if isinstance(response, HiredisError):
                    raise response
                self._take(response)
        except (HiredisError, OSError) as fault:
            self._end(fault)
        except Exception as fault:
            log.exception("realtime.bad_response")
            self._end(ConnectionError(repr(fault)))

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        self._end(error or ConnectionError("closed by Redis"))

    def _end(self, fault: Exception) -> None:
        if not self.lost.done():
            self.lost.set_result(fault)
