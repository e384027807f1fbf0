"""A Redis Cluster: every channel lives with its keys on the shard that owns its slot.

Sharded pub/sub (SSUBSCRIBE, SPUBLISH) keeps a publication on that shard, and an append stays one
script. The map of slots is read from any node: at the start, at every fault, and now and then.
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from redis.crc import key_slot

from realtime.broker_redis.link import Deliver, told
from realtime.broker_redis.options import Address, RedisOptions
from realtime.broker_redis.shard import Moved, Shard
from realtime.codes import BrokerUnavailable

log = logging.getLogger("realtime")

Server = tuple[str, int]
SLOTS = 16384


class Cluster:
    """The shards of a cluster."""

    publish = "SPUBLISH"

    def __init__(self, address: Address, options: RedisOptions) -> None:
        self._address = address
        self._options = options
        self._shards: dict[Server, Shard] = {}
        self._owners: list[Server | None] = [None] * SLOTS
        self._wanted: dict[bytes, Server | None] = {}
        """Channel -> where it is subscribed; None while its slot has no owner."""
        self._hurry = asyncio.Event()
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._fault = "not started"

    @property
    def connected(self) -> bool:
        """True while every slot has an owner and every owner's link is up."""
        return not self.last_error

    @property
    def last_error(self) -> str:
        """What is wrong with the map, or with the first shard that is away."""
        away = (s.last_error or "away" for s in self._shards.values() if not s.connected)
        return self._fault or next(away, "")

    async def start(
        self, wanted: list[bytes], deliver: Deliver, restored: Callable[[], None]
    ) -> None:
        """Read the map and connect, for ever; returns when messages flow, or after a while."""
        self._deliver, self._restored = deliver, restored
        self._wanted.update(dict.fromkeys(wanted))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.timeout_s):
                await self._read_map()
                for shard in tuple(self._shards.values()):
                    await shard.link.wait_until_flowing()
        loop = asyncio.get_running_loop()
        work = self._read_for_ever()
        self._task = loop.create_task(work, name="redis cluster", context=contextvars.Context())

    async def stop(self) -> None:
        """Leave no task and no connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for shard in self._shards.values():
            await shard.stop()

    async def subscribe(self, channel: bytes) -> bool:
        """Want a channel; True once its shard has confirmed it."""
        shard, server = self._owner(channel)
        self._wanted[channel] = server
        if shard is None:
            return False
        return await shard.link.subscribe(channel)

    async def unsubscribe(self, channel: bytes) -> None:
        """Want a channel no more."""
        server = self._wanted.pop(channel, None)
        if server in self._shards:
            await self._shards[server].link.unsubscribe(channel)

    async def on(self, key: str, work: Callable[[Shard], Any]) -> Any:
        """Do something on the shard that owns a key; once more when it has just moved."""
        for _ in range(2):
            shard, _server = self._owner(key.encode())
            if shard is None:
                raise BrokerUnavailable(self._fault or "the slot has no owner")
            try:
                return await work(shard)
            except Moved:
                await self._read_map()
        raise BrokerUnavailable("the slot is moving")

    # -- the map -----------------------------------------------------------------------------

    def _owner(self, key: bytes) -> tuple[Shard | None, Server | None]:
        server = self._owners[key_slot(key)]
        return (None, None) if server is None else (self._shards.get(server), server)

    async def _read_for_ever(self) -> None:
        """Read the map again after every fault, and now and then without."""
        while True:
            pause_s = self._options.retry_max_s if self._fault else self._options.layout_s
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurry.wait()
            await self._read_map()
            await asyncio.sleep(self._options.retry_s)  # a burst of faults is one reason to look
            self._hurry.clear()

    async def _read_map(self) -> None:
        async with self._reading:
            trouble = ""
            for server in dict.fromkeys([*self._shards, *self._address.servers]):
                try:
                    slots = await self._ask(server)
                except (BrokerUnavailable, Moved) as fault:
                    trouble = f"the slots are unknown: {told(fault)}"
                else:
                    await self._adopt(slots)
                    return
            self._fault = trouble

    async def _ask(self, server: Server) -> dict[tuple[int, int], Server]:
        """Ask one node, known or not, who owns what."""
        known = self._shards.get(server)
        shard = known or Shard(self._address.url(*server), self._options, sharded=True)
        try:
            answer = await shard.ask("CLUSTER SLOTS")
        finally:
            if known is None:
                await shard.stop()
        # Each row: first slot, last slot, the primary, replicas. A node that was not told its own
        # name answers without one: it is where we asked.
        return {
            (row[0], row[1]): (row[2][0].decode() if row[2][0] else server[0], row[2][1])
            for row in answer
        }

    async def _adopt(self, slots: dict[tuple[int, int], Server]) -> None:
        owners: list[Server | None] = [None] * SLOTS
        for (first, last), server in slots.items():
            owners[first : last + 1] = [server] * (last + 1 - first)
        self._owners = owners
        self._fault = "" if slots and None not in owners else "some slots have no owner"
        living = set(slots.values())
        for server in living - self._shards.keys():
            self._add(server)
        for server in self._shards.keys() - living:
            await self._shards.pop(server).stop()
        await self._move(channel for channel in tuple(self._wanted) if self._strayed(channel))

    def _add(self, server: Server) -> None:
        shard = Shard(self._address.url(*server), self._options, sharded=True)
        for channel in self._wanted:
            if self._owners[key_slot(channel)] == server:
                shard.link.want(channel)
                self._wanted[channel] = server
        self._shards[server] = shard
        shard.start(self._deliver, self._restored, self._hurry.set)

    def _strayed(self, channel: bytes) -> bool:
        return self._wanted[channel] != self._owners[key_slot(channel)]

    async def _move(self, channels: Iterable[bytes]) -> None:
        """Subscribe to channels at their new owner; what was said meanwhile may be missed."""
        moved = False
        for channel in channels:
            before = self._wanted.get(channel)
            if before in self._shards:
                await self._shards[before].link.unsubscribe(channel)
            moved = await self.subscribe(channel) or moved
        if moved:
            self._restored()
