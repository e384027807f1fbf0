"""What only the Redis broker can get wrong."""

import asyncio
from unittest.mock import Mock

from realtime.broker_redis import RedisBroker, RedisOptions
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer

ROUNDS = 300


async def test_cancelled_caller_always_ends(shared_redis: RedisServer) -> None:
    """A cancellation is never lost, however it falls together with Redis' answer."""
    broker = RedisBroker(shared_redis.url, RedisOptions(prefix="cancelled"))
    await broker.start(Mock())
    await until(lambda: broker.state.connected)

    async def append_for_ever() -> None:
        while True:
            await broker.append("tail", b"1")
            await asyncio.sleep(0)

    try:
        for number in range(ROUNDS):
            caller = asyncio.create_task(append_for_ever())
            for _ in range(number % 60):
                await asyncio.sleep(0)
            caller.cancel()
            ended, _ = await asyncio.wait([caller], timeout=1)
            assert ended, f"round {number}: still appending"
    finally:
        await broker.stop()
