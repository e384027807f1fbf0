"""The places of a worker on a leased queue: claim what is due, watch it, and leave in order.

The queue itself is its owner's: a lease that runs out brings back whatever dies here.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Generic, TypeVar

import structlog

from app.infra.db import DATABASE_AWAY

POLL_S = 1.0
"""A lost notification costs at most this, and what is due later is late by at most this."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Places(Generic[T]):
    """At most `number` leased things at once, each one watched task.

    `look` begins what is due, as long as a place `is_free`. It is called when a hint comes, when a
    thing ends, and else every POLL_S. `died` hears of a task that ended with a fault.
    """

    def __init__(
        self,
        number: int,
        look: Callable[[], Awaitable[None]],
        died: Callable[[T, BaseException], None],
    ) -> None:
        self._number = number
        self._look = look
        self._died = died
        self._taken: dict[asyncio.Task[None], T] = {}
        self._wake = asyncio.Event()
        self._closing = False

    @property
    def is_free(self) -> bool:
        """Whether one more may begin."""
        return not self._closing and len(self._taken) < self._number

    @property
    def taken(self) -> Collection[T]:
        """What is being done."""
        return self._taken.values()

    @property
    def tasks(self) -> dict[asyncio.Task[None], T]:
        """Who does it: a copy, for tasks leave while they are ended."""
        return dict(self._taken)

    def begin(self, thing: T, work: Coroutine[Any, Any, None], name: str) -> None:
        """Give a claimed thing its place."""
        # A fresh context: the task must not inherit anything of the claimer's database work.
        task = asyncio.get_running_loop().create_task(
            work, name=name, context=contextvars.Context()
        )
        self._taken[task] = thing
        task.add_done_callback(self._ended)

    def wake(self) -> None:
        """A hint: something is due."""
        self._wake.set()

    async def run(self, away: str) -> None:
        """Until `close`. An outage of the database is waited out, and told once as `away`."""
        is_away = False
        while not self._closing:
            try:
                await self._look()
                is_away = False
            except DATABASE_AWAY as fault:
                if not is_away:
                    log.warning(away, reason=repr(fault))
                is_away = True
            await self._pause()

    def close(self) -> None:
        """Begin no more; `run` returns, what runs goes on."""
        self._closing = True
        self._wake.set()

    async def wait(self, seconds: float) -> bool:
        """Whether everything ended within this time."""
        if self._taken:
            await asyncio.wait(set(self._taken), timeout=seconds)
        return not self._taken

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    def _ended(self, task: asyncio.Task[None]) -> None:
        thing = self._taken.pop(task)
        self._wake.set()
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._died(thing, fault)
