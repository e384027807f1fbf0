"""Sending every client elsewhere before a process ends: spread over seconds, not in one instant."""

import asyncio
import contextlib
import random

from realtime import codes
from realtime.hub import Hub
from realtime.model import Limits

STEP_S = 0.05


async def drain(hub: Hub, limits: Limits) -> None:
    """Tell one connection after another to come back elsewhere; then wait for the last to go."""
    connections = list(hub.connections.values())
    random.shuffle(connections)
    total_s = min(limits.drain_s, len(connections) * limits.drain_step_s)
    steps = max(1, int(total_s / STEP_S))
    size = -(-len(connections) // steps) or 1
    for first in range(0, len(connections), size):
        if first:
            await asyncio.sleep(STEP_S)
        for connection in connections[first : first + size]:
            connection.disconnect(codes.SHUTDOWN)
    await leave(hub, limits)


async def leave(hub: Hub, limits: Limits) -> None:
    """End what is left, and wait no longer than a goodbye may take."""
    for connection in list(hub.connections.values()):
        connection.disconnect(codes.SHUTDOWN)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * limits.close_timeout_s):
            await hub.wait_until_empty()
