"""Two processes on one Redis that is killed under load: nothing of a LOG channel may be lost."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest

from realtime import Identity, Limits
from realtime.broker_redis import RedisBroker, RedisOptions
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, NO_PINGS, TAIL, VALUE, offsets, shelf, with_snapshot
from tests.realtime.waiting import until
from tests.support.redis_server import RedisServer

CHANNEL = "log:1"
LIMITS = Limits(ping_interval_s=NO_PINGS, sweep_interval_s=0.5, outage_sweep_interval_s=0.2)
FLOWING_WITHIN_S = 3.0


@dataclass
class Tally:
    """What one subscriber saw of the channel."""

    client: Client
    seen: list[int] = field(default_factory=list)

    def take(self) -> None:
        """Move the pushes of the client here."""
        frames, self.client.transport.frames = self.client.transport.frames, []
        pushes = [f["push"] for f in frames if "push" in f]
        assert not [p for p in pushes if "unsubscribe" in p], "a position was lost"
        self.seen += [p["pub"]["offset"] for p in pushes if "pub" in p]


def two_houses(server: RedisServer, log: MemoryLog) -> list[Kit]:
    prefix = RedisOptions(prefix=secrets.token_hex(4))
    families = [LOG, VALUE, TAIL]
    return [
        Kit(families, log=log, broker=RedisBroker(server.url, prefix), limits=LIMITS)
        for _ in range(2)
    ]


async def test_two_processes_serve_one_audience(shared_redis: RedisServer) -> None:
    """What is published on one arrives on the other, in all three classes."""
    log = MemoryLog()
    one, two = two_houses(shared_redis, log)
    async with one, two:
        client = await two.connected(Identity(user="7"))
        for channel in (CHANNEL, "value:1", "tail:1"):
            await client.subscribe(channel)
        await one.node.publish_log(CHANNEL, log.commit(CHANNEL, "a"))
        await one.node.publish_value("value:1", b'"b"', 1)
        await one.node.publish_tail("tail:1", b'"c"')
        for channel, data in ((CHANNEL, "a"), ("value:1", "b"), ("tail:1", "c")):
            assert (await client.assert_push(channel))["data"] == data


@pytest.mark.parametrize("outage_s", [0.2])
async def test_r6_redis_is_killed_under_load(redis_server: RedisServer, outage_s: float) -> None:
    """0 lost, 0 doubled, 0 out of order, on both processes; flowing again within 3 s."""
    log = MemoryLog()
    houses = two_houses(redis_server, log)
    async with houses[0], houses[1]:
        tallies = []
        for number in range(100):
            client = await houses[number % 2].connected(Identity(user=str(number)))
            await client.subscribe(CHANNEL)
            tallies.append(Tally(client))
        stop = asyncio.Event()
        load = asyncio.create_task(_publish(houses, log, stop))
        await until(lambda: len(log.rows.get(CHANNEL, [])) > 10)
        redis_server.kill()
        await _pass(outage_s)
        redis_server.start()
        back = asyncio.get_running_loop().time()
        await until(lambda: all(h.node.state.connected for h in houses))
        assert asyncio.get_running_loop().time() - back < FLOWING_WITHIN_S
        await _pass(0.2)
        stop.set()
        await load
        total = len(log.rows[CHANNEL])

        def complete() -> bool:
            for tally in tallies:
                tally.take()
            return all(len(tally.seen) >= total for tally in tallies)

        await until(complete)
        wrong = [t for t in tallies if t.seen != list(range(1, total + 1))]
        report = {"name": "R6", "outage_s": outage_s, "events": total, "clients": len(tallies)}
        print(json.dumps({**report, "clients_wrong": len(wrong)}))
        assert not wrong


async def test_a_client_recovers_on_the_other_process_while_redis_is_away(
    redis_server: RedisServer,
) -> None:
    """Recovery needs PostgreSQL's log only."""
    log = MemoryLog()
    one, two = two_houses(redis_server, log)
    async with one, two:
        client = await one.connected(Identity(user="7"))
        position = await client.subscribe(CHANNEL)
        redis_server.kill()
        await until(lambda: not two.node.state.connected)
        for number in range(5):
            await one.node.publish_log(CHANNEL, log.commit(CHANNEL, number))
        other = await two.connected(Identity(user="7"))
        result = await other.subscribe(CHANNEL, recover=True, offset=2, epoch=position["epoch"])
        assert (result["recovered"], offsets(result)) == (True, [3, 4, 5])
        await one.node.publish_log(CHANNEL, log.commit(CHANNEL, "swept"))
        assert (await other.assert_push(CHANNEL))["offset"] == 6


async def test_a_logout_in_an_outage_reaches_the_other_process_afterwards(
    redis_server: RedisServer,
) -> None:
    """Kept and sent when Redis is back."""
    one, two = two_houses(redis_server, MemoryLog())
    async with one, two:
        client = await two.connected(Identity(user="7", session="s7"))
        redis_server.kill()
        await until(lambda: not one.node.state.connected)
        await one.node.disconnect_session("s7")
        redis_server.start()
        assert (await client.assert_closed())[0] == 3503


async def test_a_tail_that_lost_its_stream_is_told(redis_server: RedisServer) -> None:
    """Redis comes back empty: subscribers start over from the state."""
    family = with_snapshot(TAIL, shelf(None))
    kit = Kit([family], broker=RedisBroker(redis_server.url), limits=LIMITS)
    async with kit:
        client = await kit.connected(Identity(user="7"))
        first = await client.subscribe("tail:1")
        await kit.node.publish_tail("tail:1", b"1")
        await client.assert_push("tail:1")
        redis_server.kill()
        redis_server.start()
        assert (await client.assert_push("tail:1", "unsubscribe"))["code"] == 2500
        result: dict[str, Any] = await client.subscribe(
            "tail:1", recover=True, offset=1, epoch=first["epoch"]
        )
        assert "recovered" not in result


async def _publish(houses: list[Kit], log: MemoryLog, stop: asyncio.Event) -> None:
    """About a hundred facts a second, from both processes."""
    number = 0
    while not stop.is_set():
        number += 1
        entry = log.commit(CHANNEL, number)
        await houses[number % 2].node.publish_log(CHANNEL, entry)
        await asyncio.sleep(0.01)


async def _pass(seconds: float) -> None:
    """Let real time pass: an outage has a length."""
    await asyncio.sleep(seconds)
