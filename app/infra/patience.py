"""Waits for a database that is still starting: after a reboot nobody knows who is up first."""

import asyncio
import ssl

import asyncpg
import structlog

from app.infra.db import CONNECT_TIMEOUT_S
from app.kit.errors import Unavailable

LOOK_S = 0.25

NOT_UP = (
    # Nobody listens, no such socket yet, no such name yet, no answer.
    OSError,
    asyncpg.PostgresConnectionError,
    # It is starting, recovering from a crash, or going down to come back.
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # All who lost it return at once.
    asyncpg.TooManyConnectionsError,
)
HOPELESS = (PermissionError, ssl.SSLError)
"""Of these OSErrors no waiting gets rid."""

log = structlog.get_logger(__name__)


async def wait_for_database(url: str, patience_s: float) -> None:
    """Return as soon as it lets us in.

    Raises at once what waiting cannot mend: a wrong password, an absent database. Raises
    Unavailable, with what was met last, when the patience is over.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience_s
    has_told = False
    while (fault := await _knock(url)) is not None:
        if loop.time() >= end:
            raise Unavailable(f"The database did not answer for {patience_s:g} s: {fault}")
        if not has_told:
            log.warning("database.awaited", patience_s=patience_s, reason=repr(fault))
            has_told = True
        await asyncio.sleep(LOOK_S)


async def _knock(url: str) -> Exception | None:
    """Why it is not up yet; None when it is."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except HOPELESS:
        raise
    except NOT_UP as fault:
        return fault
    await connection.close(timeout=CONNECT_TIMEOUT_S)
    return None
