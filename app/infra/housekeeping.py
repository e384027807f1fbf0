"""Forgets what is older than it is kept for, now and then; runs in every worker, harmlessly so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from app.infra.db import AWAY
from app.kit.errors import AppError

EVERY_S = 3600.0
"""Nothing here is urgent: a table is at most an hour's rows longer than promised."""

Trim = Callable[[], Awaitable[object]]
log = structlog.get_logger()


class Housekeeper:
    """Calls every named trim once per round; the worker owns its task."""

    def __init__(self, trims: Mapping[str, Trim], *, every_s: float = EVERY_S) -> None:
        self._trims = trims
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled. A database that is away is met again in the next round."""
        while True:
            for name, trim in self._trims.items():
                try:
                    await trim()
                except (AppError, *AWAY) as fault:
                    log.warning("housekeeping.postponed", part=name, cause=repr(fault))
            await asyncio.sleep(self._every_s)
