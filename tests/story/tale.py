"""Three people on two processes: tokens grow, a report arrives, a counter moves."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx

from tests.story.wire import Wire, connected

ANSWER_S = 90.0
PROMPT_S = 1.0
"""A report and a counter are seen within a second."""
DELTAS = 5
QUESTION = "What do mitochondria do in a cell?"
ENDINGS = {"completed", "stopped", "failed", "interrupted"}


class BrokenPromise(Exception):
    """Something that the README promises did not happen."""


@dataclass(frozen=True)
class Reader:
    """One signed-in person: REST on one process, the socket on another if there is one."""

    http: httpx.AsyncClient
    wire: Wire


async def tell(urls: Sequence[str], password: str) -> dict[str, Any]:
    """The whole story; what was measured. Raises BrokenPromise."""
    here, there = urls[0], urls[-1]
    async with AsyncExitStack() as stack:

        async def enter(name: str, rest: str, socket: str) -> Reader:
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=rest, timeout=30))
            await _sign_in(http, f"{name}@example.org", password)
            token = (await http.get("/api/v1/realtime/token")).raise_for_status().json()["token"]
            return Reader(http, await stack.enter_async_context(connected(socket, token)))

        learner = await enter("learner", here, here)
        second = await enter("learner2", there, there)
        moderator = await enter("moderator", there, there)
        book = await _course_book(learner.http)
        return {
            "processes": len(set(urls)),
            **await _counter(learner, second, book),
            **await _report(learner, moderator, book),
            **await _answer(learner, book),
        }


async def _sign_in(http: httpx.AsyncClient, email: str, password: str) -> None:
    form = {"email": email, "password": password, "transport": "bearer"}
    answer = await http.post("/api/v1/auth/login", json=form)
    if answer.status_code != httpx.codes.OK:
        raise BrokenPromise(f"login of {email} answered {answer.status_code}: {answer.text}")
    http.headers["authorization"] = f"Bearer {answer.json()['token']}"


async def _course_book(http: httpx.AsyncClient) -> int:
    page = (await http.get("/api/v1/books", params={"q": "cells", "limit": 50})).json()
    books = [book["id"] for book in page["items"] if book["has_text"]]
    if not books:
        raise BrokenPromise("no book with a text is found by searching for cells")
    return int(books[0])


async def _counter(learner: Reader, second: Reader, book: int) -> dict[str, Any]:
    channel = f"book:{book}"
    before = (await second.wire.subscribe(channel))["data"]
    liked = (await learner.http.get(f"/api/v1/books/{book}")).json()["liked"]
    act = {"book_id": book, "type": "unlike" if liked else "like"}
    wanted = before["likes"] + (-1 if liked else 1)
    started = time.perf_counter()
    (await learner.http.post("/api/v1/interactions", json=act)).raise_for_status()
    try:
        await second.wire.wait_for(channel, lambda event: event["likes"] == wanted, PROMPT_S)
    except TimeoutError:
        raise BrokenPromise(f"no counter with {wanted} likes within {PROMPT_S} s") from None
    return {"counter_ms": _ms(started)}


async def _report(learner: Reader, moderator: Reader, book: int) -> dict[str, Any]:
    channel = "moderation:queue"
    await moderator.wire.subscribe(channel)
    form = {"target_type": "book", "target_id": book, "reason": f"Typing error {time.time_ns()}"}
    started = time.perf_counter()
    filed = (await learner.http.post("/api/v1/reports", json=form)).raise_for_status()
    report = filed.json()
    if filed.status_code == httpx.codes.CREATED:
        try:
            await moderator.wire.wait_for(
                channel, lambda event: event["report"]["id"] == report["id"], PROMPT_S
            )
        except TimeoutError:
            raise BrokenPromise(f"report {report['id']} not seen within {PROMPT_S} s") from None
    measured = _ms(started)
    # Decided, so that the story can be told again on the same library.
    url = f"/api/v1/reports/{report['id']}"
    tag = (await moderator.http.get(url)).headers["etag"]
    decided = await moderator.http.put(url, json={"status": "rejected"}, headers={"if-match": tag})
    decided.raise_for_status()
    return {"report_ms": measured}


async def _answer(learner: Reader, book: int) -> dict[str, Any]:
    started = time.perf_counter()
    asked = await learner.wire.rpc("chat.send", {"message": QUESTION, "book_id": book})
    channel, message_id = f"chat:{asked['conversation_id']}", asked["message_id"]
    await learner.wire.subscribe(channel)

    def is_end(event: dict[str, Any]) -> bool:
        return event["message_id"] == message_id and event["type"] in ENDINGS

    try:
        end = await learner.wire.wait_for(channel, is_end, ANSWER_S)
    except TimeoutError:
        raise BrokenPromise(f"the answer did not end within {ANSWER_S} s") from None
    deltas = [e for e in learner.wire.events(channel) if e["type"] == "delta"]
    if end["type"] != "completed":
        raise BrokenPromise(f"the answer ended as {end['type']}")
    if len(deltas) < DELTAS:
        raise BrokenPromise(f"the answer came in {len(deltas)} steps, not in {DELTAS} or more")
    turn = (await learner.http.get(f"/api/v1/chat/messages/{message_id}")).json()
    if turn["ai_response"] != end["text"]:
        raise BrokenPromise("the stored answer is not the one that was announced")
    return {"answer_ms": _ms(started), "steps": len(deltas), "sources": len(end["sources"])}


def _ms(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
