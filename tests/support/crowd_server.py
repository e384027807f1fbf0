"""The library alone in a process of its own: `python -m tests.support.crowd_server`.

So that memory and processor time are the server's and nobody else's. Says where it listens, then
obeys JSON lines; the end of the input is its end.
"""

import asyncio
import gc
import json
import logging
import os
import resource
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import uvloop

from app.http.http_protocol import HttpProtocol
from realtime import ChannelFamily, Delivery, Limits, MemoryBroker, MemoryBus
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import RPC, everybody
from tests.realtime.served import served

FAMILIES = [
    ChannelFamily("log:{id}", Delivery.LOG, everybody),
    ChannelFamily("tail:{id}", Delivery.TAIL, everybody),
    ChannelFamily("value:{id}", Delivery.VALUE, everybody),
    ChannelFamily("user:{id}", Delivery.LOG, everybody, presence=True, join_leave=True),
    ChannelFamily("flood:{id}", Delivery.TAIL, everybody),
]
STREAM = 8
"""Publications that the broker keeps of a stream: little, where memory is measured."""


class Faults(logging.Handler):
    """Remembers what was logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        self.told.append(record.getMessage())


FAULTS = Faults()


class Server:
    """One node, and what it is told to publish."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.tails: dict[str, int] = {}

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order."""
        if order["do"] == "publish":
            return await self._publish(order["channels"], order["number"], order["per_s"])
        if order["do"] == "flood":
            return await self._flood(**order["how"])
        return self._state()

    async def _publish(self, channels: list[str], number: int, per_s: float) -> dict[str, Any]:
        """So many facts, one channel after another, by an even clock."""
        begun = time.monotonic()
        for n in range(number):
            await self._fact(channels[n % len(channels)])
            await asyncio.sleep(max(0.0, begun + (n + 1) / per_s - time.monotonic()))
        return {"heads": self._heads(), "seconds": time.monotonic() - begun}

    async def _flood(
        self, channel: str, size: int, gone: int, beside: str, per_s: float, at_most_s: float
    ) -> dict[str, Any]:
        """Large facts in one channel and small ones beside, until so many connections are gone."""
        node, begun, memory = self.kit.node, time.monotonic(), rss_kib()
        left, most = node.state.connections - gone, memory
        for n in count(1):
            await self._fact(beside)
            await self._fact(channel, size)
            await asyncio.sleep(max(0.0, begun + n / per_s - time.monotonic()))
            most = max(most, rss_kib())
            took_s = time.monotonic() - begun
            if node.state.connections <= left or took_s > at_most_s:
                break
        more = most - memory
        return {"heads": self._heads(), "gone_s": took_s, "more_kib": more, **self._state()}

    async def _fact(self, channel: str, size: int = 0) -> None:
        node = self.kit.node
        if not channel.startswith("log:"):
            # White space after the number: large, and still a number.
            data = str(time.monotonic()).encode() + b" " * size
            self.tails[channel] = await node.publish_tail(channel, data)
            return
        log = self.kit.log
        assert isinstance(log, MemoryLog)
        await node.publish_log(channel, log.commit(channel, time.monotonic()))

    def _heads(self) -> dict[str, int]:
        log = self.kit.log
        assert isinstance(log, MemoryLog)
        return {channel: len(rows) for channel, rows in log.rows.items()} | self.tails

    def _state(self) -> dict[str, Any]:
        gc.collect()
        log = self.kit.log
        assert isinstance(log, MemoryLog)
        return {
            "rss_kib": rss_kib(),
            "cpu_s": time.process_time(),
            "connections": self.kit.node.state.connections,
            "log_reads": log.reads,
            "errors": FAULTS.told[:3],
        }


def rss_kib() -> float:
    """What the process holds now."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize() / 1024


async def main() -> None:
    """Serve and obey until the input ends."""
    logging.getLogger().addHandler(FAULTS)
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    limits: dict[str, float] = json.loads(await orders.readline())
    HttpProtocol.head_timeout_s = limits.pop("head_timeout_s", HttpProtocol.head_timeout_s)
    broker = MemoryBroker(MemoryBus(stream_size=STREAM))
    kit = Kit(FAMILIES, rpc=RPC, log=MemoryLog(), broker=broker, limits=Limits(**limits))  # type: ignore[arg-type]
    async with served(kit) as door:
        server = Server(kit)
        print(json.dumps({"url": door.url, "pid": os.getpid()}), flush=True)
        while line := await orders.readline():
            print(json.dumps(await server.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
