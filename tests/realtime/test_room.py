"""Large answers: what a client asks for is never what ends it."""

import asyncio
import json
from typing import Any

import pytest

from realtime import ChannelFamily, Delivery, Identity, Limits, RealtimeError, Snapshot
from realtime.messages import ClientInfo
from realtime.presence import Presence
from realtime.testing import Client, Kit, MemoryLog
from tests.realtime.families import LOG, TAIL, everybody, with_snapshot
from tests.realtime.floor import Floor
from tests.realtime.waiting import until

LEARNER = Identity(user="7", session="s7")
CHANNELS = 100
TEXT = json.dumps("x" * 1000).encode()
LIMITS = Limits(outgoing_max_bytes=100_000, answer_max_bytes=50_000)


async def answers(client: Client, count: int) -> list[dict[str, Any]]:
    """Wait until so many subscribes are answered."""

    def found() -> list[dict[str, Any]]:
        return [f["subscribe"] for f in client.transport.frames if "subscribe" in f]

    await until(lambda: len(found()) == count or client.transport.closed is not None)
    assert client.transport.closed is None
    return found()


@pytest.mark.parametrize("family", [TAIL, LOG])
async def test_who_comes_back_to_many_channels_recovers_all(family: ChannelFamily) -> None:
    """Together they are more than may wait at once: the answers wait for each other."""
    log = MemoryLog()
    names = [family.pattern.replace("{id}", str(n)) for n in range(CHANNELS)]
    async with Kit([family], log=log, limits=LIMITS) as house:
        before = await house.connected(LEARNER)
        for name in names:
            await before.subscribe(name)
            for _ in range(3):
                if family is TAIL:
                    await house.node.publish_tail(name, TEXT)
                else:
                    await house.node.publish_log(name, log.commit(name, "x" * 1000))
        client = await house.connected(LEARNER)
        places = {"recover": True, "offset": 0, "epoch": ""}
        client.send(
            "\n".join(
                json.dumps({"id": 10 + n, "subscribe": {"channel": name, **places}})
                for n, name in enumerate(names)
            )
        )
        found = await answers(client, CHANNELS)
        assert all(len(a["publications"]) == 3 and a["recovered"] for a in found)


async def test_a_recovery_larger_than_an_answer_is_a_snapshot() -> None:
    """Never a part of it; where the client asked for it, an error."""

    async def state(_identity: Identity, _channel: str) -> Snapshot:
        return Snapshot(b'"state"')

    async with Kit([with_snapshot(TAIL, state)], limits=LIMITS) as house:
        for _ in range(60):
            await house.node.publish_tail("tail:1", TEXT)
        client = await house.connected(LEARNER)
        place = {"recover": True, "offset": 0, "epoch": ""}
        with pytest.raises(RealtimeError) as refused:
            await client.subscribe("tail:1", **place, flag=2)
        assert refused.value.code == 112
        result = await client.subscribe("tail:1", **place)
        assert (result["data"], result.get("recovered")) == ("state", None)
        near = await (await house.connected(LEARNER)).subscribe("tail:1", **{**place, "offset": 20})
        assert len(near["publications"]) == 40


async def test_a_history_page_ends_with_the_answer() -> None:
    """The rest is asked for from there; one publication comes in any case."""
    async with Kit([TAIL], limits=LIMITS) as house:
        for size in (*[1000] * 60, 60_000):
            await house.node.publish_tail("tail:1", json.dumps("x" * size).encode())
        client = await house.connected(LEARNER)
        await client.subscribe("tail:1")
        page = await client.command("history", channel="tail:1", limit=-1)
        assert [p["offset"] for p in page["publications"]] == list(range(1, 50))
        assert page["offset"] == 61
        since = {"offset": 60, "epoch": page["epoch"]}
        last = await client.command("history", channel="tail:1", limit=-1, since=since)
        assert [p["offset"] for p in last["publications"]] == [61]


async def test_a_state_larger_than_the_queue_is_told() -> None:
    """Alone it may be of any size; before, the client was closed, came back, and was closed."""

    async def state(_identity: Identity, _channel: str) -> Snapshot:
        return Snapshot(json.dumps("x" * 150_000).encode(), version=1)

    family = ChannelFamily("value:{id}", Delivery.VALUE, everybody, state)
    async with Kit([family], limits=LIMITS) as house:
        client = await house.connected(LEARNER)
        both = [{"id": n, "subscribe": {"channel": f"value:{n}"}} for n in (2, 3)]
        client.send("\n".join(map(json.dumps, both)))
        assert [len(a["data"]) for a in await answers(client, 2)] == [150_000] * 2


async def test_one_large_write_to_a_socket_is_no_verdict(floor: Floor) -> None:
    """What follows it while it waits is measured as ever."""
    pair = await floor.pair()
    assert not pair.wire.is_crowded
    pair.wire.write(b"x" * 500_000)
    assert not pair.judge.verdicts
    assert pair.wire.is_crowded
    await pair.received(500_000)
    await until(lambda: not pair.wire.is_crowded)
    pair.wire.write(b"x" * 500_000)
    pair.wire.write(b"y")
    assert pair.judge.verdicts


async def test_a_huge_room_is_counted_but_not_listed() -> None:
    """Error 106 instead of an answer of any size."""

    async def crowd(_self: Presence, _channel: str) -> dict[str, ClientInfo]:
        await asyncio.sleep(0)
        return {str(n): ClientInfo("", str(n)) for n in range(4)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Presence, "read", crowd)
        async with Kit([LOG], limits=Limits(presence_max=3)) as house:
            client = await house.connected(LEARNER)
            await client.subscribe("log:1")
            with pytest.raises(RealtimeError) as refused:
                await client.command("presence", channel="log:1")
            assert refused.value.code == 106
            stats = await client.command("presence_stats", channel="log:1")
            assert stats == {"num_clients": 4, "num_users": 1}
