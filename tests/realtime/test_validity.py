"""The second way of revocation: sessions are asked about, whatever became of an order."""

import asyncio
import time
from collections.abc import Collection, Sequence

import pytest

from realtime import Hooks, Identity, Limits, MemoryBroker, MemoryBus
from realtime.testing import Kit
from tests.realtime.families import FAMILIES
from tests.realtime.waiting import until

REVOKED_WITHIN_S = 1.0


class Sessions:
    """A table of sessions that counts how often it is read."""

    def __init__(self) -> None:
        self.living = {"s7", "s8"}
        self.reads = 0
        self.away = False
        self.asked: list[set[str]] = []

    async def __call__(self, connected: Sequence[Identity]) -> Collection[str]:
        self.reads += 1
        if self.away:
            raise OSError("away")
        self.asked.append({who.session for who in connected})
        return self.living & self.asked[-1]


def kit(sessions: Sessions, bus: MemoryBus | None = None, **limits: float) -> Kit:
    return Kit(
        FAMILIES,
        broker=MemoryBroker(bus),
        hooks=Hooks(still_valid=sessions),
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


async def test_s2_a_logout_during_an_outage_reaches_other_processes_in_time() -> None:
    """Redis is away, the session's row is gone: closed within a second, on each process."""
    sessions, bus = Sessions(), MemoryBus()
    async with kit(sessions, bus) as house, kit(sessions, bus) as other:
        clients = [await k.connected(Identity("7", "s7")) for k in (house, other)]
        stays = await other.connected(Identity("8", "s8"))
        bus.down = True
        # The loops notice the outage at their next turn.
        for k in (house, other):
            k.node.on_restored()
        await until(lambda: sessions.reads >= 2)
        sessions.living.discard("s7")
        before = time.monotonic()
        for client in clients:
            assert (await client.assert_closed())[0] == 3503
        assert time.monotonic() - before < REVOKED_WITHIN_S
        await stays.command("ping")


async def test_an_order_that_was_lost_is_made_good_when_messages_flow_again() -> None:
    """A process that did not hear the order asks at once."""
    sessions, bus = Sessions(), MemoryBus()
    async with kit(sessions, bus, revalidate_interval_s=3600) as house:
        client = await house.connected(Identity("7", "s7"))
        sessions.living.clear()
        bus.restore()
        assert (await client.assert_closed())[0] == 3503


async def test_one_question_for_all_sessions_and_seldom() -> None:
    """However many are connected; nobody connected, no question."""
    sessions = Sessions()
    async with kit(sessions, revalidate_interval_s=3600) as house:
        validity = house.node._upkeep.validity
        await validity.check()
        assert sessions.reads == 0
        for session in ("s7", "s7", "s8", ""):
            await house.connected(Identity(session[1:], session))
        await validity.check()
        assert (sessions.reads, sessions.asked) == (1, [{"s7", "s8"}])


async def test_a_store_that_is_away_ends_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Not known is not over; a connect during the question was checked later than it."""
    sessions = Sessions()
    async with kit(sessions, revalidate_interval_s=3600) as house:
        client = await house.connected(Identity("7", "s7"))
        sessions.away = True
        validity = house.node._upkeep.validity
        await validity.check()
        assert "sessions_not_checked" in caplog.text
        await client.command("ping")


async def test_a_connect_during_the_question_is_not_its_answer() -> None:
    """Whoever came after the question was put is not in its answer, and stays."""
    go_on, asking = asyncio.Event(), asyncio.Event()

    async def slow(connected: Sequence[Identity]) -> Collection[str]:
        asking.set()
        await go_on.wait()
        return {who.session for who in connected}

    house = Kit(FAMILIES, hooks=Hooks(still_valid=slow))
    async with house:
        await house.connected(Identity("7", "s7"))
        validity = house.node._upkeep.validity
        question = asyncio.create_task(validity.check())
        await asking.wait()
        late = await house.connected(Identity("8", "s8"))
        go_on.set()
        await question
        await late.command("ping")
