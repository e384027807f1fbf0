"""The subscribing connection to Redis: confirms, notices silence, reconnects for ever.

Says when messages flow again; what was missed is the receiver's business.
"""

import asyncio
import contextvars
import logging
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hiredis import HiredisError
from redis.asyncio import Connection
from redis.exceptions import RedisError

from realtime.broker_redis.feed import Feed
from realtime.broker_redis.options import RedisOptions

log = logging.getLogger("realtime")

FAULTS = (RedisError, HiredisError, OSError, TimeoutError)

Deliver = Callable[[bytes, bytes], None]


def told(fault: BaseException) -> str:
    """Say what happened: redis-py's own `repr` names no reason, and some faults have no text."""
    return f"{type(fault).__name__}: {fault}".removesuffix(": ")


class Link:
    """The subscribing connection: keeps the wanted channels subscribed, through every outage."""

    def __init__(
        self, connect: Callable[[], Connection], options: RedisOptions, *, sharded: bool = False
    ) -> None:
        self.connected = False
        self.last_error = "not started"
        self._sharded = sharded
        prefix = b"S" if sharded else b""
        self._open, self._shut = prefix + b"SUBSCRIBE", prefix + b"UNSUBSCRIBE"
        self._opened, self._closed = self._open.lower(), self._shut.lower()
        self._message = prefix.lower() + b"message"
        self._connect = connect
        self._options = options
        self._wanted: set[bytes] = set()
        self._unacked: Counter[bytes] = Counter()
        self._leaving: Counter[bytes] = Counter()
        self._waiters: dict[bytes, list[asyncio.Future[bool]]] = {}
        self._live: Feed | None = None
        self._task: asyncio.Task[None] | None = None
        self._flowing = asyncio.Event()

    def start(
        self,
        deliver: Deliver,
        restored: Callable[[], None],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect in the background, for ever; `failed` is told of every attempt that ends."""
        self._deliver = deliver
        self._restored = restored
        self._failed = failed
        loop = asyncio.get_running_loop()
        work = self._run_for_ever()
        self._task = loop.create_task(work, name="redis link", context=contextvars.Context())

    async def wait_until_flowing(self) -> None:
        """Return when messages flow."""
        await self._flowing.wait()

    async def stop(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def subscribe(self, channel: bytes) -> bool:
        """Want a channel; True once it is confirmed, False when that must wait for Redis."""
        self._wanted.add(channel)
        if self._live is None:
            return False
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(channel, []).append(waiter)
        self._subscribe(self._live, [channel])
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.timeout_s):
                return await waiter
        return False

    async def unsubscribe(self, channel: bytes) -> None:
        """Want a channel no more."""
        self._wanted.discard(channel)
        if self._live is not None:
            self._leaving[channel] += 1
            self._live.send([self._shut, channel])

    def want(self, channel: bytes) -> None:
        """Want a channel before the start."""
        self._wanted.add(channel)

    # -- inside ------------------------------------------------------------------------------

    async def _run_for_ever(self) -> None:
        pause_s = self._options.retry_s
        while True:
            connection = self._connect()
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                pause_s = self._options.retry_s
                await self._serve(connection)
            except FAULTS as fault:
                self.last_error = told(fault)
                log.warning("realtime.redis_away error=%s", self.last_error)
            finally:
                self._down()
                with suppress(*FAULTS):
                    await connection.disconnect(nowait=True)
            self._failed()
            # Jitter: the processes of one house do not come back in one instant.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311  no secret
            pause_s = min(pause_s * 2, self._options.retry_max_s)

    async def _serve(self, connection: Connection) -> None:
        """Subscribe to everything that is wanted, then read until the connection breaks."""
        self._live = feed = Feed(connection, self._take)
        self._subscribe(feed, list(self._wanted))
        self._look_whether_open()
        loop, silence_s, asked_at = asyncio.get_running_loop(), self._options.silence_s, 0.0
        while not feed.lost.done():
            rest_s = max(feed.heard_at, asked_at) + silence_s - loop.time()
            if rest_s > 0:
                await asyncio.wait({feed.lost}, timeout=rest_s)
            elif asked_at > feed.heard_at:
                raise TimeoutError("the link is silent")
            else:
                feed.send([b"PING"])
                asked_at = loop.time()
        raise feed.lost.result()

    def _subscribe(self, feed: Feed, channels: list[bytes]) -> None:
        """Ask for channels: in one command, or in a cluster, where slots differ, in one each."""
        if not channels:
            return
        self._unacked.update(channels)
        groups = [[c] for c in channels] if self._sharded else [channels]
        feed.send(*([self._open, *group] for group in groups))

    def _take(self, response: list[Any]) -> None:
        kind, channel = response[0], response[1]
        if kind == self._message:
            try:
                self._deliver(channel, response[2])
            except Exception:
                log.exception("realtime.bad_message channel=%r", channel)
        elif kind == self._opened:
            self._confirm(channel)
        elif kind == self._closed:
            self._left(channel)

    def _left(self, channel: bytes) -> None:
        """Take the answer to an UNSUBSCRIBE; without a question the slot went to another shard."""
        if not self._leaving[channel]:
            raise ConnectionError(f"{channel!r} lives elsewhere now")
        self._leaving[channel] -= 1
        if not self._leaving[channel]:
            del self._leaving[channel]

    def _confirm(self, channel: bytes) -> None:
        """Count a confirmation; only the last SUBSCRIBE of a channel says that it is open."""
        self._unacked[channel] -= 1
        if self._unacked[channel] <= 0:
            del self._unacked[channel]
            for waiter in self._waiters.pop(channel, ()):
                if not waiter.done():
                    waiter.set_result(True)
        self._look_whether_open()

    def _look_whether_open(self) -> None:
        if not self._unacked and not self.connected:
            self.connected = True
            self.last_error = ""
            self._flowing.set()
            self._restored()

    def _down(self) -> None:
        self._live = None
        self.connected = False
        self._flowing.clear()
        self._unacked.clear()
        self._leaving.clear()
        waiters, self._waiters = self._waiters, {}
        for waiter in (w for group in waiters.values() for w in group):
            if not waiter.done():
                waiter.set_result(False)
