"""How long somebody is answered: as long as they are in, also when an order to end them is lost."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from app.http.standing import Standing
from app.kit.errors import Unauthorized, Unavailable
from app.kit.principal import Principal, Role
from realtime import MemoryBroker, MemoryBus, Node
from realtime.testing import Kit
from tests.support.tutor import until

WHO = Principal(7, Role.USER, "s7", "Ada", "ada@example.org")
PROGRAM = Principal(7, Role.USER, "", "Ada", "ada@example.org", key_id="k7")
SOON_S = 0.02


class Store:
    """Who is in; `is_away` while nobody can be asked."""

    def __init__(self) -> None:
        self.living = {"s7", "k7"}
        self.is_away = False
        self.asked = 0

    async def look_up(self, session_id: str) -> Principal | None:
        """Whoever lives."""
        self.asked += 1
        if self.is_away:
            raise Unavailable
        return WHO if session_id in self.living else None


class Answer:
    """Says a word each time it is told to, and knows when it was left."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[str | None] = asyncio.Queue()
        self.is_over = False

    async def parts(self) -> AsyncGenerator[str]:
        """The words; None ends them."""
        try:
            while (word := await self.words.get()) is not None:
                yield word
        finally:
            self.is_over = True


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with Kit([], broker=MemoryBroker(MemoryBus())) as kit:
        yield kit.node


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def answer() -> Answer:
    return Answer()


@pytest.fixture
def standing(node: Node, store: Store) -> Standing:
    return Standing(node, store.look_up, store.look_up, look_every_s=SOON_S)


async def test_everything_comes_through(standing: Standing, answer: Answer) -> None:
    """In order and to the end, which leaves nothing running."""
    for word in ("a", "b", None):
        answer.words.put_nowait(word)
    assert [part async for part in standing.while_in(WHO, answer.parts())] == ["a", "b"]
    assert answer.is_over


@pytest.mark.parametrize("order", ["session", "user"])
async def test_v7_4_1_an_order_ends_it_at_once(
    node: Node, store: Store, answer: Answer, order: str
) -> None:
    """Without asking the store."""
    standing = Standing(node, store.look_up, store.look_up, look_every_s=60)
    parts = standing.while_in(WHO, answer.parts())
    answer.words.put_nowait("a")
    assert await anext(parts) == "a"
    await (node.disconnect_session("s7") if order == "session" else node.disconnect_user("7"))
    assert [part async for part in parts] == []
    assert answer.is_over
    assert store.asked == 1


@pytest.mark.parametrize("who", [WHO, PROGRAM])
async def test_v7_4_1_a_lost_order_is_noticed(
    standing: Standing, store: Store, answer: Answer, who: Principal
) -> None:
    """The store is asked now and then."""
    parts = standing.while_in(who, answer.parts())
    answer.words.put_nowait("a")
    assert await anext(parts) == "a"
    store.living.clear()
    assert [part async for part in parts] == []
    assert answer.is_over


async def test_v7_4_1_whoever_was_ended_before_it_began_hears_nothing(
    standing: Standing, store: Store, answer: Answer
) -> None:
    """Between the look at the request and the answer's beginning."""
    store.living.clear()
    assert [part async for part in standing.while_in(WHO, answer.parts())] == []


async def test_nobody_is_sent_away_while_the_store_is(
    standing: Standing, store: Store, answer: Answer
) -> None:
    """An outage is no logout."""
    store.is_away = True
    parts = standing.while_in(WHO, answer.parts())
    answer.words.put_nowait("a")
    assert await anext(parts) == "a"

    async def asked_again() -> bool:
        return store.asked >= 3

    await until(asked_again)
    answer.words.put_nowait("b")
    assert await anext(parts) == "b"
    await parts.aclose()
    assert answer.is_over


async def test_one_answer_is_waited_for(standing: Standing, store: Store) -> None:
    """Its value, its fault, or that nobody may have it any more."""

    async def said() -> str:
        return "a"

    async def broken() -> str:
        raise ZeroDivisionError

    assert await standing.wait_for(WHO, said()) == "a"
    with pytest.raises(ZeroDivisionError):
        await standing.wait_for(WHO, broken())
    store.living.clear()
    with pytest.raises(Unauthorized):
        await standing.wait_for(WHO, asyncio.Event().wait())
