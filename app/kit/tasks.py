"""Ending a background task so that it is truly over."""

import asyncio
from typing import Any

CANCEL_AGAIN_S = 0.2


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it is over; what it raised is its owner's business no more.

    Asked again and again: a library may swallow one cancellation. asyncio's own `wait_for`, which
    redis-py and asyncpg use, does so before Python 3.12 when its result comes at the same moment
    (CPython issue 81839); a single `cancel()` would wait for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)
    if not task.cancelled():
        task.exception()  # read, so that the loop does not complain
