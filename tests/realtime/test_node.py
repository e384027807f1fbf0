"""A node as its clients see it: connect, subscribe, and the state that comes with it."""

import asyncio

import pytest

from realtime import (
    BrokerUnavailable,
    ChannelFamily,
    Identity,
    Limits,
    MemoryBroker,
    Node,
    Publication,
    RealtimeError,
    Snapshot,
    TokenExpired,
)
from realtime.model import Delivery
from realtime.testing import Kit, MemoryLog
from tests.realtime.families import (
    LOG,
    TAIL,
    VALUE,
    shelf,
    with_snapshot,
)
from tests.realtime.houses import LEARNER, kit
from tests.realtime.waiting import until


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
