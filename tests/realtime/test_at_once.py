"""Subscriptions that nothing has to be asked for are answered in the step that asked."""

import asyncio
import json
from collections.abc import Awaitable

import pytest

from realtime import ChannelFamily, Delivery, Identity
from realtime.codes import PERMISSION_DENIED, RealtimeError
from realtime.testing import Client, Kit
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")


def owner(identity: Identity, channel: str) -> None:
    """A plain rule."""
    if channel != f"own:{identity.user}":
        raise PERMISSION_DENIED.error()


class AsyncOwner:
    """The same rule in a shape that does not look as if it had to be awaited."""

    async def _decide(self, identity: Identity, channel: str) -> None:
        await asyncio.sleep(0)
        owner(identity, channel)

    def __call__(self, identity: Identity, channel: str) -> Awaitable[None]:
        return self._decide(identity, channel.replace("odd", "own"))


FAMILIES = [
    ChannelFamily("own:{id}", Delivery.TAIL, owner),
    ChannelFamily("odd:{id}", Delivery.TAIL, AsyncOwner()),
]


def replies(client: Client) -> list[int]:
    """The ids answered so far that are subscriptions."""
    return [frame["id"] for frame in client.transport.frames if "subscribe" in frame]


async def opened(kit: Kit) -> Client:
    """A client for whom the channels are open here already."""
    first = await kit.connected(LEARNER)
    await first.subscribe("own:7")
    await first.subscribe("odd:7")
    return await kit.connected(LEARNER)


async def test_a_plain_rule_needs_no_task() -> None:
    """The client is on the channel when its frame has been read."""
    async with Kit(FAMILIES) as kit:
        client = await opened(kit)
        client.send('{"id":9,"subscribe":{"channel":"own:7"}}')
        assert client.connection.memberships == {"own:7"}
        assert not client.connection.is_awaited
        await kit.node.publish_tail("own:7", b'"x"')
        assert (await client.assert_push("own:7"))["data"] == "x"


async def test_the_first_on_a_channel_waits_until_it_is_open() -> None:
    """Where the channel stands has to be asked."""
    async with Kit(FAMILIES) as kit:
        client = await kit.connected(LEARNER)
        client.send('{"id":9,"subscribe":{"channel":"own:7"}}')
        assert not client.connection.memberships
        assert (await client._find(lambda f: f.get("id") == 9, "reply"))["subscribe"]["recoverable"]


@pytest.mark.parametrize("channel", ["own:8", "odd:8"])
async def test_v8_2_2_a_stranger_is_refused_at_once_too(channel: str) -> None:
    """Somebody else's channel, open here: a plain rule, and one that only looks plain."""
    async with Kit(FAMILIES) as kit:
        other = await kit.connected(Identity(user="8", session="s8"))
        await other.subscribe(channel)
        client = await kit.connected(LEARNER)
        with pytest.raises(RealtimeError) as refused:
            await client.subscribe(channel)
        assert refused.value.code == PERMISSION_DENIED.code
        assert not client.connection.memberships


async def test_a_rule_that_only_looks_plain_is_awaited() -> None:
    """Nobody is let in by an answer that was never heard."""
    async with Kit(FAMILIES) as kit:
        client = await opened(kit)
        client.send('{"id":9,"subscribe":{"channel":"odd:7"}}')
        assert not client.connection.memberships
        await client._find(lambda f: f.get("id") == 9, "reply")
        assert client.connection.memberships == {"odd:7"}


async def test_leaving_and_coming_back_keep_their_order() -> None:
    """A subscribe behind an unfinished unsubscribe waits for it."""
    async with Kit(FAMILIES) as kit:
        client = await opened(kit)
        await client.subscribe("own:7")
        lines = [{"id": 8, "unsubscribe": {"channel": "own:7"}}]
        lines.append({"id": 9, "subscribe": {"channel": "own:7"}})
        client.send("\n".join(json.dumps(line) for line in lines))
        assert replies(client) == []
        await client._find(lambda f: f.get("id") == 9, "reply")
        assert client.connection.memberships == {"own:7"}


async def test_connect_is_answered_before_what_came_with_it() -> None:
    """One frame, two commands, two answers in their order, in one step."""
    async with Kit(FAMILIES) as kit:
        await opened(kit)
        client = kit.client(LEARNER)
        client.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"own:7"}}')
        assert client.connection.memberships == {"own:7"}
        await until(lambda: len(client.transport.frames) == 2)
        assert [frame["id"] for frame in client.transport.frames] == [1, 2]
