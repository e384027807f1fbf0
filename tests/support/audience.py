"""Clients over real sockets that come back from where they were, as SDKs do, and keep count."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

RECONNECT_S = 0.05
RECONNECT_MAX_S = 0.5
HANDSHAKE_S = 10.0
FIRST_RESUBSCRIBE = 2500
"""Unsubscribe codes from here on ask the client to subscribe again."""


class Listener:
    """One client of one channel; every publication's data is the time at which it was made."""

    def __init__(self, url: str, channel: str, user: str, *, silence_s: float = 60) -> None:
        self.url = url
        self.channel = channel
        self.user = user
        self.seen: list[int] = []
        self.latencies: list[float] = []
        self.gaps = 0
        """How often it was told that something is missing."""
        self.connects = 0
        self.recoveries = 0
        self.codes: list[int | None] = []
        """Why its connections ended."""
        self.subscribed = asyncio.Event()
        self.first_offset = 0
        self._position: tuple[int, str] | None = None
        self._silence_s = silence_s
        self._random = random.Random(user)
        self._socket: ClientConnection | None = None

    async def live(self) -> None:
        """Connect, listen, come back, for ever."""
        pause_s = RECONNECT_S
        while True:
            try:
                async with connect(
                    self.url,
                    compression=None,
                    ping_interval=None,
                    open_timeout=HANDSHAKE_S,
                    close_timeout=0.1,
                    max_queue=None,
                ) as self._socket:
                    await self._listen(self._socket)
                    pause_s = RECONNECT_S
            except (OSError, TimeoutError, WebSocketException):
                pass
            finally:
                self.subscribed.clear()
                if self._socket is not None:
                    self.codes.append(self._socket.close_code)
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, RECONNECT_MAX_S)

    def drop(self) -> None:
        """Lose the line without a goodbye."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _listen(self, socket: ClientConnection) -> None:
        self.connects += 1
        hello = {"id": 1, "connect": {"token": self.user}}
        await socket.send(f"{json.dumps(hello)}\n{self._subscribe()}")
        while True:
            async with asyncio.timeout(self._silence_s):
                frame = await socket.recv()
            for line in str(frame).splitlines():
                answer = self._take(json.loads(line))
                if answer:
                    await socket.send(answer)

    def _subscribe(self) -> str:
        body: dict[str, Any] = {"channel": self.channel}
        if self._position is not None:
            offset, epoch = self._position
            body |= {"recover": True, "offset": offset, "epoch": epoch}
        return json.dumps({"id": 2, "subscribe": body})

    def _take(self, message: dict[str, Any]) -> str:
        """Count what came; returns what to answer."""
        if not message:
            return "{}"
        if message.get("id") == 2:
            return self._joined(message)
        push = message.get("push", {})
        if "pub" in push:
            self._publication(push["pub"], live=True)
        elif push.get("unsubscribe", {}).get("code", 0) >= FIRST_RESUBSCRIBE:
            return self._subscribe()
        return ""

    def _joined(self, reply: dict[str, Any]) -> str:
        if "error" in reply:
            return self._subscribe() if reply["error"].get("temporary") else ""
        result = reply["subscribe"]
        if self._position is None:
            self.first_offset = result.get("offset", 0)
        elif result.get("recovered"):
            self.recoveries += 1
        else:
            self.gaps += 1
        for publication in result.get("publications") or []:
            self._publication(publication, live=False)
        self._position = (result.get("offset", 0), result["epoch"])
        self.subscribed.set()
        return ""

    def _publication(self, publication: dict[str, Any], *, live: bool) -> None:
        offset = publication["offset"]
        self.seen.append(offset)
        if self._position is not None:
            self._position = (offset, self._position[1])
        if live:
            self.latencies.append(time.monotonic() - publication["data"])


@asynccontextmanager
async def listening(listeners: Sequence[Listener], within_s: float = 30) -> AsyncIterator[None]:
    """Have them live; all are subscribed inside the block."""
    async with AsyncExitStack() as stack:
        tasks = [asyncio.create_task(listener.live()) for listener in listeners]
        stack.push_async_callback(_end, tasks)
        await all_subscribed(listeners, within_s)
        yield


async def all_subscribed(listeners: Sequence[Listener], within_s: float = 30) -> None:
    """Wait until everybody is."""
    async with asyncio.timeout(within_s):
        for listener in listeners:
            await listener.subscribed.wait()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
