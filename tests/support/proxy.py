"""A small TCP proxy that spoils a line on purpose: delay, low speed, silence, reset; or TLS."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

LOOPBACK = "127.0.0.1"
CHUNK = 16 * 1024
POLL_S = 0.02
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Toxics:
    """What is wrong with the line now; change it while bytes flow."""

    latency_s: float = 0
    jitter_s: float = 0
    bytes_per_s: float = 0
    """0: no bound."""
    reset: float = 0
    """The chance that a chunk resets its connection instead."""
    refused: tuple[bytes, ...] = ()
    """Requests that begin so reset their connection: a network that knows better."""
    hole: bool = False
    """Nothing gets through, nothing is refused: as a network that lost its route."""


class Proxy:
    """Stands between clients and one server; `dial` opens the way to the server."""

    def __init__(
        self,
        dial: Callable[[], Awaitable[Streams]],
        *,
        seed: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.toxics = Toxics()
        self.port = 0
        self.connections = 0
        """How many came in all."""
        self._dial = dial
        self._tls = tls
        self._random = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def tls_to_socket(cls, path: Path, certificate: trustme.LeafCert, *, port: int = 0) -> "Proxy":
        """TLS in front of a Redis on a unix socket, which need not know of it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        proxy = cls(partial(asyncio.open_unix_connection, str(path)), tls=context)
        proxy.port = port
        return proxy

    @classmethod
    def to_port(cls, port: int, *, seed: int = 0) -> "Proxy":
        """A proxy to a loopback port."""
        return cls(lambda: asyncio.open_connection(LOOPBACK, port), seed=seed)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, LOOPBACK, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection at once."""
        for writer in self._writers:
            writer.transport.abort()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry both ways until either ends."""
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await self._dial()
            self._writers.add(there)
            ways = self._carry(reader, there), self._carry(back, writer)
            tasks = [asyncio.get_running_loop().create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass
        finally:
            for end in filter(None, (writer, there)):
                end.transport.abort()
                self._writers.discard(end)
                with suppress(OSError):
                    await end.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                toxics = self.toxics
                if self._random.random() < toxics.reset or chunk.startswith(toxics.refused):
                    return
                delay_s = toxics.latency_s + toxics.jitter_s * self._random.uniform(-1, 1)
                if toxics.bytes_per_s:
                    delay_s += len(chunk) / toxics.bytes_per_s
                if delay_s > 0:
                    await asyncio.sleep(delay_s)
                await self._through_the_hole()
                writer.write(chunk)
                await writer.drain()

    async def _through_the_hole(self) -> None:
        while self.toxics.hole:  # noqa: ASYNC110  tests flip a plain flag
            await asyncio.sleep(POLL_S)
