"""Waiting for conditions instead of sleeping."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

DEADLINE_S = 10


async def until(
    condition: Callable[[], bool | Awaitable[bool]], deadline_s: float = DEADLINE_S
) -> None:
    """Wait until the condition holds; fails after the deadline."""
    async with asyncio.timeout(deadline_s):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.005)  # what is awaited has no event: it lies beyond a socket
