"""A primary of a real cluster is killed under load: its copy takes over, and nothing is lost."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.crc import key_slot

from realtime import Identity, Limits
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import LOG, NO_PINGS, TAIL, VALUE
from tests.realtime.test_outage import Tally
from tests.realtime.waiting import until
from tests.support.redis_server import LOOPBACK, RedisCluster, RedisServer
from tests.support.report import Report

LIMITS = Limits(ping_interval_s=NO_PINGS, sweep_interval_s=60, outage_sweep_interval_s=0.2)
"""While the broker is well the sweep is out of the way: what arrives came over the cluster."""
CLIENTS = 40
FLOWING_WITHIN_S = 3.0


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    """Three primaries, and a copy of the first."""
    with RedisCluster(replica=True) as cluster:
        yield cluster


def on_the_first(cluster: RedisCluster, family: str) -> str:
    """A channel that lives on the primary with a copy."""
    names = (f"{family}:{number}" for number in range(1000))
    return next(n for n in names if cluster.owner(key_slot(n.encode())) is cluster.nodes[0])


def houses(cluster: RedisCluster, log: MemoryLog) -> list[Kit]:
    """Two processes."""
    options = RedisOptions(
        prefix=secrets.token_hex(4), timeout_s=1.0, layout_s=0.5, retry_max_s=0.2
    )
    return [
        Kit([LOG, VALUE, TAIL], log=log, broker=RedisBroker(cluster.url, options), limits=LIMITS)
        for _ in range(2)
    ]


async def promoted(cluster: RedisCluster) -> None:
    """Wait until the copy owns the slots of the dead."""
    [copy] = cluster.replicas
    with Redis(host=LOOPBACK, port=copy.port, protocol=2) as client:
        await until(lambda: client.execute_command("ROLE")[0] == b"master")


async def test_r6_a_copy_takes_over_under_load(cluster: RedisCluster) -> None:
    """LOG: 0 lost, 0 doubled, 0 out of order; flowing over the copy within 3 s."""
    log, channel = MemoryLog(), on_the_first(cluster, "log")
    one, two = houses(cluster, log)
    loop = asyncio.get_running_loop()
    async with one, two:
        tallies = []
        for number in range(CLIENTS):
            client = await (one, two)[number % 2].connected(Identity(user=str(number)))
            await client.subscribe(channel)
            tallies.append(Tally(client))
        stop = asyncio.Event()
        load = loop.create_task(publish_until(stop, (one, two), log, channel))
        await until(lambda: len(log.rows.get(channel, [])) > 20)
        cluster.nodes[0].kill()
        await promoted(cluster)
        began = loop.time()
        await until(lambda: all(house.node.state.connected for house in (one, two)))
        flowing_s = loop.time() - began
        stop.set()
        await load
        # Without traffic and without a sweep: this one can only come over the copy.
        await one.node.publish_log(channel, log.commit(channel, "over the copy"))
        total = len(log.rows[channel])

        def complete() -> bool:
            for tally in tallies:
                tally.take()
            return all(len(tally.seen) >= total for tally in tallies)

        await until(complete)
        cluster.nodes[0].start()
        await follows(cluster.nodes[0])
        await one.node.publish_log(channel, log.commit(channel, "the dead came back as a copy"))
        total += 1
        await until(complete)
    report = Report("R6", events=total, extra={"failover": True, "flowing_s": round(flowing_s, 2)})
    for tally in tallies:
        report.reconcile(tally.seen, range(1, total + 1))
    report.demand("flowing within 3 s", flowing_s <= FLOWING_WITHIN_S)
    report.conclude()


async def test_a_copy_that_lost_the_end_of_a_stream_is_found_out(cluster: RedisCluster) -> None:
    """TAIL: numbers that were given twice are told (2500), never delivered as if they followed."""
    channel = on_the_first(cluster, "tail")
    one, two = houses(cluster, MemoryLog())
    [copy] = cluster.replicas
    async with one, two:
        client = await two.connected(Identity(user="7"))
        await client.subscribe(channel)
        assert await one.node.publish_tail(channel, b"1") == 1
        with Redis(host=LOOPBACK, port=cluster.nodes[0].port) as primary:
            assert primary.wait(1, 5000) == 1
            copy.freeze()
            # Else what follows waits for it in the socket, and it is not lost.
            assert primary.execute_command("CLIENT KILL TYPE REPLICA") == 1
        for number in (2, 3):
            await one.node.publish_tail(channel, b"%d" % number)
        await until(lambda: len(client.transport.frames) >= 3)
        cluster.nodes[0].kill()
        copy.thaw()
        await promoted(cluster)
        with Redis(host=LOOPBACK, port=copy.port) as promoted_copy:
            prefix = one.node._broker._options.prefix  # type: ignore[attr-defined]
            assert promoted_copy.hget(f"{prefix}.m.{{{channel}}}", "s") == b"1"
        assert (await client.assert_push(channel, "unsubscribe"))["code"] == 2500


async def follows(server: RedisServer) -> None:
    """Wait until a server that came back has become a copy."""
    with Redis(host=LOOPBACK, port=server.port, protocol=2) as client:
        await until(lambda: client.execute_command("ROLE")[0] == b"slave")


async def publish_until(
    stop: asyncio.Event, both: tuple[Kit, Kit], log: MemoryLog, channel: str
) -> None:
    """About a hundred facts a second, from both processes in turn."""
    while not stop.is_set():
        number = len(log.rows.get(channel, []))
        await both[number % 2].node.publish_log(channel, log.commit(channel, number))
        await asyncio.sleep(0.01)
