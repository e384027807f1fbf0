"""A copy of the database takes over without the newest entries: their numbers come again."""

from realtime import Delivery, Identity, Limits, Publication
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import FAMILIES
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")
RARELY = Limits(sweep_interval_s=3600)


async def subscribed(house: Kit, channel: str) -> Client:
    """A client on a channel."""
    client = await house.connected(LEARNER)
    await client.subscribe(channel)
    return client


async def test_another_entry_of_the_same_number_is_told() -> None:
    """It would be taken for one that was delivered already, and never be seen."""
    log = MemoryLog()
    async with Kit(FAMILIES, log=log, limits=RARELY) as house:
        client = await subscribed(house, "log:1")
        for text in ("one", "two", "lost"):
            await house.node.publish_log("log:1", log.commit("log:1", text))
            await client.assert_push("log:1")
        log.rows["log:1"].pop()
        await house.node.publish_log("log:1", log.commit("log:1", "instead"))
        assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500


async def test_a_head_that_went_back_is_told() -> None:
    """Before the number is given out again, the sweep finds it."""
    log = MemoryLog()
    async with Kit(FAMILIES, log=log, limits=RARELY) as house:
        client = await subscribed(house, "log:1")
        for text in ("one", "lost"):
            await house.node.publish_log("log:1", log.commit("log:1", text))
        log.rows["log:1"].pop()
        await house.node._upkeep.sweep()
        assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500


async def test_the_same_entry_once_more_is_nothing() -> None:
    """Also as the database writes it, and also an entry that the log does not know."""
    log = MemoryLog()
    async with Kit(FAMILIES, log=log, limits=RARELY) as house:
        client = await subscribed(house, "log:1")
        row = log.commit("log:1", {"b": 1, "a": [1.0, None]})
        await house.node.publish_log("log:1", row)
        await client.assert_push("log:1")
        for data in (b'{ "a": [1, null], "b": 1 }', b'"stray"', b"1e999"):
            await house.node.publish_log("log:1", Publication(data, row.offset))
        channel = house.node._channels.ordered(Delivery.LOG)["log:1"]
        await until(lambda: not channel._suspect)
        await house.node.publish_log("log:1", log.commit("log:1", "next"))
        assert (await client.assert_push("log:1"))["data"] == "next"
        await client.assert_no_push("log:1", "unsubscribe")
