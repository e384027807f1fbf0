"""Orders of the server that reach every process, and deltas for those who ask."""

import json
from dataclasses import replace

import pytest

from realtime import (
    Identity,
    Limits,
    MemoryBroker,
    MemoryBus,
    RealtimeError,
)
from realtime.codes import FORCED_RECONNECT
from realtime.messages import HistoryRequest
from realtime.model import Hooks
from realtime.testing import Kit, ManualClock, MemoryLog
from tests.realtime.allowing import ALL, LEARNER
from tests.realtime.families import LOG, NO_PINGS
from tests.realtime.waiting import until


class TestOrders:
    async def test_clients_are_moved_on_every_process(self) -> None:
        """Subscribe, unsubscribe, message, refresh, disconnect: named by user or client."""
        bus, clock = MemoryBus(), ManualClock()
        limits = Limits(ping_interval_s=NO_PINGS)
        one = Kit(ALL, broker=MemoryBroker(bus), clock=clock, limits=limits)
        two = Kit(ALL, broker=MemoryBroker(bus), clock=clock, limits=limits)
        async with one, two:
            api = one.node.api
            near, far = await one.connected(LEARNER), await two.connected(LEARNER)
            stranger = await two.connected()
            await api.subscribe("talk:1", user="7")
            for client in (near, far):
                push = await client.assert_push("talk:1", "subscribe")
                assert (push["recoverable"], push["positioned"]) == (True, True)
            await api.publish("talk:1", b"1")
            for client in (near, far):
                assert (await client.assert_push("talk:1"))["data"] == 1
            await api.unsubscribe("talk:1", client=far.connection.session.client, user="7")
            assert (await far.assert_push("talk:1", "unsubscribe"))["code"] == 2000
            await near.assert_no_push("talk:1", "unsubscribe")
            await api.send(b'{"a":\n1}', user="7")
            for client in (near, far):
                message = await client._find(lambda f: "message" in f.get("push", {}), "message")
                assert message["push"]["message"] == {"data": {"a": 1}}
                messages = [f for f in client.transport.frames if "message" in f.get("push", {})]
                assert messages == []
            await api.refresh(clock() + 50, user="7")
            refresh = await far._find(lambda f: "refresh" in f.get("push", {}), "refresh")
            assert refresh["push"]["refresh"] == {"expires": True, "ttl": 50}
            await api.refresh(clock() - 1, user="7", client=near.connection.session.client)
            assert (await near.assert_closed())[0] == 3005
            await api.disconnect(user="7", disconnect=FORCED_RECONNECT)
            assert (await far.assert_closed())[0] == 3011
            named = await two.connected(replace(LEARNER, user="9"))
            await api.unsubscribe("talk:1", client=named.connection.session.client)
            await api.disconnect(client=named.connection.session.client)
            assert (await named.assert_closed())[0] == 3503
            await api.disconnect(client=stranger.connection.session.client)
            assert (await stranger.assert_closed())[0] == 3503

    async def test_an_order_waits_for_the_broker(self) -> None:
        """Processes that could not be reached obey when the outage is over."""
        bus = MemoryBus()
        one = Kit(ALL, broker=MemoryBroker(bus))
        two = Kit(ALL, broker=MemoryBroker(bus))
        async with one, two:
            far = await two.connected(LEARNER)
            bus.down = True
            await one.node.api.disconnect(user="7")
            bus.restore()
            await one.node._upkeep.sweep()
            assert (await far.assert_closed())[0] == 3503

    async def test_reading_and_publishing_from_the_server(self) -> None:
        """Idempotent by key; other classes than TAIL have verbs of their own."""
        async with Kit(ALL) as house:
            api = house.node.api
            first = await api.publish("talk:1", b"1", key="k")
            assert await api.publish("talk:1", b"1", key="k") == first
            [place] = await api.broadcast(["talk:1"], b"2")
            assert place.offset == 2
            history = await api.history(HistoryRequest("talk:1", limit=-1))
            assert [bytes(p.data) for p in history.publications] == [b"1", b"2"]
            assert (await api.presence("talk:1")).presence == {}
            for channel, code in (("log:1", 108), ("nowhere", 102)):
                with pytest.raises(RealtimeError) as refused:
                    await api.publish(channel, b"1")
                assert refused.value.code == code

    async def test_send_reaches_the_application(self) -> None:
        """It has no answer, also when the application fails."""
        heard: list[bytes] = []

        async def take(_identity: Identity, data: bytes) -> None:
            heard.append(data)
            raise ZeroDivisionError

        async with Kit(ALL, hooks=Hooks(on_message=take)) as house:
            client = await house.connected(LEARNER)
            client.send('{"send":{"data":{"a":1}}}')
            await until(lambda: heard == [b'{"a":1}'])
            await client.command("ping")
            assert client.transport.frames == []


class TestDeltas:
    async def test_one_encoding_for_all_who_have_the_same_base(self) -> None:
        """The first one whole, then changes; others get plain JSON."""
        async with Kit(ALL) as house:
            clients = [await house.connected(LEARNER) for _ in range(3)]
            for client, options in zip(clients, ({"delta": "fossil"},) * 2 + ({},), strict=True):
                result = await client.subscribe("talk:1", **options)
                assert result.get("delta", False) is bool(options)
            for number in (1, 2):
                text = json.dumps({"n": number, "text": "same " * 50}).encode()
                await house.node.publish_tail("talk:1", text)
            for client in clients[:2]:
                whole, change = [await client.assert_push("talk:1") for _ in range(2)]
                assert json.loads(whole["data"])["n"] == 1
                assert "delta" not in whole
                assert change["delta"] is True
                assert len(change["data"]) < 40
            assert (await clients[2].assert_push("talk:1"))["data"]["n"] == 1

    async def test_recovered_publications_are_a_chain(self) -> None:
        """The first one whole; the first live one is a change of the last recovered one."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            for number in (1, 2):
                await house.node.publish_tail("talk:1", json.dumps([number, "x" * 99]).encode())
            options = {"delta": "fossil", "recover": True, "offset": 0, "epoch": ""}
            result = await client.subscribe("talk:1", **options)
            assert [p.get("delta", False) for p in result["publications"]] == [False, True]
            await house.node.publish_tail("talk:1", json.dumps([3, "x" * 99]).encode())
            assert (await client.assert_push("talk:1"))["delta"] is True

    async def test_only_where_the_family_allows_them(self) -> None:
        """A client that asks elsewhere gets plain publications and is told so."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            assert "delta" not in await client.subscribe("tail:1", delta="fossil")
            assert "delta" not in await client.subscribe("talk:1", delta="unheard-of")
            await house.node.publish_tail("tail:1", b'{"a":1}')
            assert (await client.assert_push("tail:1"))["data"] == {"a": 1}

    async def test_joins_and_losses_pass_through(self) -> None:
        """A view changes publications only."""
        family = replace(LOG, delta=True)
        log = MemoryLog()
        async with Kit([family], log=log) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1", delta="fossil")
            await client.assert_push("log:1", "join")
            log.epoch = "log2"
            await house.node._upkeep.sweep()
            assert (await client.assert_push("log:1", "unsubscribe"))["code"] == 2500
