"""Work that is done again and again: a loop for each piece, so that none waits for another."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from realtime.codes import BrokerUnavailable

log = logging.getLogger("realtime")


class Round:
    """One piece of work, done after each pause, or at once when there is a reason."""

    def __init__(
        self, name: str, step: Callable[[], Awaitable[None]], pause_s: Callable[[], float]
    ) -> None:
        self.name = name
        self._step = step
        self._pause_s = pause_s
        self._reason = asyncio.Event()

    def hurry(self) -> None:
        """Begin the next round now, or right after the present one."""
        self._reason.set()

    async def go_on_for_ever(self) -> None:
        """Wait and work."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._reason.wait()
            self._reason.clear()
            await self.once()

    async def once(self) -> None:
        """Work once; what fails is tried again in the next round, an outage without a word."""
        try:
            await self._step()
        except BrokerUnavailable:
            pass
        except Exception as error:  # noqa: BLE001  last resort of a loop that must not die
            log.warning("realtime.upkeep_failed step=%s error=%r", self.name, error)
