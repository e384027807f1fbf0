"""Recovery of a LOG channel, and what happens while a subscriber joins."""

import asyncio

import pytest

from realtime import Identity, Limits, RealtimeError, Snapshot
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, offsets, shelf, with_snapshot
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")
FAST = Limits(fill_retry_s=0.001, fill_retry_max_s=0.002, fill_attempts=3, sweep_interval_s=0.02)


def pushed(client: Client, channel: str = "log:1") -> list[int]:
    """The offsets a client has seen on a channel."""
    pushes = [f["push"] for f in client.transport.frames if "push" in f]
    return [p["pub"]["offset"] for p in pushes if p["channel"] == channel and "pub" in p]


class TestRecovery:
    async def test_from_memory(self) -> None:
        """A client that comes back soon gets exactly what it missed, without reading the log."""
        log = MemoryLog()
        async with Kit([LOG], log=log) as house:
            client = await house.connected(LEARNER)
            position = await client.subscribe("log:1")
            for number in range(5):
                await house.node.publish_log("log:1", log.commit("log:1", number))
            await client.unsubscribe("log:1")
            result = await client.subscribe(
                "log:1", recover=True, offset=2, epoch=position["epoch"]
            )
            assert (result["recovered"], result["was_recovering"]) == (True, True)
            assert (offsets(result), result["offset"]) == ([3, 4, 5], 5)
            assert log.reads == 0

    async def test_from_the_log(self) -> None:
        """A cold channel recovers from PostgreSQL's log; nothing missed is recovered too."""
        log = MemoryLog()
        for number in range(5):
            log.commit("log:1", number)
        async with Kit([LOG], log=log) as house:
            client = await house.connected(LEARNER)
            result = await client.subscribe("log:1", recover=True, offset=3, epoch="log1")
            assert (offsets(result), result["recovered"]) == ([4, 5], True)
            await client.unsubscribe("log:1")
            result = await client.subscribe("log:1", recover=True, offset=5, epoch="log1")
            assert (offsets(result), result["recovered"], result["offset"]) == ([], True, 5)

    @pytest.mark.parametrize(
        ("offset", "epoch", "trimmed"),
        [(3, "other", 0), (0, "log1", 2), (0, "log1", 5), (99, "log1", 0), (9999, "log1", 0)],
    )
    async def test_never_a_part(self, offset: int, epoch: str, trimmed: int) -> None:
        """Another epoch, a trimmed log or a position from the future: state instead."""
        log = MemoryLog()
        for number in range(5):
            log.commit("log:1", number)
        log.trimmed["log:1"] = trimmed
        family = with_snapshot(LOG, shelf(Snapshot(b'"state"', 5, "log1")))
        async with Kit([family], log=log) as house:
            client = await house.connected(LEARNER)
            result = await client.subscribe("log:1", recover=True, offset=offset, epoch=epoch)
            assert "recovered" not in result
            assert (result["data"], result["offset"], offsets(result)) == ("state", 5, [])

    async def test_too_much_is_a_snapshot_too(self) -> None:
        """More than the bound is not sent one by one, from memory or from the log."""
        log = MemoryLog()
        for number in range(5):
            log.commit("log:1", number)
        async with Kit([LOG], log=log, limits=Limits(recover_max=2)) as house:
            client = await house.connected(LEARNER)
            result = await client.subscribe("log:1", recover=True, offset=1, epoch="log1")
            assert "recovered" not in result
            for number in range(3):
                await house.node.publish_log("log:1", log.commit("log:1", number))
            await client.unsubscribe("log:1")
            result = await client.subscribe("log:1", recover=True, offset=5, epoch="log1")
            assert "recovered" not in result

    async def test_a_client_ahead_of_this_process_is_waited_for(self) -> None:
        """Another process delivered more than we have seen: we catch up first."""
        log = MemoryLog()
        log.commit("log:1", 0)
        async with Kit([LOG], log=log) as house:
            other, client = await house.connected(LEARNER), await house.connected(LEARNER)
            await other.subscribe("log:1")
            log.commit("log:1", 1)
            log.commit("log:1", 2)
            result = await client.subscribe("log:1", recover=True, offset=3, epoch="log1")
            assert (offsets(result), result["recovered"], result["offset"]) == ([], True, 3)
            assert pushed(other) == [2, 3]

    async def test_what_recovery_reads_is_news_for_the_others(self) -> None:
        """Entries found in the log are delivered to everyone, once."""
        log = MemoryLog()
        rows = [log.commit("log:1", 0)]
        async with Kit([LOG], log=log) as house:
            other, client = await house.connected(LEARNER), await house.connected(LEARNER)
            await other.subscribe("log:1")
            rows += [log.commit("log:1", 1)]
            result = await client.subscribe("log:1", recover=True, offset=0, epoch="log1")
            assert offsets(result) == [1, 2]
            assert pushed(other) == [2]
            await house.node.publish_log("log:1", rows[1])
            await client.assert_no_push("log:1")


class TestJoinRace:
    async def test_what_arrives_during_the_snapshot_follows_the_reply(self) -> None:
        """Register, buffer, read, reply, flush: nothing is lost and nothing is doubled."""
        log = MemoryLog()
        reading, go_on = asyncio.Event(), asyncio.Event()

        async def take(_identity: Identity, channel: str) -> Snapshot:
            reading.set()
            await go_on.wait()
            return Snapshot(b'"state"', 2, "log1")

        async with Kit([with_snapshot(LOG, take)], log=log) as house:
            client = await house.connected(LEARNER)
            joining = asyncio.create_task(client.subscribe("log:1"))
            await reading.wait()
            for number in range(4):
                await house.node.publish_log("log:1", log.commit("log:1", number))
            go_on.set()
            assert (await joining)["offset"] == 2
            await until(lambda: len(pushed(client)) == 2)
            assert pushed(client) == [3, 4]

    async def test_a_snapshot_ahead_of_us_is_waited_for(self) -> None:
        """The state contains more than was delivered here: the channel catches up first."""
        log = MemoryLog()
        family = with_snapshot(LOG, shelf(None, Snapshot(b'"state"', 2, "log1")))
        async with Kit([family], log=log) as house:
            other, client = await house.connected(LEARNER), await house.connected(LEARNER)
            await other.subscribe("log:1")
            log.commit("log:1", 0)
            log.commit("log:1", 1)
            assert (await client.subscribe("log:1"))["offset"] == 2
            assert pushed(other) == [1, 2]

    async def test_a_snapshot_behind_us_is_completed(self) -> None:
        """What the state lacks comes as publications of the reply."""
        log = MemoryLog()
        family = with_snapshot(LOG, shelf(Snapshot(b'"state"', 1, "log1")))
        for number in range(3):
            log.commit("log:1", number)
        async with Kit([family], log=log) as house:
            client = await house.connected(LEARNER)
            result = await client.subscribe("log:1")
            assert (result["data"], offsets(result), result["offset"]) == ("state", [2, 3], 3)

    async def test_a_snapshot_behind_what_can_be_read_is_refused_for_now(self) -> None:
        """Never a state with a hole behind it."""
        log = MemoryLog()
        family = with_snapshot(LOG, shelf(Snapshot(b'"state"', 1, "log1")))
        for number in range(3):
            log.commit("log:1", number)
        log.trimmed["log:1"] = 2
        async with Kit([family], log=log) as house:
            client = await house.connected(LEARNER)
            with pytest.raises(RealtimeError) as refused:
                await client.subscribe("log:1")
            assert refused.value.temporary

    async def test_a_snapshot_of_another_epoch_makes_us_look(self) -> None:
        """The application knows of a new epoch before we do; the next try succeeds."""
        log = MemoryLog()
        family = with_snapshot(LOG, shelf(Snapshot(b'"state"', 0, "log2")))
        async with Kit([family], log=log) as house:
            client = await house.connected(LEARNER)
            log.epoch = "log2"
            channel_open = house.node._channels.opened("log:1")
            log.epoch = "log1"
            async with channel_open:
                log.epoch = "log2"
                with pytest.raises(RealtimeError) as refused:
                    await client.subscribe("log:1")
                assert refused.value.temporary
                channel = house.node._channels.ordered(LOG.delivery)["log:1"]
                await until(lambda: channel.epoch == "log2")
                assert (await client.subscribe("log:1"))["epoch"] == "log2"

    async def test_a_channel_that_starts_over_during_a_join_refuses_it(self) -> None:
        """The join is told to try again, also one that waits for a snapshot's offset."""
        log = MemoryLog()
        go_on = asyncio.Event()

        async def take(_identity: Identity, channel: str) -> Snapshot:
            await go_on.wait()
            return Snapshot(b'"state"')

        async with Kit([with_snapshot(LOG, take)], log=log) as house:
            client = await house.connected(LEARNER)
            joining = asyncio.create_task(client.subscribe("log:1"))
            await until(lambda: bool(house.node._channels.ordered(LOG.delivery)))
            channel = house.node._channels.ordered(LOG.delivery)["log:1"]
            await until(lambda: bool(channel.joins))
            waiting = asyncio.create_task(channel.reach(9))
            given_up = asyncio.create_task(channel.reach(8))
            await asyncio.sleep(0)
            given_up.cancel()
            log.epoch = "log2"
            channel.suspect()
            with pytest.raises(RealtimeError):
                await waiting
            go_on.set()
            with pytest.raises(RealtimeError) as refused:
                await joining
            assert refused.value.temporary

    async def test_a_join_that_buffers_too_much_is_refused_for_now(self) -> None:
        """The buffer of a slow snapshot is bounded."""
        log = MemoryLog()
        go_on = asyncio.Event()

        async def take(_identity: Identity, channel: str) -> None:
            await go_on.wait()

        limits = Limits(pending_max=2)
        async with Kit([with_snapshot(LOG, take)], log=log, limits=limits) as house:
            client = await house.connected(LEARNER)
            joining = asyncio.create_task(client.subscribe("log:1"))
            await until(lambda: bool(house.node._channels.ordered(LOG.delivery)))
            channel = house.node._channels.ordered(LOG.delivery)["log:1"]
            await until(lambda: bool(channel.joins))
            for number in range(3):
                await house.node.publish_log("log:1", log.commit("log:1", number))
            go_on.set()
            with pytest.raises(RealtimeError) as refused:
                await joining
            assert refused.value.temporary

    async def test_a_publication_before_the_head_is_known_waits(self) -> None:
        """Messages flow before the channel knows where it stands."""
        log = MemoryLog()
        asked, go_on = asyncio.Event(), asyncio.Event()

        class SlowLog(MemoryLog):
            async def head(self, channel: str) -> tuple[int, str]:
                head = await super().head(channel)
                asked.set()
                await go_on.wait()
                return head

        log = SlowLog()
        log.commit("log:1", 0)
        async with Kit([LOG], log=log) as house:
            client = await house.connected(LEARNER)
            joining = asyncio.create_task(client.subscribe("log:1"))
            await asked.wait()
            rows = [log.commit("log:1", n) for n in range(3)]
            await house.node.publish_log("log:1", log.rows["log:1"][0])
            await house.node.publish_log("log:1", rows[0])
            await house.node.publish_log("log:1", rows[2])
            go_on.set()
            result = await joining
            # What was delivered before the join began is part of the state, the rest follows.
            rest = list(range(result["offset"] + 1, 5))
            await until(lambda: pushed(client) == rest)
