"""What a family may allow beyond listening, and what the server may do to its clients."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from realtime import (
    ChannelFamily,
    Delivery,
    Identity,
    InvalidToken,
    Limits,
    MemoryBroker,
    MemoryBus,
    RealtimeError,
    Snapshot,
    TokenExpired,
)
from realtime.codes import FORCED_RECONNECT
from realtime.messages import HistoryRequest
from realtime.model import Grant, Hooks, Welcome
from realtime.ordered import OrderedChannel
from realtime.testing import Client, Kit, ManualClock, MemoryLog
from tests.realtime.families import FAMILIES, LOG, NO_PINGS, everybody, members
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7", info=b'{"name":"Ada"}')
TALK = ChannelFamily(
    "talk:{id}",
    Delivery.TAIL,
    members,
    authorize_publish=members,
    authorize_read=everybody,
    presence=True,
    delta=True,
    history_size=3,
    history_ttl_s=60,
)
SECRET = ChannelFamily("secret:{id}", Delivery.TAIL, members, token_required=True)


async def polite(_identity: Identity, _channel: str, data: bytes) -> None:
    """Let in who says please. Raises RealtimeError 400."""
    if data != b'"please"':
        raise RealtimeError(400, "impolite")


POLITE = ChannelFamily("polite:{id}", Delivery.VALUE, everybody, inspect_data=polite)
ALL = [*FAMILIES, TALK, SECRET, POLITE]


async def code_of(client: Client, verb: str, **body: Any) -> int:
    with pytest.raises(RealtimeError) as refused:
        await client.command(verb, **body)
    return refused.value.code


def hooks(clock: ManualClock) -> Hooks:
    """Tokens are seconds from now, or a story."""

    async def verify(token: str, _identity: Identity, _channel: str) -> Grant:
        match token:
            case "bad":
                raise InvalidToken
            case "expired":
                raise TokenExpired
        return Grant(clock() + float(token))

    return Hooks(verify_subscription=verify)


class TestPublish:
    async def test_everybody_sees_who_published(self) -> None:
        """The info of the publisher travels with the data, live and in the history."""
        async with Kit(ALL) as house:
            client, other = await house.connected(LEARNER), await house.connected(LEARNER)
            await other.subscribe("talk:1")
            assert await client.command("publish", channel="talk:1", data={"a": 1}) == {}
            push = await other.assert_push("talk:1")
            assert push["data"] == {"a": 1}
            assert push["info"]["user"] == "7"
            assert push["info"]["conn_info"] == {"name": "Ada"}
            history = await other.command("history", channel="talk:1", limit=-1)
            assert history["publications"] == [push]

    async def test_elsewhere_it_is_refused(self) -> None:
        """Nobody publishes to a log from a client; rules of the family hold; data is needed."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            assert await code_of(client, "publish", channel="log:1", data=1) == 103
            assert await code_of(client, "publish", channel="nowhere", data=1) == 102
            assert await code_of(client, "publish", channel="talk:1") == 107
            stranger = await house.connected()
            assert await code_of(stranger, "publish", channel="talk:1", data=1) == 101

    def test_a_log_takes_no_publications_of_clients(self) -> None:
        """Its offsets are the application's."""
        with pytest.raises(ValueError, match="TAIL"):
            ChannelFamily("a", Delivery.LOG, everybody, authorize_publish=everybody)

    async def test_open_to_all_means_without_a_name(self) -> None:
        """A node may let anonymous clients do everything; without methods rpc is 108."""
        open_family = replace(TALK, authorize=everybody, authorize_publish=everybody)
        async with Kit([open_family], open_to_all=True) as house:
            client = await house.connected()
            await client.command("publish", channel="talk:1", data=1)
            assert await code_of(client, "rpc", method="x") == 108


class TestHistory:
    async def test_pages_in_both_directions(self) -> None:
        """Since a position, before a position, newest first; a hole is 112."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            for number in range(5):
                await client.command("publish", channel="talk:1", data=number)

            async def ask(**body: Any) -> list[int]:
                result = await client.command("history", channel="talk:1", **body)
                return [p["data"] for p in result["publications"]]

            epoch = (await client.command("history", channel="talk:1"))["epoch"]
            assert await ask(limit=-1) == [2, 3, 4]
            assert await ask(limit=2, reverse=True) == [4, 3]
            assert await ask(limit=5, reverse=True, since={"offset": 5, "epoch": epoch}) == [3, 2]
            assert await ask(limit=1, since={"offset": 3, "epoch": epoch}) == [3]
            assert await ask(limit=1, since={"offset": 5, "epoch": ""}) == []
            hole = {"offset": 1, "epoch": epoch}
            assert await code_of(client, "history", channel="talk:1", limit=1, since=hole) == 112

    async def test_reading_without_subscription_is_the_familys_choice(self) -> None:
        """Others are for those who were let in."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            assert (await client.command("presence", channel="talk:1"))["presence"] == {}
            for verb in ("presence", "presence_stats", "history"):
                assert await code_of(client, verb, channel="log:1") == 103
            await client.subscribe("tail:1")
            assert await code_of(client, "presence", channel="tail:1") == 108

    async def test_a_refused_recovery_is_an_error_where_asked(self) -> None:
        """Flag 2: rather 112 than a subscription with a hole."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            lost = {"channel": "talk:1", "recover": True, "offset": 9, "epoch": "x"}
            assert await code_of(client, "subscribe", **lost, flag=2) == 112
            result = await client.command("subscribe", **lost)
            assert (result["was_recovering"], result.get("recovered")) == (True, None)

    async def test_without_epoch_the_present_one_is_meant(self) -> None:
        """A client that reads its state elsewhere knows an offset only."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            await client.command("publish", channel="talk:1", data=1)
            result = await client.subscribe("talk:1", recover=True, offset=0, epoch="")
            assert result["recovered"] is True
            assert [p["data"] for p in result["publications"]] == [1]


class TestGrants:
    async def test_a_family_may_demand_a_token(self) -> None:
        """Missing and invalid are 103, expired is 109."""
        clock = ManualClock()
        async with Kit(ALL, clock=clock, hooks=hooks(clock)) as house:
            client = await house.connected(LEARNER)
            for token, code in (("", 103), ("bad", 103), ("expired", 109), ("-1", 109)):
                answer = await code_of(client, "subscribe", channel="secret:1", token=token)
                assert answer == code, token
            result = await client.subscribe("secret:1", token="20")
            assert (result["expires"], result["ttl"]) == (True, 20)
        async with Kit(ALL) as without:
            client = await without.connected(LEARNER)
            assert await code_of(client, "subscribe", channel="secret:1", token="20") == 103
            assert "expires" not in await client.subscribe("talk:1", token="20")

    async def test_a_grant_ends_and_is_renewed(self) -> None:
        """After the grace the subscription ends with 2501; a renewal moves its end."""
        clock = ManualClock()
        limits = Limits(ping_interval_s=NO_PINGS)
        async with Kit(ALL, clock=clock, hooks=hooks(clock), limits=limits) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("secret:1", token="20")
            renewed = await client.command("sub_refresh", channel="secret:1", token="60")
            assert renewed == {"expires": True, "ttl": 60}
            assert await code_of(client, "sub_refresh", channel="secret:1", token="bad") == 103
            assert await code_of(client, "sub_refresh", channel="talk:1", token="60") == 103
            clock.advance(84)
            house.node._hub.tick()
            await client.assert_no_push("secret:1", "unsubscribe")
            clock.advance(2)
            house.node._hub.tick()
            over = await client.assert_push("secret:1", "unsubscribe")
            assert over == {"code": 2501, "reason": "subscription expired"}
            await house.node.publish_tail("secret:1", b"1")
            await client.assert_no_push("secret:1")
            await client.subscribe("secret:1", token="20")

    async def test_subscribe_data_reaches_the_family(self) -> None:
        """It may refuse by what the client says."""
        async with Kit(ALL) as house:
            client = await house.connected(LEARNER)
            assert await code_of(client, "subscribe", channel="polite:1", data="now") == 400
            await client.subscribe("polite:1", data="please")


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
