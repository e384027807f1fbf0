"""What a family may allow beyond listening: publishing, history, tokens."""

from dataclasses import replace
from typing import Any

import pytest

from realtime import (
    ChannelFamily,
    Delivery,
    Limits,
)
from realtime.testing import Kit, ManualClock
from tests.realtime.allowing import ALL, LEARNER, TALK, code_of, hooks
from tests.realtime.families import NO_PINGS, everybody


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
