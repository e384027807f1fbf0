"""Redis behind TLS: whom the broker believes, and what it says of whom it does not."""

import pytest
import trustme

from realtime import BrokerUnavailable
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.broker_redis.shard import Shard
from tests.realtime.pairs import Ear, message
from tests.realtime.waiting import until
from tests.support.redis_server import RedisCluster, RedisServer
from tests.support.redis_tls import tls_front, tls_fronts

OPTIONS = RedisOptions(timeout_s=1.0, retry_max_s=0.2)


async def refused(url: str) -> str:
    """Start a broker there; what it says of the server that it does not believe."""
    broker = RedisBroker(url, OPTIONS)
    await broker.start(Ear(), "one")
    try:
        assert not broker.state.connected
        assert not await broker.subscribe("t:1")
        with pytest.raises(BrokerUnavailable) as raised:
            await broker.publish("t:1", message(1))
        assert str(raised.value)
        return broker.state.last_error
    finally:
        await broker.stop()


async def test_v12_3_2_another_authority_is_refused(shared_redis: RedisServer) -> None:
    """The state, and with it readiness, names the reason."""
    async with tls_front(shared_redis, trusted=trustme.CA()) as url:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(url)


async def test_v12_3_2_another_name_is_refused(shared_redis: RedisServer) -> None:
    """A certificate of the right authority for another server is not enough."""
    async with tls_front(shared_redis, name="redis.example") as url:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(url)


async def test_v12_3_2_without_an_authority_nobody_is_believed(shared_redis: RedisServer) -> None:
    """The machine's own authorities do not know the test's."""
    async with tls_front(shared_redis) as url:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(url.partition("?")[0])


async def test_v12_3_2_a_cluster_of_another_authority_is_refused(
    shared_tls_cluster: RedisCluster,
) -> None:
    """No node of it is believed."""
    async with tls_fronts(shared_tls_cluster, trusted=trustme.CA()) as url:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(url)


async def test_v12_3_1_nothing_travels_in_the_clear(shared_redis: RedisServer) -> None:
    """Who speaks plainly to that port is not understood."""
    async with tls_front(shared_redis) as url:
        assert await refused(url.replace("rediss:", "redis:").partition("?")[0])


async def test_r6_a_server_behind_tls_is_killed_and_comes_back(redis_server: RedisServer) -> None:
    """The links are made anew, with TLS, by themselves."""
    async with tls_front(redis_server) as url:
        broker, ear = RedisBroker(url, OPTIONS), Ear()
        await broker.start(ear, "one")
        assert await broker.subscribe("t:1")
        redis_server.kill()
        await until(lambda: not broker.state.connected)
        redis_server.start()
        await until(lambda: broker.state.connected)
        await broker.publish("t:1", message(1))
        await until(lambda: [m for _, m in ear.messages] == [message(1)])
        await broker.stop()


def test_all_connections_share_one_look_at_the_authorities() -> None:
    """Reading them takes 30 ms of the loop; a burst of connections would stall every socket."""
    pool = Shard("rediss://localhost:1", OPTIONS)._pool
    contexts = [pool.make_connection().ssl_context.get() for _ in range(3)]
    assert len(set(contexts)) == 1
