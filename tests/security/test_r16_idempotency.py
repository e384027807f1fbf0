"""R16: every mutation of the running app under an `Idempotency-Key` (ASVS 5.0, 2.3.3, 15.4)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.settings import Settings
from tests.security.matrix.calls import Call, allowed_call, can_succeed
from tests.story.wire import Wire, connected
from tests.support.house import PASSWORD
from tests.support.report import Report, sized
from tests.support.routes import Address, all_addresses
from tests.support.state import state_of
from tests.support.world import World

AT_A_SOCKET = 50
"""A connection may have 64 commands on their way."""
SOCKETS = sized(1, 20)
TWINS = SOCKETS * AT_A_SOCKET
NO_ANSWER_WITHOUT_A_WORKER = {"askTutor"}
"""Tried below with a client that goes away, and over the socket."""
WRITES_NOTHING = {"linkExport"}
"""Answers a secret and has no effect: there is nothing to do twice."""


def mutations(settings: Settings) -> list[Address]:
    """Every route that changes something."""
    found = [one for one in all_addresses(settings) if one.changes_something]
    others = NO_ANSWER_WITHOUT_A_WORKER | WRITES_NOTHING
    return [one for one in found if one.name not in others and can_succeed(one)]


@pytest.fixture(scope="module")
def table(settings: Settings) -> list[Address]:
    return mutations(settings)


async def send(call: Call, key: str, http: httpx.AsyncClient | None = None) -> httpx.Response:
    """The call as a program makes it."""
    who = call.scene.who.bearer if call.scene.who else {}
    return await (http or call.scene.world.http).request(
        call.address.method,
        call.url,
        json=call.given.json,
        files=call.given.files,
        headers={**call.given.headers, **who, "idempotency-key": key},
    )


def is_new(answer: httpx.Response) -> bool:
    """Whether this request was carried out: no replay, no twin, not refused as done."""
    return answer.is_success and "idempotency-replayed" not in answer.headers


def hides_something(answer: httpx.Response) -> bool:
    """Answers that must not be kept."""
    return "set-cookie" in answer.headers or "no-store" in answer.headers.get("cache-control", "")


@pytest.fixture
async def crowd(world: World) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients that really send all twins at once, each on a connection of its own: one client with
    a thousand of them is slow, and one that rested is closed while the next request leaves."""
    url, limits = world.served.url, httpx.Limits(max_keepalive_connections=0)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, limits=limits, timeout=sized(30, 300))
            )
            for _ in range(SOCKETS)
        ]


@pytest.mark.chaos
@pytest.mark.timeout(sized(60, 3600))
async def test_r16_of_many_twins_of_every_mutation_one_has_an_effect(
    world: World, crowd: list[httpx.AsyncClient], table: list[Address]
) -> None:
    """Of all at once exactly one is carried out; the others are replayed or told of it, and a
    repetition later changes nothing and says the same."""
    report = Report("R16", events=len(table) * TWINS, clients=TWINS)
    told: Counter[str] = Counter()
    for address in table:
        call, key = await allowed_call(world, address), uuid4().hex
        answers = await asyncio.gather(*(send(call, key, http) for http in crowd * AT_A_SOCKET))
        new = [answer for answer in answers if is_new(answer)]
        others = [answer for answer in answers if not is_new(answer)]
        assert new, (address.name, Counter(other.text for other in others).most_common(3))
        report.duplicated += len(new) - 1
        told.update(how_told(address, other, new[0]) for other in others)
        before = await state_of(world.db)
        again = await send(call, key)
        assert await state_of(world.db) == before, address.name
        expect_the_same(address, again, new[0])
    report.extra = {"operations": len(table), **told}
    report.conclude()


def how_told(address: Address, other: httpx.Response, first: httpx.Response) -> str:
    """What a twin got: the first answer, or a word of it."""
    if (other.status_code, other.content) == (first.status_code, first.content):
        return "same"
    # Whoever comes after the end of a session is nobody any more, and a link is used up. Who waits
    # too long among a thousand is told to come again.
    told = other.status_code in {401, 409, 503} or "link-unusable" in other.text
    assert told, (address.name, other.text)
    return str(other.json()["code"])


def expect_the_same(address: Address, again: httpx.Response, first: httpx.Response) -> None:
    """A repetition later answers what the first did, or that it did."""
    if again.status_code == 401 or "link-unusable" in again.text:
        return
    if hides_something(first):
        assert again.json()["code"] == "request-already-carried-out", address.name
    else:
        assert again.headers["idempotency-replayed"] == "true", (address.name, again.text)
        assert again.content == first.content


async def test_r16_nothing_secret_is_kept(world: World, table: list[Address]) -> None:
    """What a person would sign in with never stands in the store (ASVS 5.0, 14.2.4)."""
    for address in table:
        call, key = await allowed_call(world, address), uuid4().hex
        answer = await send(call, key)
        assert answer.is_success, (address.name, answer.text)
        kept = await world.db.fetchval("SELECT body FROM idempotency_key WHERE key = $1", key)
        if hides_something(answer):
            assert kept is None, address.name
        else:
            names = set(names_in(answer.json() if answer.content else None))
            secrets = {"token", "secret", "key", "codes", "recovery_codes", "password", "uri"}
            assert names.isdisjoint(secrets), f"{address.name} must answer with no-store"


def names_in(value: Any) -> list[str]:
    """Every field name of a JSON value."""
    if isinstance(value, dict):
        return [*value, *(name for part in value.values() for name in names_in(part))]
    return [name for part in value for name in names_in(part)] if isinstance(value, list) else []


async def test_r16_a_sign_up_without_an_account_yet(world: World) -> None:
    """Nobody is signed in, and still a lost answer makes no second attempt look like a conflict."""
    form = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD}
    headers = {"idempotency-key": uuid4().hex}
    first = await world.http.post("/api/v1/auth/signup", json=form, headers=headers)
    again = await world.http.post("/api/v1/auth/signup", json=form, headers=headers)
    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "request-already-carried-out")
    assert "set-cookie" not in again.headers


async def test_r16_an_abandoned_question_is_asked_once(world: World) -> None:
    """The client goes away before the answer; its retry is told, and there is one turn."""
    who = await world.someone()
    headers = {**who.bearer, "idempotency-key": "lost", "accept": "text/event-stream"}
    body = {"message": "Once?"}
    async with world.http.stream("POST", "/api/v1/chat", json=body, headers=headers) as answer:
        assert answer.status_code == 200
    async with asyncio.timeout(10):
        while True:
            again = await world.http.post("/api/v1/chat", json=body, headers=headers)
            assert again.status_code == 409
            if again.json()["code"] == "request-already-carried-out":
                break
            await asyncio.sleep(0.02)
    assert await turns_of(world, who.id) == 1


async def turns_of(world: World, user_id: int) -> int:
    """How many questions a person has asked."""
    sql = "SELECT count(*) FROM chat_history WHERE user_id = $1"
    return int(await world.db.fetchval(sql, user_id))


class TestOverTheSocket:
    """`chat.send` takes the key as a field."""

    async def send(self, wire: Wire, key: str, message: str = "Why?") -> dict[str, Any]:
        data = {"message": message, "idempotency_key": key}
        return await wire.command(rpc={"method": "chat.send", "data": data})

    @pytest.mark.chaos
    async def test_r16_many_twins_ask_once(self, world: World) -> None:
        """One turn; everybody who gets an answer gets the same."""
        report = Report("R16-socket", events=TWINS, clients=1)
        who = await world.someone()
        answer = await world.http.get("/api/v1/realtime/token", headers=who.bearer)
        token = answer.json()["token"]
        async with AsyncExitStack() as stack:
            wires = [
                await stack.enter_async_context(connected(world.served.url, token))
                for _ in range(SOCKETS)
            ]
            replies = await asyncio.gather(
                *(self.send(wire, "k") for wire in wires for _ in range(AT_A_SOCKET))
            )
            wire = wires[0]
            told = {str(reply["rpc"]["data"]) for reply in replies if "rpc" in reply}
            refused = {reply["error"]["code"] for reply in replies if "error" in reply}
            assert len(told) == 1
            assert refused <= {409}
            assert str((await self.send(wire, "k"))["rpc"]["data"]) in told
            other = await self.send(wire, "k", "Something else?")
            assert other["error"]["code"] == 422
        turns = await turns_of(world, who.id)
        report.missing, report.duplicated = int(turns == 0), max(0, turns - 1)
        report.conclude()

    async def test_r16_a_refusal_leaves_the_key_free(self, world: World) -> None:
        """Nothing had happened: the same key may be tried again."""
        who = await world.someone()
        first = await world.question(who, "queued")
        answer = await world.http.get("/api/v1/realtime/token", headers=who.bearer)
        data = {
            "message": "And?",
            "conversation_id": first.conversation_id,
            "idempotency_key": "free",
        }
        async with connected(world.served.url, answer.json()["token"]) as wire:
            busy = await wire.command(rpc={"method": "chat.send", "data": data})
            assert busy["error"]["message"] == "answer-in-progress"
            await world.db.execute(
                "UPDATE chat_history SET status = 'completed' WHERE id = $1", first.message_id
            )
            assert "rpc" in await wire.command(rpc={"method": "chat.send", "data": data})
