"""Gapless channels: nothing is lost, doubled or out of order, or the client is told so."""

import asyncio

import pytest

from realtime import Identity, Limits, MemoryBroker, MemoryBus, Publication, RealtimeError
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, TAIL
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")
FAST = Limits(fill_retry_s=0.001, fill_retry_max_s=0.002, fill_attempts=3, sweep_interval_s=0.02)


def pushed(client: Client, channel: str = "log:1") -> list[int]:
    """The offsets a client has seen on a channel."""
    pushes = [f["push"] for f in client.transport.frames if "push" in f]
    return [p["pub"]["offset"] for p in pushes if p["channel"] == channel and "pub" in p]


class TestHoles:
    async def test_a_hole_is_read_before_anything_later_is_delivered(self) -> None:
        """Lost publishes show as a hole and are repaired in order."""
        log = MemoryLog()
        async with Kit([LOG], log=log) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            rows = [log.commit("log:1", n) for n in range(6)]
            for row in (rows[1], rows[1], rows[4], rows[0], rows[5]):
                await house.node.publish_log("log:1", row)
            await until(lambda: len(pushed(client)) == 6)
            assert pushed(client) == [1, 2, 3, 4, 5, 6]

    async def test_a_lost_publish_is_found_by_the_sweep(self) -> None:
        """Without any traffic the log's head tells that something is missing."""
        log = MemoryLog()
        async with Kit([LOG], log=log, limits=FAST) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            for number in range(3):
                log.commit("log:1", number)
            await until(lambda: pushed(client) == [1, 2, 3])

    async def test_a_log_that_is_away_is_asked_again(self) -> None:
        """A hole outlives failures of the database, and the sweep its own."""

        class Shaky(MemoryLog):
            failures = 5

            async def read(self, channel: str, after: int, limit: int) -> list[Publication]:
                self.failures -= 1
                if self.failures >= 0:
                    raise ConnectionError("away")
                return await super().read(channel, after, limit)

            async def heads(self, channels: object) -> dict[str, tuple[int, str]]:
                raise ConnectionError("away")

        log = Shaky()
        async with Kit([LOG], log=log, limits=FAST) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            log.commit("log:1", 0)
            await house.node.publish_log("log:1", log.commit("log:1", 1))
            await until(lambda: pushed(client) == [1, 2])

    async def test_a_log_that_does_not_answer_is_asked_again(self) -> None:
        """A question that hangs is given up: the hole is closed by the next one."""

        class Hanging(MemoryLog):
            is_hanging = True

            async def read(self, channel: str, after: int, limit: int) -> list[Publication]:
                if self.is_hanging:
                    self.is_hanging = False
                    await asyncio.get_running_loop().create_future()
                return await super().read(channel, after, limit)

        log = Hanging()
        async with Kit([LOG], log=log, limits=Limits(command_timeout_s=0.1)) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            rows = [log.commit("log:1", n) for n in range(2)]
            await house.node.publish_log("log:1", rows[1])
            await until(lambda: pushed(client) == [1, 2])

    async def test_what_is_ahead_of_a_hole_is_bounded_and_read_again(self) -> None:
        """More than memory allows is not kept: the log has it."""
        log = MemoryLog()
        async with Kit([LOG], log=log, limits=Limits(pending_max=2, fill_page=3)) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            rows = [log.commit("log:1", n) for n in range(10)]
            for row in rows[2:]:
                await house.node.publish_log("log:1", row)
            await until(lambda: len(pushed(client)) == 10)
            assert pushed(client) == list(range(1, 11))

    async def test_a_hole_that_cannot_be_filled_is_told(self) -> None:
        """2500: subscribe again; the channel goes on behind the hole."""
        log = MemoryLog()
        async with Kit([LOG], log=log, limits=FAST) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            await house.node.publish_log("log:1", Publication(b"1", 5))
            told = await client.assert_push("log:1", "unsubscribe")
            assert told == {"code": 2500, "reason": "insufficient state"}

    async def test_a_trimmed_hole_is_told(self) -> None:
        """A log that starts behind the hole cannot fill it."""
        log = MemoryLog()
        async with Kit([LOG], log=log, limits=FAST) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            for number in range(4):
                log.commit("log:1", number)
            log.trimmed["log:1"] = 2
            assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500
            assert (await client.subscribe("log:1"))["offset"] == 4

    async def test_another_epoch_is_told(self) -> None:
        """A log that started over has other offsets; so has one that went back."""
        log = MemoryLog()
        log.commit("log:1", 0)
        async with Kit([LOG], log=log, limits=FAST) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            log.epoch = "log2"
            assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500
            assert (await client.subscribe("log:1"))["epoch"] == "log2"
            log.rows.clear()
            channel = house.node._channels.ordered(LOG.delivery)["log:1"]
            channel.suspect()
            assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500

    async def test_a_source_that_forgot_and_went_on_is_told(self) -> None:
        """Other entries under the same numbers: the head alone would not show it."""
        log = MemoryLog()
        async with Kit([LOG], log=log, limits=FAST) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            for number in range(3):
                await house.node.publish_log("log:1", log.commit("log:1", number))
            channel = house.node._channels.ordered(LOG.delivery)["log:1"]
            channel.suspect()
            await until(lambda: not channel._suspect)
            assert pushed(client) == [1, 2, 3]
            del log.rows["log:1"][1:]
            for number in range(10, 13):
                log.commit("log:1", number)
            channel.suspect()
            assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500
            assert (await client.subscribe("log:1"))["offset"] == 4


class TestTail:
    async def test_a_restarted_broker_without_data_is_told(self) -> None:
        """New epoch: subscribe again, get the state anew."""
        bus = MemoryBus()
        async with Kit([TAIL], broker=MemoryBroker(bus), limits=FAST) as house:
            client = await house.connected(LEARNER)
            first = (await client.subscribe("tail:1"))["epoch"]
            await house.node.publish_tail("tail:1", b"1")
            bus.lose()
            await house.node.publish_tail("tail:1", b"1")
            assert (await client.assert_push("tail:1", "unsubscribe"))["code"] == 2500
            again = await client.subscribe("tail:1", recover=True, offset=1, epoch=first)
            assert again["was_recovering"]
            assert "recovered" not in again
            assert again["epoch"] != first

    async def test_what_an_outage_swallowed_is_read_from_the_stream(self) -> None:
        """After the outage the stream is compared, without waiting for traffic."""
        bus = MemoryBus()
        broker, far = MemoryBroker(bus), MemoryBroker(bus)
        async with Kit([TAIL], broker=broker) as house, Kit([TAIL], broker=far) as other:
            client = await house.connected(LEARNER)
            await client.subscribe("tail:1")
            broker.channels.clear()
            await other.node.publish_tail("tail:1", b"1")
            broker.channels.add("tail:1")
            bus.restore()
            await until(lambda: pushed(client, "tail:1") == [1])

    async def test_a_stream_dropped_behind_our_back_is_told(self) -> None:
        """What nobody has any more cannot be delivered."""
        bus = MemoryBus()
        broker, far = MemoryBroker(bus), MemoryBroker(bus)
        async with Kit([TAIL], broker=broker) as house, Kit([TAIL], broker=far) as other:
            client = await house.connected(LEARNER)
            await client.subscribe("tail:1")
            broker.channels.clear()
            await other.node.publish_tail("tail:1", b"1")
            await other.node.drop_tail("tail:1")
            bus.restore()
            assert (await client.assert_push("tail:1", "unsubscribe"))["code"] == 2500

    async def test_an_epoch_lost_while_a_hole_is_read_is_told(self) -> None:
        """The read itself shows that the stream started over."""
        bus = MemoryBus()
        broker = MemoryBroker(bus)
        async with Kit([TAIL], broker=broker) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("tail:1")
            channel = house.node._channels.ordered(TAIL.delivery)["tail:1"]
            bus.lose()
            channel.announce(3, channel.epoch)
            assert (await client.assert_push("tail:1", "unsubscribe"))["code"] == 2500

    async def test_without_broker_a_subscribe_is_refused_for_now(self) -> None:
        """Temporary: the client tries again by itself."""
        bus = MemoryBus()
        async with Kit([TAIL], broker=MemoryBroker(bus)) as house:
            client = await house.connected(LEARNER)
            bus.down = True
            with pytest.raises(RealtimeError) as refused:
                await client.subscribe("tail:1")
            assert (refused.value.code, refused.value.temporary) == (108, True)
            bus.restore()
            await client.subscribe("tail:1")
