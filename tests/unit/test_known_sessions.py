"""What a process remembers of sessions: shortly, and never against an order to end one."""

from typing import Any

import pytest

from app.http.door import Known
from app.http.known_sessions import KnownSessions
from app.http.sessions import COOKIE_NAME
from realtime import Identity, Node
from realtime.broker_memory import MemoryBroker, MemoryBus
from realtime.testing import Kit, ManualClock

REMEMBER_S = 5.0


class Store:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.living = {"a": Identity(user="7", session="s7"), "b": Identity(user="8", session="s8")}

    async def look_up(self, token: str) -> Identity | None:
        """Who lives."""
        self.asked.append(token)
        return self.living.get(token)


def cookie(token: str) -> Any:
    """A request with this session."""
    return {"headers": [(b"cookie", f"{COOKIE_NAME}={token}".encode())]}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def node(clock: ManualClock, bus: MemoryBus) -> Node:
    return Kit([], clock=clock, broker=MemoryBroker(bus)).node


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def known(node: Node, store: Store) -> KnownSessions:
    await node.start()
    return KnownSessions(node, store.look_up, remember_s=REMEMBER_S)


async def test_nobody_is_known_at_once(known: KnownSessions, store: Store) -> None:
    """Without a cookie there is nothing to ask."""
    recalled = known.recall({"headers": []})
    assert recalled is not None
    assert recalled.identity is None
    assert await known.authenticate({"headers": []}) is None
    assert not store.asked


async def test_a_session_is_asked_for_once_in_a_while(
    known: KnownSessions, store: Store, clock: ManualClock
) -> None:
    """Remembered with the moment of the question, and forgotten in time."""
    assert known.recall(cookie("a")) is None
    await known.authenticate(cookie("a"))
    then = clock.now
    clock.advance(REMEMBER_S - 0.1)
    assert known.recall(cookie("a")) == Known(store.living["a"], then)
    clock.advance(0.1)
    assert known.recall(cookie("a")) is None


async def test_strangers_are_not_remembered(known: KnownSessions) -> None:
    """Somebody who invents tokens fills no memory, and who signs in a moment later is let in."""
    assert await known.authenticate(cookie("invented")) is None
    assert known.recall(cookie("invented")) is None


@pytest.mark.parametrize("order", ["session", "user"])
async def test_v7_4_1_an_ended_session_is_forgotten_at_once(
    known: KnownSessions, node: Node, order: str
) -> None:
    """Logout, deactivation and a changed role end by session or by user."""
    await known.authenticate(cookie("a"))
    await known.authenticate(cookie("b"))
    if order == "session":
        await node.disconnect_session("s7")
    else:
        await node.disconnect_user("7")
    assert known.recall(cookie("a")) is None
    assert known.recall(cookie("b")) is not None


async def test_v7_2_4_a_renewed_session_is_asked_for_anew(
    known: KnownSessions, node: Node, store: Store, clock: ManualClock
) -> None:
    """Its former token is nobody's; the connections that it opened are the session's still."""
    await known.authenticate(cookie("a"))
    await known.authenticate(cookie("b"))
    store.living["new"] = store.living.pop("a")
    await node.identities.renew("s7")
    assert known.recall(cookie("a")) is None
    assert await known.authenticate(cookie("a")) is None
    assert known.recall(cookie("b")) is not None
    clock.advance(0.1)
    await known.authenticate(cookie("new"))
    assert known.recall(cookie("new")) is not None


async def test_v7_3_1_an_expired_session_is_asked_for_anew(
    known: KnownSessions, store: Store, clock: ManualClock
) -> None:
    """It may have been used meanwhile; if not, it has ended."""
    store.living["a"] = Identity(user="7", session="s7", expires_at=clock.now + 1)
    await known.authenticate(cookie("a"))
    assert known.recall(cookie("a")) is not None
    clock.advance(1)
    assert known.recall(cookie("a")) is None


async def test_v7_4_1_nothing_is_remembered_while_orders_may_be_missed(
    known: KnownSessions, bus: MemoryBus
) -> None:
    """Another process's logout does not arrive while the broker is away."""
    await known.authenticate(cookie("a"))
    bus.down = True
    assert known.recall(cookie("a")) is None


async def test_v7_4_1_what_was_remembered_before_an_outage_is_asked_anew(
    known: KnownSessions, bus: MemoryBus, clock: ManualClock
) -> None:
    """An order that was given while the broker was away never arrives here."""
    await known.authenticate(cookie("a"))
    bus.down = True
    clock.advance(1)
    bus.restore()
    assert known.recall(cookie("a")) is None
    await known.authenticate(cookie("a"))
    assert known.recall(cookie("a")) is not None


async def test_memory_is_bounded(known: KnownSessions, store: Store, clock: ManualClock) -> None:
    """What is too old leaves when something new comes."""
    for number in range(20):
        store.living[f"n{number}"] = Identity(user=str(number), session=f"n{number}")
        await known.authenticate(cookie(f"n{number}"))
        clock.advance(1)
    assert len(known._known) <= REMEMBER_S + 1
