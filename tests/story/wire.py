"""A plain client of the Centrifuge protocol on the `websockets` package, as in any language."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.support.report import sized

REPLY_TIMEOUT_S = sized(10.0, 60.0)


class Wire:
    """One connection: commands answered by id, pushes kept in the order of their arrival."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = count(1)
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._arrived = asyncio.Condition()
        self.pushes: list[tuple[str, dict[str, Any]]] = []

    async def command(self, **what: Any) -> dict[str, Any]:
        """Send one command; the reply, error included."""
        number = next(self._ids)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, **what}))
        return await asyncio.wait_for(reply, REPLY_TIMEOUT_S)

    async def subscribe(self, channel: str) -> dict[str, Any]:
        """Subscribe; the result with its snapshot in `data`."""
        result: dict[str, Any] = (await self.command(subscribe={"channel": channel}))["subscribe"]
        return result

    async def rpc(self, method: str, data: Any) -> dict[str, Any]:
        """Call a method; its data."""
        reply = await self.command(rpc={"method": method, "data": data})
        data = reply["rpc"]["data"]
        return data if isinstance(data, dict) else {}

    def events(self, channel: str) -> list[dict[str, Any]]:
        """The data of every publication on a channel so far."""
        return [push["pub"]["data"] for name, push in self.pushes if name == channel]

    async def wait_for(
        self, channel: str, wanted: Callable[[dict[str, Any]], bool], within_s: float
    ) -> dict[str, Any]:
        """The first publication that fits, old or new. Raises TimeoutError."""
        async with asyncio.timeout(within_s), self._arrived:
            while True:
                for event in self.events(channel):
                    if wanted(event):
                        return event
                await self._arrived.wait()

    async def closed(self) -> int | None:
        """Wait for the end of the connection; its close code."""
        await self._socket.wait_closed()
        return self._socket.close_code

    async def read(self) -> None:
        """Take frames until the connection ends; commands without an answer end with it."""
        try:
            async for frame in self._socket:
                for line in str(frame).splitlines():
                    await self._take(json.loads(line))
        finally:
            for reply in filter(lambda r: not r.done(), self._replies.values()):
                reply.set_exception(ConnectionError("closed before the answer"))

    async def _take(self, message: dict[str, Any]) -> None:
        if not message:
            await self._socket.send("{}")
        elif "id" in message:
            waiting = self._replies.pop(message["id"])
            if not waiting.done():
                waiting.set_result(message)
        elif "pub" in message.get("push", {}):
            async with self._arrived:
                self.pushes.append((message["push"]["channel"], message["push"]))
                self._arrived.notify_all()


@asynccontextmanager
async def opened(base_url: str, **options: Any) -> AsyncIterator[Wire]:
    """An open socket that has not said `connect`; `options` are those of `websockets.connect`."""
    address = base_url.replace("http", "ws", 1) + "/connection/websocket"
    async with connect(address, **options) as socket:
        wire = Wire(socket)
        reader = asyncio.create_task(wire.read())
        try:
            yield wire
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


@asynccontextmanager
async def connected(base_url: str, token: str) -> AsyncIterator[Wire]:
    """A connection that has said who it is by a token of `/realtime/token`, or is nobody's."""
    async with opened(base_url) as wire:
        reply = await wire.command(connect={"token": token, "name": "story"})
        if "connect" not in reply:
            raise ConnectionError(f"connect was refused: {reply}")
        yield wire
