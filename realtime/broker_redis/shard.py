"""One Redis server: a pool for commands, a link for subscriptions, and scripts by their name."""

import asyncio
import contextvars
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, NoScriptError, ResponseError

from realtime.broker_redis.link import FAULTS, Deliver, Link, told
from realtime.broker_redis.options import RedisOptions
from realtime.broker_redis.scripts import Script
from realtime.codes import BrokerUnavailable

log = logging.getLogger("realtime")


class Moved(Exception):
    """The server does not own the key any more; nothing was done."""


class Pool(BlockingConnectionPool):
    """One TLS context for all connections: making one reads every authority of the machine."""

    def make_connection(self) -> Connection:
        """Make a connection; the first one's context serves them all."""
        connection: Connection = super().make_connection()  # type: ignore[no-untyped-call]
        if isinstance(connection, SSLConnection):
            self._context = getattr(self, "_context", connection.ssl_context)
            connection.ssl_context = self._context
        return connection


class Shard:
    """One server, by its URL."""

    def __init__(self, url: str, options: RedisOptions, *, sharded: bool = False) -> None:
        # A retried append could be a second append: the caller decides, never the client.
        self._pool = Pool.from_url(
            url,
            max_connections=options.max_connections,
            timeout=options.timeout_s,
            socket_timeout=options.timeout_s,
            socket_connect_timeout=options.timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis(connection_pool=self._pool)
        self.link = Link(self._pool.make_connection, options, sharded=sharded)
        self._options = options
        self._failures = 0
        """Commands in a row that had no answer, whatever the link says."""
        self._fault = ""
        """Why no commands are tried now."""
        self._probe: asyncio.Task[None] | None = None
        self._restored: Callable[[], None] = _nothing

    @property
    def connected(self) -> bool:
        """True while messages flow and commands are answered."""
        return self.link.connected and not self._fault

    @property
    def last_error(self) -> str:
        """What is wrong."""
        return self._fault or self.link.last_error

    def start(
        self,
        deliver: Deliver,
        restored: Callable[[], None],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect in the background, for ever; see `Link.start`."""
        self._restored = restored
        self.link.start(deliver, self._flows, failed)

    async def stop(self) -> None:
        """End; leaves no task and no connection."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        await self.link.stop()
        await self._redis.aclose()
        await self._pool.disconnect()

    async def run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        """Run a script; a server that does not know it yet learns it."""
        try:
            return await self.call("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.call("EVAL", script.text, len(keys), *keys, *args)

    async def call(self, *command: Any) -> Any:
        """Run one command; while the link is down or nothing is answered, nothing waits for that.

        Raises BrokerUnavailable, Moved.
        """
        if not self.connected:
            raise BrokerUnavailable(self.last_error)
        return await self.ask(*command)

    async def ask(self, *command: Any) -> Any:
        """Run one command, whatever the link says."""
        cancelled_before = _cancellations()
        try:
            return await self._answer(command)
        finally:
            if _cancellations() > cancelled_before:
                # redis-py waits with `asyncio.wait_for`, which loses a cancellation that comes
                # together with the result or an error (Python <= 3.11): the caller would never
                # hear of it.
                raise asyncio.CancelledError

    async def _answer(self, command: tuple[Any, ...]) -> Any:
        try:
            answer = await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]
        except NoScriptError:
            raise
        except MovedError as moved:
            raise Moved from moved
        except FAULTS as fault:
            log.warning("realtime.redis_failed error=%s", told(fault))
            if not isinstance(fault, ResponseError):
                self._note(fault)
            raise BrokerUnavailable(told(fault)) from fault
        self._failures = 0
        return answer

    def _note(self, fault: BaseException) -> None:
        """Count commands without an answer; after several in a row only a probe is sent."""
        self._failures += 1
        if self._failures < self._options.failures_max or self._fault:
            return
        self._fault = told(fault)
        loop = asyncio.get_running_loop()
        work = self._probe_until_it_answers()
        self._probe = loop.create_task(work, name="redis probe", context=contextvars.Context())

    async def _probe_until_it_answers(self) -> None:
        """Ask now and then; what was not sent meanwhile may be missed by others."""
        while self._fault:
            await asyncio.sleep(self._options.retry_max_s)
            with suppress(BrokerUnavailable):
                await self.ask("PING")
                if self.link.connected:
                    self._flows()

    def _flows(self) -> None:
        """A new link, or an answer at last: messages may have been missed, and flow."""
        self._fault, self._failures = "", 0
        self._restored()


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _nothing() -> None:
    """Nobody is told."""
