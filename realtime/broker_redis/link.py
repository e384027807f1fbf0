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
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Connection
from redis.exceptions import RedisError

log = logging.getLogger("realtime")

FAULTS = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """Bounds of the Redis broker."""

    prefix: str = "rt"
    timeout_s: float = 2.0
    """For a connect, a command, an acknowledged subscribe."""
    max_connections: int = 32
    stream_size: int = 5000
    """Publications kept of one TAIL channel: two minutes at forty a second."""
    stream_ttl_s: int = 600
    meta_ttl_s: int = 24 * 3600
    """How long an idle TAIL channel keeps its epoch."""
    retry_s: float = 0.05
    retry_max_s: float = 1.0
    silence_s: float = 3.0
    """A link that says nothing for so long is pinged, and dead after as long again."""


Deliver = Callable[[bytes, bytes], None]


class Link:
    """The subscribing connection: keeps the wanted channels subscribed, through every outage."""

    def __init__(self, connect: Callable[[], Connection], options: RedisOptions) -> None:
        self.connected = False
        self.last_error = "not started"
        self._connect = connect
        self._options = options
        self._wanted: set[bytes] = set()
        self._unacked: Counter[bytes] = Counter()
        self._waiters: dict[bytes, list[asyncio.Future[bool]]] = {}
        self._live: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._flowing = asyncio.Event()

    async def start(self, control: bytes, deliver: Deliver, restored: Callable[[], None]) -> None:
        """Connect in the background; returns when messages flow, or when that takes too long."""
        self._wanted.add(control)
        self._deliver = deliver
        self._restored = restored
        loop = asyncio.get_running_loop()
        work = self._run_for_ever()
        self._task = loop.create_task(work, name="redis link", context=contextvars.Context())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.timeout_s):
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
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(channel, []).append(waiter)
        with suppress(*FAULTS):
            async with asyncio.timeout(self._options.timeout_s):
                await self._send(self._live, b"SUBSCRIBE", [channel])
                return bool(await waiter)
        return False

    async def unsubscribe(self, channel: bytes) -> None:
        """Want a channel no more."""
        self._wanted.discard(channel)
        if self._live is not None:
            with suppress(*FAULTS):
                await self._send(self._live, b"UNSUBSCRIBE", [channel])

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
                log.warning("realtime.redis_away error=%r", fault)
                self.last_error = repr(fault)
            finally:
                self._down()
                with suppress(*FAULTS):
                    await connection.disconnect(nowait=True)
            # Jitter: the processes of one house do not come back in one instant.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311  no secret
            pause_s = min(pause_s * 2, self._options.retry_max_s)

    async def _serve(self, connection: Connection) -> None:
        """Subscribe to everything that is wanted, then read until the connection breaks."""
        self._live = connection
        await self._send(connection, b"SUBSCRIBE", list(self._wanted))
        pinged = False
        while True:
            response = await connection.read_response(
                timeout=self._options.silence_s, disconnect_on_error=False
            )
            if response is not None:
                pinged = False
                self._take(response)
            elif pinged:
                raise TimeoutError("the link is silent")
            else:
                pinged = True
                await connection.send_command(b"PING", check_health=False)

    async def _send(self, connection: Connection, verb: bytes, channels: list[bytes]) -> None:
        if verb == b"SUBSCRIBE":
            self._unacked.update(channels)
        await connection.send_command(verb, *channels, check_health=False)

    def _take(self, response: list[Any]) -> None:
        kind, channel = response[0], response[1]
        if kind == b"message":
            try:
                self._deliver(channel, response[2])
            except Exception:
                log.exception("realtime.bad_message channel=%r", channel)
        elif kind == b"subscribe":
            self._confirm(channel)

    def _confirm(self, channel: bytes) -> None:
        """Count a confirmation; only the last SUBSCRIBE of a channel says that it is open."""
        self._unacked[channel] -= 1
        if self._unacked[channel] <= 0:
            del self._unacked[channel]
            for waiter in self._waiters.pop(channel, ()):
                if not waiter.done():
                    waiter.set_result(True)
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
        waiters, self._waiters = self._waiters, {}
        for waiter in (w for group in waiters.values() for w in group):
            if not waiter.done():
                waiter.set_result(False)
