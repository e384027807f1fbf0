"""What only the Redis broker can get wrong."""

import asyncio
from unittest.mock import Mock

import pytest

from realtime.broker_redis import RedisBroker, RedisOptions
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer

ROUNDS = 300


@pytest.mark.parametrize("known", [True, False])
async def test_cancelled_caller_always_ends(redis_server: RedisServer, known: bool) -> None:
    """A cancellation is never lost, however it falls together with Redis' answer or refusal."""
    broker = RedisBroker(redis_server.url, RedisOptions(prefix="cancelled"))
    await broker.start(Mock())
    await until(lambda: broker.state.connected)

    async def append_for_ever() -> None:
        while True:
            await broker.append("tail", b"1")
            await asyncio.sleep(0)

    try:
        for number in range(ROUNDS):
            if not known:  # the script is refused first, and sent whole then
                await broker._layout.on("tail", lambda shard: shard.ask("SCRIPT", "FLUSH"))
            caller = asyncio.create_task(append_for_ever())
            for _ in range(number % 60):
                await asyncio.sleep(0)
            caller.cancel()
            ended, _ = await asyncio.wait([caller], timeout=1)
            assert ended, f"round {number}: still appending"
    finally:
        await broker.stop()
