"""Which server owns a key: always the same one, or the shard of a cluster that has its slot."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from realtime.broker_redis.link import Deliver
from realtime.broker_redis.options import RedisOptions
from realtime.broker_redis.shard import Shard

log = logging.getLogger("realtime")


class Layout(Protocol):
    """The servers behind a broker, and the channels wanted from them."""

    publish: str
    """The verb that publishes."""

    @property
    def connected(self) -> bool:
        """True while messages of every channel flow."""

    @property
    def last_error(self) -> str:
        """What is wrong."""

    async def start(
        self, wanted: list[bytes], deliver: Deliver, restored: Callable[[], None]
    ) -> None:
        """Connect for ever; returns when messages flow, or when that takes too long."""

    async def stop(self) -> None:
        """Leave no task and no connection."""

    async def subscribe(self, channel: bytes) -> bool:
        """Want a channel; True once it is confirmed."""

    async def unsubscribe(self, channel: bytes) -> None:
        """Want a channel no more."""

    async def on(self, key: str, work: Callable[[Shard], Any]) -> Any:
        """Do something on the server that owns a key; raises BrokerUnavailable."""


class OneServer:
    """A single Redis."""

    publish = "PUBLISH"

    def __init__(self, url: str, options: RedisOptions) -> None:
        self._options = options
        self.shard = Shard(url, options)

    @property
    def connected(self) -> bool:
        """True while messages flow."""
        return self.shard.connected

    @property
    def last_error(self) -> str:
        """What is wrong."""
        return self.shard.last_error

    async def start(
        self, wanted: list[bytes], deliver: Deliver, restored: Callable[[], None]
    ) -> None:
        """Connect for ever; returns when messages flow, or when that takes too long."""
        link = self.shard.link
        for channel in wanted:
            link.want(channel)
        self.shard.start(deliver, restored)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.timeout_s):
                await link.wait_until_flowing()

    async def stop(self) -> None:
        """Leave no task and no connection."""
        await self.shard.stop()

    async def subscribe(self, channel: bytes) -> bool:
        """Want a channel."""
        return await self.shard.link.subscribe(channel)

    async def unsubscribe(self, channel: bytes) -> None:
        """Want a channel no more."""
        await self.shard.link.unsubscribe(channel)

    async def on(self, _key: str, work: Callable[[Shard], Any]) -> Any:
        """Do something on the server."""
        return await work(self.shard)
