"""`Idempotency-Key`: a request happens once, whatever happens to its answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.http.idempotency import MAX_KEPT_BYTES
from app.infra.idempotency import Claim, IdempotencyKeys, StoredAnswer
from app.kit.errors import Unavailable
from tests.support.idempotent_app import BODY_LIMIT, UPLOAD_LIMIT, Bench, running
from tests.support.rooms import Rooms, open_rooms
from tests.support.servers import Database

WAIT_S = 10


@pytest.fixture(scope="module")
async def rooms(new_database: Callable[[], Database]) -> AsyncIterator[Rooms]:
    async with open_rooms(new_database().app_url) as opened:
        yield opened


@pytest.fixture
async def bench(rooms: Rooms) -> AsyncIterator[Bench]:
    async with running(rooms) as opened:
        yield opened


class Forgetful(IdempotencyKeys):
    """A store whose database goes away while the request is carried out."""

    async def keep(self, claim: Claim, answer: StoredAnswer) -> None:
        raise Unavailable


async def test_repetition_gets_the_first_answer(bench: Bench) -> None:
    """Same key, same body: one effect, the same answer, and it says that it is a replay."""
    first = await bench.send("repeat")
    again = await bench.send("repeat")
    assert await bench.effects("repeat") == 1
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.headers["etag"] == '"1"'
    assert again.headers["location"] == "/things/repeat"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    assert "x-request-id" not in again.headers


async def test_without_key_every_request_counts(bench: Bench) -> None:
    """The key is optional."""
    await bench.send("free", key=None)
    await bench.send("free", key=None)
    assert await bench.effects("free") == 2


async def test_other_body_under_the_same_key_is_refused(bench: Bench) -> None:
    """A key names one request."""
    await bench.send("reused", key="reused")
    other = await bench.send("reused", key="reused", json={"name": "else"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert await bench.effects("reused") == 1


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("other", {"if-match": '"1"'}, {"if-match": '"2"'}),
        ("emptied", {"if-match": '"1"'}, {"if-match": ""}),
        ("empty", {}, {"if-match": ""}),
        ("none", {"if-match": ""}, {}),
    ],
)
async def test_another_version_under_the_same_key_is_refused(
    bench: Bench, name: str, first: dict[str, str], second: dict[str, str]
) -> None:
    """A change of what somebody else made of it is another request: no old answer hides that, nor
    the refusal of an empty `If-Match`."""
    key = f"version-{name}"
    await bench.send("version", key=key, headers=first)
    other = await bench.send("version", key=key, headers=second)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "difference", [{"person": 2}, {"key": "else"}, {"method": "PUT"}, {"path": "/things/elsewhere"}]
)
async def test_key_belongs_to_person_method_and_address(
    bench: Bench, difference: dict[str, Any]
) -> None:
    """Nobody gets an answer that was given to somebody else or for something else."""
    await bench.send("scope")
    answer = await bench.send("scope", **difference)
    assert answer.is_success
    assert "idempotency-replayed" not in answer.headers


async def test_nobody_signed_in_is_one_network(bench: Bench) -> None:
    """Without a person the key belongs to the address; nobody signed in gets a person's answer."""
    await bench.send("nobody", person=None)
    again = await bench.send("nobody", person=None)
    assert again.headers["idempotency-replayed"] == "true"
    assert await bench.effects("nobody") == 1
    assert "idempotency-replayed" not in (await bench.send("nobody")).headers


async def test_refusal_of_nobody_is_not_kept(bench: Bench) -> None:
    """A stranger who guesses the key of a sign-up spoils nothing with a bad one."""
    for _ in range(2):
        answer = await bench.send("guess", path="/refuse/404/guess", person=None)
        assert answer.status_code == 404
        assert "idempotency-replayed" not in answer.headers


async def test_reading_ignores_the_key(bench: Bench) -> None:
    """GET is always fresh."""
    answers = [await bench.send("read", method="GET", json=None) for _ in range(2)]
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, None]


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256])
async def test_malformed_key_is_refused(bench: Bench, key: str) -> None:
    """1 to 255 visible ASCII characters."""
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = await bench.send("malformed", key=None, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
    assert await bench.effects("malformed") == 0


async def test_two_keys_in_one_request_are_refused(bench: Bench) -> None:
    """Which of the two would count?"""
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two"), ("x-person", "1")]
    answer = await bench.client.post("/things/double", headers=headers, json={"name": "x"})
    assert answer.status_code == 400


async def test_twin_in_flight_is_refused(bench: Bench) -> None:
    """While the first is being carried out, its twin is told so and has no effect."""
    first = asyncio.create_task(bench.send("twin", path="/slow/twin"))
    async with asyncio.timeout(WAIT_S):
        await bench.entered.wait()
    twin = await bench.send("twin", path="/slow/twin")
    bench.gate.set()
    assert (twin.status_code, twin.json()["code"]) == (409, "request-in-progress")
    assert twin.headers["retry-after"] == "1"
    assert (await first).status_code == 201
    assert await bench.effects("twin") == 1


async def test_fifty_at_once_have_one_effect(bench: Bench) -> None:
    """A storm of retries is one request; everybody else is replayed or told to wait."""
    answers = await asyncio.gather(*(bench.send("storm") for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await bench.effects("storm") == 1
    assert (await bench.send("storm")).headers["idempotency-replayed"] == "true"


async def test_refusal_is_replayed(bench: Bench) -> None:
    """A 404 stays a 404 for this key, as problem+json."""
    await bench.send("gone", path="/refuse/404/gone")
    again = await bench.send("gone", path="/refuse/404/gone")
    assert (again.status_code, again.json()["code"]) == (404, "not-found")
    assert again.headers["content-type"] == "application/problem+json"
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_passing_refusals_may_be_tried_again(bench: Bench, status: int) -> None:
    """Sign in again, wait, or come back later: with the same key."""
    for _ in range(2):
        answer = await bench.send("passing", path=f"/refuse/{status}/passing")
        assert answer.status_code == status
        assert "idempotency-replayed" not in answer.headers


async def test_effect_without_answer_is_not_repeated(bench: Bench) -> None:
    """Carried out, then failed: a retry learns that, and nothing happens twice."""
    assert (await bench.send("half", path="/broken/half")).status_code == 503
    again = await bench.send("half", path="/broken/half")
    assert (again.status_code, again.json()["code"]) == (409, "request-already-carried-out")
    assert await bench.effects("half") == 1


@pytest.mark.parametrize("path", ["/login/secret", "/token/secret"])
async def test_secrets_are_never_kept(bench: Bench, path: str) -> None:
    """No cookie and no token stands in the store."""
    key = path.replace("/", "-")
    assert (await bench.send("secret", path=path, key=key)).status_code == 201
    kept = await bench.rooms.db.fetchrow("SELECT body FROM idempotency_key WHERE key = $1", key)
    assert kept["body"] is None
    assert (await bench.send("secret", path=path, key=key)).status_code == 409


async def test_large_answer_is_not_kept(bench: Bench) -> None:
    """The store has a bound; the effect still happens once."""
    first = await bench.send("large", path="/large/large")
    assert len(first.content) == MAX_KEPT_BYTES + 1
    assert (await bench.send("large", path="/large/large")).status_code == 409
    assert await bench.effects("large") == 1


async def test_streamed_answer_is_replayed_whole(bench: Bench) -> None:
    """An answer that came in parts comes again in one."""
    first = await bench.send("stream", path="/stream/stream")
    again = await bench.send("stream", path="/stream/stream")
    assert first.content == again.content == b"data: 1\n\ndata: 2\n\n"
    assert await bench.effects("stream") == 1


async def test_upload_is_the_same_in_spite_of_its_random_boundary(bench: Bench) -> None:
    """A form that is built anew for the retry is the same request; another file is not."""
    answers = [
        await bench.send("form", path="/upload/form", json=None, files={"file": ("a", content)})
        for content in (b"abc", b"abc", b"xyz")
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 422]
    assert answers[0].json()["size"] == 3
    assert await bench.effects("form") == 1


async def test_body_above_the_limit_is_refused(bench: Bench) -> None:
    """Nobody makes the server hold an endless body."""
    answer = await bench.send("huge", content=b"x" * (BODY_LIMIT + 1), json=None)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")


async def test_route_with_its_own_limit_keeps_it(bench: Bench) -> None:
    """An upload may be larger than other bodies, with a key too."""
    sizes = (BODY_LIMIT + 1, UPLOAD_LIMIT)
    statuses = [
        (
            await bench.send(
                f"up{size}", path=f"/upload/up{size}", json=None, files={"file": ("a", b"x" * size)}
            )
        ).status_code
        for size in sizes
    ]
    assert statuses == [200, 413]


async def test_answer_survives_a_store_that_goes_away(rooms: Rooms) -> None:
    """The answer arrives; a retry is still not carried out twice."""
    async with running(rooms, Forgetful(rooms.db)) as bench:
        assert (await bench.send("forgot")).status_code == 201
        assert (await bench.send("forgot")).json()["code"] == "request-in-progress"
        assert await bench.effects("forgot") == 1
