"""Hears PostgreSQL's NOTIFY: a hint that something is to be done, never the fact itself.

A notification sent while the connection is away is lost, so every listener must also look for
itself from time to time.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from app.infra.db import ACQUIRE_TIMEOUT_S, DATABASE_AWAY, Database

log = structlog.get_logger(__name__)

RETRY_S = 0.5
RETRY_MAX_S = 10.0

Heard = Callable[[str], None]


class Listener:
    """Holds one pooled connection on one notification channel and comes back after every loss."""

    def __init__(self, db: Database, channel: str, heard: Heard) -> None:
        self._db = db
        self._channel = channel
        self._heard = heard

    async def run(self) -> None:
        """Listen until cancelled."""
        wait_s = RETRY_S
        while True:
            try:
                await self._listen()
                wait_s = RETRY_S
            except DATABASE_AWAY as fault:
                log.warning("notify.away", channel=self._channel, reason=repr(fault))
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)

    async def _listen(self) -> None:
        """Until the connection is lost."""
        lost = asyncio.Event()

        def on_loss(_connection: Any) -> None:
            lost.set()

        def on_notice(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
            self._heard(payload)

        async with self._db.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            connection.add_termination_listener(on_loss)
            await connection.add_listener(self._channel, on_notice)
            try:
                await lost.wait()
            finally:
                if not lost.is_set():
                    connection.remove_termination_listener(on_loss)
                    await connection.remove_listener(self._channel, on_notice)
