"""A node as its clients see it: connect, subscribe, call, presence, history, revocation."""

import asyncio
import logging

import pytest

from realtime import (
    BrokerUnavailable,
    ChannelFamily,
    Frame,
    Identity,
    Limits,
    MemoryBroker,
    MemoryBus,
    Node,
    Publication,
    RealtimeError,
    Snapshot,
    TokenExpired,
)
from realtime.broker import History
from realtime.model import Delivery
from realtime.testing import Kit, ManualClock, MemoryLog, MemoryTransport
from tests.realtime.families import (
    FAMILIES,
    LOG,
    NO_PINGS,
    OWN,
    RPC,
    TAIL,
    VALUE,
    shelf,
    with_snapshot,
)
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")


def kit(**options: object) -> Kit:
    return Kit(FAMILIES, rpc=RPC, **options)  # type: ignore[arg-type]


class TestConnect:
    async def test_a_token_says_who_it_is(self) -> None:
        """The identity of the token is the identity of the calls."""
        async with kit() as house:
            client = house.client()
            await client.connect("9")
            assert await client.rpc("who") == "9"

    async def test_a_cookie_says_who_it_is(self) -> None:
        """The transport's identity counts when no token comes; a token counts more."""
        async with kit() as house:
            assert await (await house.connected(LEARNER)).rpc("who") == "7"
            client = house.client(LEARNER)
            await client.connect("9")
            assert await client.rpc("who") == "9"

    async def test_an_invalid_token_is_terminal(self) -> None:
        """3500: stop."""
        async with kit() as house:
            client = house.client()
            client.send('{"id":1,"connect":{"token":"bad"}}')
            assert await client.assert_closed() == (3500, "invalid token")

    async def test_an_expired_token_asks_for_another(self) -> None:
        """109: the client fetches a token and tries again; also when the identity has ended."""

        async def verify(token: str) -> Identity:
            if token == "late":
                raise TokenExpired
            return Identity(user="7", expires_at=1.0)

        async with kit(verify_token=verify) as house:
            client = house.client()
            for token in ("late", "ended"):
                with pytest.raises(RealtimeError) as refused:
                    await client.connect(token)
                assert refused.value.code == 109

    async def test_connections_of_one_user_are_bounded(self) -> None:
        """3504 for one too many; another user is not concerned."""
        async with kit(limits=Limits(max_user_connections=1)) as house:
            first = await house.connected(LEARNER)
            second = house.client(LEARNER)
            second.send('{"id":1,"connect":{}}')
            assert (await second.assert_closed())[0] == 3504
            await house.connected(Identity(user="8"))
            await first.cut()
            await house.connected(LEARNER)

    async def test_refresh_prolongs_and_a_bad_one_ends(self) -> None:
        """The session index follows the refreshed identity."""
        async with kit() as house:
            client = house.client()
            await client.connect("7")
            assert "client" in await client.command("refresh", token="7")
            client.send('{"id":9,"refresh":{"token":"bad"}}')
            assert (await client.assert_closed())[0] == 3500


class TestSubscribe:
    async def test_unknown_and_forbidden_channels(self) -> None:
        """102 for what does not exist, the family's refusal for the rest."""
        async with kit() as house:
            client, stranger = await house.connected(LEARNER), await house.connected()
            for who, channel, code in (
                (client, "nothing:1", 102),
                (client, "log:1:2", 102),
                (client, "user:8", 103),
                (stranger, "user:7", 101),
                (stranger, "log:1", 101),
            ):
                with pytest.raises(RealtimeError) as refused:
                    await who.subscribe(channel)
                assert refused.value.code == code, channel
            await client.subscribe("user:7")
            await stranger.subscribe("value:1")

    async def test_publications_reach_every_subscriber_and_nobody_after_unsubscribe(self) -> None:
        """One frame object serves all."""
        log = MemoryLog()
        async with kit(log=log) as house:
            one, two = await house.connected(LEARNER), await house.connected(LEARNER)
            for client in (one, two):
                await client.subscribe("log:1")
            await house.node.publish_log("log:1", log.commit("log:1", {"n": 1}))
            for client in (one, two):
                assert await client.assert_push("log:1") == {"data": {"n": 1}, "offset": 1}
            await one.unsubscribe("log:1")
            await one.unsubscribe("log:1")
            await house.node.publish_log("log:1", log.commit("log:1", {"n": 2}))
            await two.assert_push("log:1")
            one.transport.frames.clear()
            await one.assert_no_push("log:1")

    async def test_leaving_and_coming_back_in_one_frame(self) -> None:
        """Subscribe and unsubscribe of a channel keep their order."""
        async with kit() as house:
            client = await house.connected(LEARNER)
            client.send(
                '{"id":11,"subscribe":{"channel":"log:1"}}\n'
                '{"id":12,"unsubscribe":{"channel":"log:1"}}\n'
                '{"id":13,"subscribe":{"channel":"log:1"}}'
            )
            await until(lambda: any(f.get("id") == 13 for f in client.transport.frames))
            ids = [f["id"] for f in client.transport.frames if "id" in f]
            assert ids == [11, 12, 13]
            log = house.log
            assert isinstance(log, MemoryLog)
            await house.node.publish_log("log:1", log.commit("log:1", 1))
            await client.assert_push("log:1")
            assert list(await client.command("presence", channel="log:1")) == ["presence"]

    async def test_a_slow_authorization_is_cut_off(self) -> None:
        """A command that takes too long is answered with a temporary error."""

        async def never(_identity: Identity, _channel: str) -> None:
            await asyncio.get_running_loop().create_future()

        family = ChannelFamily("never:{id}", Delivery.VALUE, never)
        async with Kit([family], limits=Limits(command_timeout_s=0.02)) as house:
            client = await house.connected(LEARNER)
            with pytest.raises(RealtimeError) as refused:
                await client.subscribe("never:1")
            assert (refused.value.code, refused.value.temporary) == (100, True)

    async def test_a_failing_snapshot_leaves_no_subscription(self) -> None:
        """After a failure the client may subscribe again."""
        fails = True

        async def take(_identity: Identity, _channel: str) -> Snapshot:
            if fails:
                raise BrokerUnavailable("away")
            return Snapshot(b'{"n":1}', version=1)

        for family in (VALUE, LOG):
            fails = True
            async with Kit([with_snapshot(family, take)]) as house:
                client = await house.connected(LEARNER)
                name = family.pattern.replace("{id}", "1")
                with pytest.raises(RealtimeError) as refused:
                    await client.subscribe(name)
                assert (refused.value.code, refused.value.temporary) == (108, True)
                fails = False
                assert (await client.subscribe(name))["data"] == {"n": 1}

    async def test_a_log_family_needs_a_log(self) -> None:
        """A wrong composition is found at start."""
        with pytest.raises(ValueError, match="durable log"):
            Node(
                broker=MemoryBroker(),
                families=[LOG],
                rpc={},
                log=None,
                verify_token=lambda _: asyncio.sleep(0, LEARNER),
                map_error=lambda _: None,
            )


class TestCalls:
    async def test_parameters_and_results_are_json(self) -> None:
        """What the method returns is the answer."""
        async with kit() as house:
            client = await house.connected(LEARNER)
            assert await client.rpc("echo", {"a": [1, "ü"]}) == {"a": [1, "ü"]}
            assert await client.rpc("echo") is None

    async def test_refusals_and_crashes(self, caplog: pytest.LogCaptureFixture) -> None:
        """A refusal keeps its code; a crash tells the client nothing and the log everything."""
        async with kit() as house:
            client = await house.connected(LEARNER)
            for method, code in (("refuse", 409), ("crash", 100), ("missing", 104)):
                with (
                    caplog.at_level(logging.ERROR, "realtime"),
                    pytest.raises(RealtimeError) as refused,
                ):
                    await client.rpc(method)
                assert refused.value.code == code
        assert "ZeroDivisionError" in caplog.text

    async def test_the_application_maps_its_own_errors(self) -> None:
        """`map_error` decides what its errors mean on the wire."""
        house = kit()
        house.node._commands._map_error = lambda _: RealtimeError(418, "teapot")
        async with house:
            client = await house.connected(LEARNER)
            with pytest.raises(RealtimeError) as refused:
                await client.rpc("crash")
            assert refused.value.code == 418

    async def test_anonymous_calls_are_refused(self) -> None:
        """101 before anything else."""
        async with kit() as house:
            with pytest.raises(RealtimeError) as refused:
                await (await house.connected()).rpc("missing")
            assert refused.value.code == 101


class TestPresenceAndHistory:
    async def test_who_is_here_over_all_processes(self) -> None:
        """Presence lists connections, the stats count users; join and leave are told."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house, kit(broker=MemoryBroker(bus)) as other:
            one = await house.connected(LEARNER)
            await one.subscribe("log:1")
            two = await other.connected(Identity(user="8"))
            await two.subscribe("log:1")
            joined = await one.assert_push("log:1", "join")
            while joined["info"]["user"] != "8":
                joined = await one.assert_push("log:1", "join")
            there = (await one.command("presence", channel="log:1"))["presence"]
            assert sorted(info["user"] for info in there.values()) == ["7", "8"]
            stats = await two.command("presence_stats", channel="log:1")
            assert stats == {"num_clients": 2, "num_users": 2}
            await two.cut()
            assert (await one.assert_push("log:1", "leave"))["info"]["user"] == "8"
            await until(lambda: len(bus.leases["log:1"]) == 1)

    async def test_leases_are_renewed_while_a_client_stays(self) -> None:
        """Time alone ends nobody's presence, but the lease of a dead process ends."""
        clock = ManualClock()
        bus = MemoryBus(clock=clock)
        limits = Limits(ping_interval_s=NO_PINGS)
        house = kit(broker=MemoryBroker(bus), clock=clock, limits=limits)
        async with house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            for _ in range(5):
                clock.advance(25)
                await house.node._upkeep.tick()
            assert len((await client.command("presence", channel="log:1"))["presence"]) == 1
            clock.advance(61)
            assert (await client.command("presence", channel="log:1"))["presence"] == {}

    async def test_presence_where_there_is_none(self) -> None:
        """108 for a family without presence, temporary 108 in an outage."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("value:1")
            await client.subscribe("log:1")
            with pytest.raises(RealtimeError) as refused:
                await client.command("presence", channel="value:1")
            assert (refused.value.code, refused.value.temporary) == (108, False)
            bus.down = True
            with pytest.raises(RealtimeError) as refused:
                await client.command("presence", channel="log:1")
            assert (refused.value.code, refused.value.temporary) == (108, True)
            await client.unsubscribe("log:1")  # neither lease nor leave push can be sent

    async def test_history_of_ordered_channels(self) -> None:
        """Position alone, a page, a page after a position; another epoch is unrecoverable."""
        log = MemoryLog()
        for number in range(5):
            log.commit("log:1", number)
        async with kit(log=log) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            await client.subscribe("value:1")

            async def ask(**body: object) -> dict[str, object]:
                return await client.command("history", **{"channel": "log:1", **body})

            assert await ask() == {"publications": [], "offset": 5, "epoch": "log1"}
            page = await ask(limit=2, since={"offset": 1, "epoch": "log1"})
            assert page["publications"] == [{"data": 1, "offset": 2}, {"data": 2, "offset": 3}]
            assert (await ask(limit=1))["publications"] == [{"data": 0, "offset": 1}]
            for body, code in (
                ({"since": {"offset": 1, "epoch": "x"}}, 112),
                ({"channel": "value:1"}, 108),
            ):
                with pytest.raises(RealtimeError) as refused:
                    await ask(**body)
                assert refused.value.code == code


class TestRevocation:
    async def test_a_session_ends_everywhere(self) -> None:
        """Logout reaches the session's sockets on every process, and no other."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house, kit(broker=MemoryBroker(bus)) as other:
            here, there = await house.connected(LEARNER), await other.connected(LEARNER)
            second = await other.connected(Identity(user="7", session="other"))
            await house.node.disconnect_session("s7")
            assert (await here.assert_closed())[0] == 3503
            assert (await there.assert_closed())[0] == 3503
            assert await second.rpc("who") == "7"
            await house.node.disconnect_user("7")
            assert (await second.assert_closed())[0] == 3503

    async def test_an_order_in_an_outage_is_kept(self) -> None:
        """Here it is obeyed at once, elsewhere when the broker is back."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house, kit(broker=MemoryBroker(bus)) as other:
            here, there = await house.connected(LEARNER), await other.connected(LEARNER)
            bus.down = True
            await house.node.disconnect_user("7")
            await here.assert_closed()
            assert await there.rpc("who") == "7"
            bus.restore()
            assert (await there.assert_closed())[0] == 3503

    @pytest.mark.parametrize("token", ["", "7"])
    async def test_a_connect_on_its_way_does_not_outlive_a_logout(self, token: str) -> None:
        """Checked before the logout, connected after it: refused, by cookie and by token."""
        checking, go_on = asyncio.Event(), asyncio.Event()

        async def verify(_token: str) -> Identity:
            checking.set()
            await go_on.wait()
            return LEARNER

        async with kit(verify_token=verify) as house:
            client = house.client(LEARNER)
            if token:
                client.send('{"id":1,"connect":{"token":"7"}}')
                await checking.wait()
            await house.node.disconnect_session("s7")
            go_on.set()
            if not token:
                client.send('{"id":1,"connect":{}}')
            assert (await client.assert_closed())[0] == 3503
            again = house.client()
            await again.connect("7")
            checking.clear()
            go_on.clear()
            again.send('{"id":9,"refresh":{"token":"7"}}')
            await checking.wait()
            house.node._hub.end("", "7", house.node._clock())
            go_on.set()
            assert (await again.assert_closed())[0] == 3503

    async def test_a_cookie_read_before_a_logout_counts_as_read_then(self) -> None:
        """Between the look-up and the accept a logout may arrive."""
        async with kit() as house:
            node, transport = house.node, MemoryTransport()
            checked_at = node.now()
            await node.disconnect_session("s7")
            connection = node.open(transport, identity=LEARNER, checked_at=checked_at)
            connection.receive('{"id":1,"connect":{}}')
            await connection.run()
            assert transport.closed == (3503, "force disconnect")

    async def test_an_end_during_the_check_leaves_no_trace(self) -> None:
        """A connection that closed while its token was read is in no index."""
        checking, go_on = asyncio.Event(), asyncio.Event()

        async def verify(_token: str) -> Identity:
            checking.set()
            await go_on.wait()
            return LEARNER

        async with kit(verify_token=verify) as house:
            client = house.client()
            client.transport.stall = True
            client.send('{"id":1,"connect":{"token":"7"}}')
            await checking.wait()
            client.send("{")
            go_on.set()
            await until(lambda: len(client.connection._tasks) == 0)
            assert house.node._hub.count_of_user("7") == 0
            client.transport.stall = False
            await client.cut()

    async def test_nobody_is_not_everybody(self) -> None:
        """An order for an empty name touches no anonymous connection."""
        async with kit() as house:
            client = await house.connected()
            await house.node.disconnect_user("")
            await house.node.disconnect_session("")
            await client.command("ping")


class TestLife:
    async def test_stop_sends_clients_elsewhere(self) -> None:
        """3001: come back; a late comer hears the same, a deaf one is dropped."""
        house = kit(limits=Limits(close_timeout_s=0.02, write_timeout_s=0.02))
        await house.node.start()
        client, deaf = await house.connected(LEARNER), await house.connected(LEARNER)
        await client.subscribe("log:1")
        deaf.transport.stall = True
        assert house.node.state.connections == 2
        await house.node.stop()
        assert await client.assert_closed() == (3001, "shutdown")
        assert deaf.transport.aborted
        assert await house.client().assert_closed() == (3001, "shutdown")

    async def test_the_state_shows_the_broker(self) -> None:
        """Readiness can say what is wrong."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house:
            assert house.node.state.connected
            bus.down = True
            assert (house.node.state.connected, house.node.state.last_error) == (False, "down")

    async def test_services_may_bring_their_channels_later(self) -> None:
        """Registered before the start, they are served like the others."""
        house = Kit([VALUE])
        house.node.register([OWN], RPC)
        async with house:
            client = await house.connected(LEARNER)
            await client.subscribe("user:7")
            assert await client.rpc("who") == "7"

    async def test_an_idle_channel_lingers_and_is_closed(self) -> None:
        """A page reload finds the channel warm; later it costs nothing any more."""
        clock = ManualClock()
        bus = MemoryBus()
        broker = MemoryBroker(bus)
        async with kit(broker=broker, clock=clock) as house:
            client = await house.connected(LEARNER)
            for channel in ("log:1", "value:1", "tail:1"):
                await client.subscribe(channel)
            await house.node._upkeep.tick()
            for channel in ("log:1", "value:1", "tail:1"):
                await client.unsubscribe(channel)
            await house.node._upkeep.tick()
            clock.advance(4)
            await client.subscribe("log:1")
            await house.node._upkeep.tick()
            clock.advance(4)
            await house.node._upkeep.tick()
            assert broker.channels == {"log:1"}
            assert house.node.state.channels == 1


class TestFollower:
    async def test_it_sees_what_was_and_what_comes(self) -> None:
        """Replay from a position, then live, then the end."""
        async with kit() as house:
            for number in range(3):
                await house.node.publish_tail("tail:1", b"%d" % number)
            async with await house.node.tail_subscribe("tail:1", after=1) as follower:
                await house.node.publish_tail("tail:1", b"3")
                seen = [(await anext(follower)).offset for _ in range(3)]
                assert seen == [2, 3, 4]
                waiting = asyncio.create_task(anext(follower, None))
                await asyncio.sleep(0)
                await follower.aclose()
                assert await waiting is None
            found, offset, _ = await house.node.tail_history("tail:1", after=3)
            assert ([p.data for p in found], offset) == ([b"3"], 4)

    async def test_what_arrives_while_it_recovers_follows(self) -> None:
        """The stream is read while somebody publishes: nothing is lost between."""
        bus = MemoryBus()

        class Busy(MemoryBroker):
            async def history(self, channel: str, after: int, limit: int) -> History:
                page = await super().history(channel, after, limit)
                if limit > 1 and page.offset < 3:
                    await self.append(channel, b"during")
                return page

        async with kit(broker=Busy(bus)) as house:
            for _ in range(2):
                await house.node.publish_tail("tail:1", b"0")
            follower = await house.node.tail_subscribe("tail:1", after=0)
            assert [(await anext(follower)).offset for _ in range(3)] == [1, 2, 3]
            room = house.node._channels._open["tail:1"]
            room.audience.broadcast(Frame(b"{}"))
            await follower.aclose()

    async def test_from_now_on(self) -> None:
        """Without a position it starts with what comes next; join pushes are not for it."""
        async with kit() as house:
            await house.node.publish_tail("tail:1", b"1")
            async with await house.node.tail_subscribe("tail:1") as follower:
                await house.node.publish_tail("tail:1", b"2")
                assert (await anext(aiter(follower))).data == b"2"

    async def test_a_lost_position_is_told(self) -> None:
        """112 for a dropped stream, a lagging follower and a stream that started over."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus), limits=Limits(follower_max=2)) as house:
            node = house.node
            for number in range(3):
                await node.publish_tail("tail:1", b"%d" % number)
            await node.drop_tail("tail:1")
            with pytest.raises(RealtimeError) as refused:
                await node.tail_subscribe("tail:1", after=0)
            assert refused.value.code == 112
            with pytest.raises(RealtimeError) as refused:
                await node.tail_subscribe("value:1")
            assert refused.value.code == 108
            lagging = await node.tail_subscribe("tail:1")
            other = await node.tail_subscribe("tail:2")
            for number in range(3):
                await node.publish_tail("tail:1", b"%d" % number)
            bus.lose()
            bus.restore()
            with pytest.raises(RealtimeError):
                await anext(other)
            assert [(await anext(lagging)).data for _ in range(2)] == [b"0", b"1"]
            with pytest.raises(RealtimeError):
                await anext(lagging)

    async def test_an_outage_is_told(self) -> None:
        """A stream cannot be written or read, and dropping it can wait."""
        bus = MemoryBus()
        async with kit(broker=MemoryBroker(bus)) as house:
            bus.down = True
            for attempt in (
                house.node.publish_tail("tail:1", b"1"),
                house.node.tail_history("tail:1"),
                house.node.tail_subscribe("tail:1"),
            ):
                with pytest.raises(BrokerUnavailable):
                    await attempt
            await house.node.drop_tail("tail:1")


async def test_a_snapshot_comes_with_the_subscription() -> None:
    """`data` is the application's state."""
    family = with_snapshot(TAIL, shelf(Snapshot(b'{"text":\n"so far"}')))
    async with Kit([family]) as house:
        client = await house.connected(LEARNER)
        assert (await client.subscribe("tail:1"))["data"] == {"text": "so far"}


async def test_a_publication_for_nobody_is_no_error() -> None:
    """Publishing does not need listeners."""
    async with kit() as house:
        await house.node.publish_log("log:1", Publication(b"1", 1))
        await house.node.publish_value("value:1", b"1", 1)
        assert house.node.state.channels == 0
