"""Watch a book's counters without any SDK: the realtime protocol in thirty lines.

    python watch_book.py http://localhost:8000 1

Needs the package `websockets`. Nobody has to be signed in for the counters of books.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import connect

PING = {}


async def watch(address: str, channel: str) -> AsyncIterator[Any]:
    """The channel's first state, then every event."""
    url = address.replace("http", "ws", 1) + "/connection/websocket"
    async with connect(url) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {}}))
        await socket.send(json.dumps({"id": 2, "subscribe": {"channel": channel}}))
        async for frame in socket:
            for line in str(frame).splitlines():  # one frame may hold several replies
                reply = json.loads(line)
                if reply == PING:
                    await socket.send("{}")
                elif "error" in reply:
                    raise SystemExit(f"{reply['error']['code']}: {reply['error']['message']}")
                elif "subscribe" in reply:
                    yield reply["subscribe"].get("data")
                elif "pub" in reply.get("push", {}):
                    yield reply["push"]["pub"]["data"]


async def main(address: str, book_id: str) -> None:
    """Print every state until interrupted."""
    async for counters in watch(address, f"book:{book_id}"):
        print(json.dumps(counters), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
