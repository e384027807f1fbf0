"""The link to Redis: what it hears, and when it gives a connection up."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis

from realtime.broker import Broker, Message
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.broker_redis.shard import Shard
from tests.realtime.pairs import Ear, message
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer


class Deaf(Ear):
    """Breaks over every message but the last."""

    def on_message(self, channel: str, message: Message) -> None:
        if message.publication.offset == 1:
            raise ZeroDivisionError
        super().on_message(channel, message)


@asynccontextmanager
async def running(broker: RedisBroker, ear: Ear) -> AsyncIterator[Broker]:
    """A broker with this ear."""
    await broker.start(ear, "one")
    try:
        yield broker
    finally:
        await broker.stop()


class TestLink:
    async def test_a_message_that_breaks_the_receiver_is_not_the_end(
        self, shared_redis: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is logged, and the next one is heard."""
        ear = Deaf()
        async with running(
            RedisBroker(shared_redis.url, RedisOptions(prefix="deaf")), ear
        ) as broker:
            await broker.subscribe("t:1")
            with caplog.at_level(logging.ERROR, logger="realtime"):
                await broker.publish("t:1", message(1))
                await broker.publish("t:1", message(2))
                await until(lambda: bool(ear.messages))
            assert "realtime.bad_message" in caplog.text

    async def test_a_silent_link_is_pinged_and_given_up(self, redis_server: RedisServer) -> None:
        """A server that answers keeps it; one that is frozen does not."""
        options = RedisOptions(silence_s=0.05, timeout_s=0.2, retry_max_s=0.1)
        async with running(RedisBroker(redis_server.url, options), Ear()) as broker:
            link = broker._layout.shard.link  # type: ignore[attr-defined]
            with Redis.from_url(redis_server.url) as observer:
                await until(lambda: observer.info("commandstats")["cmdstat_ping"]["calls"] > 2)
            assert broker.state.connected
            redis_server.freeze()
            await until(lambda: not broker.state.connected)
            redis_server.thaw()
            await until(lambda: broker.state.connected)
            assert link.last_error == ""

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            (b"-ERR no\r\n", "ReplyError: ERR no"),
            (b"nonsense\r\n", "ProtocolError: "),
            (b":1\r\n", "ConnectionError: TypeError("),
        ],
    )
    async def test_a_link_that_says_what_nobody_asked_for_is_given_up(
        self, shared_redis: RedisServer, said: bytes, error: str
    ) -> None:
        """A refusal belongs to no message, and behind nonsense nothing can be read."""
        async with running(RedisBroker(shared_redis.url), Ear()) as broker:
            link = broker._layout.shard.link  # type: ignore[attr-defined]
            await until(lambda: broker.state.connected)
            link._live.data_received(said + b"more")
            await until(lambda: link.last_error.startswith(error))
            await until(lambda: broker.state.connected)

    async def test_a_connection_that_ended_before_it_is_read_is_given_up(
        self, redis_server: RedisServer
    ) -> None:
        """In a busy process the end may be read in one step with the last answer."""
        shard, told = Shard(redis_server.url, RedisOptions()), asyncio.Event()
        shard.link._restored = told.set
        connection = shard._pool.make_connection()
        await connection.connect()  # type: ignore[no-untyped-call]
        redis_server.kill()
        reader = connection._reader
        assert reader is not None
        await until(reader.at_eof)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(shard.link._serve(connection), 1)
        assert not told.is_set()
        await connection.disconnect(nowait=True)
        await shard.stop()
