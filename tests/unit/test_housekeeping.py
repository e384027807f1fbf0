"""Housekeeping in the worker."""

import asyncio

from app.infra.housekeeping import Housekeeper
from app.kit.errors import Unavailable

WAIT_S = 5


async def test_every_part_is_trimmed_again_in_spite_of_an_outage() -> None:
    """A database that was away once does not end the housekeeping."""
    calls = {"away": 0, "fine": 0}
    twice = asyncio.Event()

    async def away() -> None:
        calls["away"] += 1
        raise Unavailable

    async def fine() -> int:
        calls["fine"] += 1
        if calls["fine"] == 2:
            twice.set()
        return 0

    keeper = asyncio.create_task(Housekeeper({"a": away, "b": fine}, every_s=0.001).run())
    async with asyncio.timeout(WAIT_S):
        await twice.wait()
    keeper.cancel()
    assert calls["away"] >= 2
