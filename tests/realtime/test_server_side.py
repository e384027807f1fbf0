"""What the server may do to its clients' subscriptions."""

import asyncio
import json
from dataclasses import replace

from realtime import (
    ChannelFamily,
    Delivery,
    Identity,
    Limits,
    Snapshot,
)
from realtime.model import Hooks, Welcome
from realtime.ordered import OrderedChannel
from realtime.testing import Kit, MemoryLog
from tests.realtime.allowing import ALL, LEARNER, code_of
from tests.realtime.families import LOG, members
from tests.realtime.waiting import until


class TestServerSide:
    async def test_connect_brings_channels_and_data(self) -> None:
        """Those of the identity and those of the hook; what is published meanwhile follows."""
        asked: list[bytes] = []

        async def greet(_identity: Identity, data: bytes) -> Welcome:
            asked.append(data)
            return Welcome(("log:1", "value:1"), b'{\n"hello":1}')

        async with Kit(ALL, hooks=Hooks(greet)) as house:
            client = house.client(replace(LEARNER, channels=("talk:1", "log:1")))
            result = await client.command("connect", data={"tab": 1})
            assert [json.loads(data) for data in asked] == [{"tab": 1}]
            assert result["data"] == {"hello": 1}
            assert sorted(result["subs"]) == ["log:1", "talk:1", "value:1"]
            assert result["subs"]["log:1"]["recoverable"] is True
            await house.node.publish_tail("talk:1", b"1")
            assert (await client.assert_push("talk:1"))["data"] == 1
            assert await code_of(client, "subscribe", channel="log:1") == 105
            assert len((await client.command("presence", channel="log:1"))["presence"]) == 1
            await client.unsubscribe("talk:1")
            await house.node.publish_tail("talk:1", b"2")
            await client.assert_no_push("talk:1")

    async def test_connect_recovers_them(self) -> None:
        """Positions come in `subs` of the request, publications in those of the answer."""
        log = MemoryLog()
        for number in range(3):
            log.commit("log:1", number)
        async with Kit(ALL, log=log) as house:
            client = house.client(replace(LEARNER, channels=("log:1",)))
            subs = {"log:1": {"recover": True, "offset": 1, "epoch": "log1"}}
            sub = (await client.command("connect", subs=subs))["subs"]["log:1"]
            assert (sub["recovered"], sub["offset"]) == (True, 3)
            assert [p["data"] for p in sub["publications"]] == [1, 2]

    async def test_what_comes_meanwhile_follows_the_answer(self) -> None:
        """Publications between a subscription and the answer to `connect` are kept in order."""
        gate = asyncio.Event()

        async def slowly(_identity: Identity, _channel: str) -> Snapshot | None:
            await gate.wait()
            return None

        slow = ChannelFamily("slow:{id}", Delivery.TAIL, members, slowly)
        async with Kit([*ALL, slow]) as house:
            client = house.client(replace(LEARNER, channels=("talk:1", "slow:1")))
            client.send('{"id":1,"connect":{}}')
            await until(lambda: "talk:1" in client.connection.memberships)
            await house.node.publish_tail("talk:1", b"1")
            gate.set()
            await client.assert_push("talk:1")
            await house.node.publish_tail("talk:1", b"2")
            await client._find(lambda f: "connect" in f, "the answer")
            assert (await client.assert_push("talk:1"))["data"] == 2

    async def test_the_answer_comes_first(self) -> None:
        """A push before the answer to `connect` would be nobody's; a loss meanwhile is 3010."""
        gate, log = asyncio.Event(), MemoryLog()

        async def slowly(_identity: Identity, _channel: str) -> Snapshot | None:
            await gate.wait()
            return None

        slow = ChannelFamily("slow:{id}", Delivery.TAIL, members, slowly)
        async with Kit([*ALL, slow], log=log) as house:
            client = house.client(replace(LEARNER, channels=("log:1", "slow:1")))
            client.send('{"id":1,"connect":{}}')
            await until(lambda: "log:1" in client.connection.memberships)
            await house.node.publish_log("log:1", log.commit("log:1", "kept"))
            assert client.transport.frames == []
            log.epoch = "log2"
            await house.node._upkeep.sweep()
            channel = house.node._channels.get("log:1")
            assert isinstance(channel, OrderedChannel)
            await until(lambda: channel.epoch == "log2")
            gate.set()
            assert (await client.assert_closed())[0] == 3010
            kinds = [next(iter(f.get("push", {"id": 0}))) for f in client.transport.frames]
            assert kinds[0] == "id"
            assert (await client.assert_push("log:1"))["data"] == "kept"

    async def test_a_refused_connect_leaves_nothing_behind(self) -> None:
        """One unknown channel refuses the connect; the client may try again."""
        async with Kit(ALL) as house:
            client = house.client(replace(LEARNER, channels=("log:1", "nowhere")))
            assert await code_of(client, "connect") == 102
            assert client.connection.memberships == set()
            channel = house.node._channels.get("log:1")
            assert channel is not None
            assert channel.idle
            await client.connect("8")

    async def test_a_lost_place_closes_with_3010(self) -> None:
        """The client did not ask for the channel, so it must come back to recover it."""
        log = MemoryLog()
        async with Kit(ALL, log=log) as house:
            client = house.client(replace(LEARNER, channels=("log:1",)))
            await client.connect()
            log.epoch = "log2"
            await house.node._upkeep.sweep()
            assert (await client.assert_closed())[0] == 3010

    async def test_a_lost_subscription_gives_its_lease_back(self) -> None:
        """2500 and no return: nobody is shown who no longer listens."""
        log = MemoryLog()
        limits = Limits(presence_grace_s=0)
        async with Kit(ALL, log=log, limits=limits) as house:
            client, other = await house.connected(LEARNER), await house.connected(LEARNER)
            await client.subscribe("log:1")
            log.epoch = "log2"
            await house.node._upkeep.sweep()
            assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500
            await other.subscribe("log:1")

            async def alone() -> bool:
                result = await other.command("presence_stats", channel="log:1")
                return bool(result["num_clients"] == 1)

            await until(alone)


class TestJoinLeave:
    async def test_only_those_who_asked_hear_of_it(self) -> None:
        """Where the family wants it so; elsewhere everybody hears."""
        asked_only = replace(LOG, join_leave_to_all=False)
        limits = Limits(presence_grace_s=0)
        async with Kit([asked_only], limits=limits) as house:
            curious, other = await house.connected(LEARNER), await house.connected(LEARNER)
            await curious.subscribe("log:1", join_leave=True)
            await other.subscribe("log:1")
            for _ in range(2):
                await curious.assert_push("log:1", "join")
            await other.unsubscribe("log:1")
            await curious.assert_push("log:1", "leave")
            await other.subscribe("log:1")
            await other.assert_no_push("log:1", "join")
            await curious.unsubscribe("log:1")
            await curious.subscribe("log:1")
            await other.unsubscribe("log:1")
            await curious.assert_no_push("log:1", "leave")
