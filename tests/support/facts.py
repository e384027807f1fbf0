"""Likes, reports and questions under load on two processes, each counted against its row.

Three ledgers are compared in both directions: what was answered with success, the rows, and what
the sockets saw.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.infra.db import Database
from tests.realtime.waiting import until
from tests.story.wire import Wire, connected
from tests.support.house import Person
from tests.support.redis_server import RedisServer
from tests.support.report import Report

LIKES_PER_S, REPORTS_PER_S, QUESTIONS_PER_S = 34, 14, 2
QUEUE = "moderation:queue"
CALL_S = 60.0
READY_S = 60.0
Act = Callable[[httpx.AsyncClient, int], Awaitable[None]]


@dataclass
class Ledger:
    """What was answered with success."""

    likes: set[tuple[int, int]] = field(default_factory=set)
    """Who likes which book."""
    reports: dict[int, int] = field(default_factory=dict)
    """Id, and how often it was answered."""
    answers: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    """Message id: who asked, the conversation and the text."""
    refused: list[str] = field(default_factory=list)


@dataclass
class Facts:
    """Two processes, some people, and their sockets on both."""

    urls: Sequence[str]
    people: Sequence[Person]
    moderator: Person
    books: Sequence[int]
    db: Database
    ledger: Ledger = field(default_factory=Ledger)
    queue: list[Wire] = field(default_factory=list)
    shelves: dict[int, list[Wire]] = field(default_factory=dict)
    back_s: list[float] = field(default_factory=list)
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self, sockets: int) -> AsyncIterator[None]:
        """Half of the sockets on the queue, half on the books; every one on the other process."""
        async with AsyncExitStack() as stack:
            for number in range(sockets):
                url = self.urls[number % 2]
                if number % 4 < 2:
                    answer = await self.moderator.http.get("/api/v1/realtime/token")
                    token = answer.raise_for_status().json()["token"]
                    wire = await stack.enter_async_context(connected(url, token))
                    await wire.subscribe(QUEUE)
                    self.queue.append(wire)
                else:
                    wire = await stack.enter_async_context(connected(url, ""))
                    book = self.books[number % len(self.books)]
                    await wire.subscribe(f"book:{book}")
                    self.shelves.setdefault(book, []).append(wire)
            yield

    # -- load ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Facts all the time, on both processes in turn; at the end every call has its answer."""
        acts = (
            (self._like, LIKES_PER_S),
            (self._report, REPORTS_PER_S),
            (self._ask, QUESTIONS_PER_S),
        )
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=CALL_S))
                for url in self.urls
            ]
            callers = [asyncio.create_task(self._call(clients, act, n)) for act, n in acts]
            try:
                yield
            finally:
                for caller in callers:
                    caller.cancel()
                ends = await asyncio.gather(*callers, return_exceptions=True)
                while self._open:
                    await asyncio.wait(self._open)
            for fault in (end for end in ends if isinstance(end, Exception)):
                raise fault

    async def _call(self, clients: Sequence[httpx.AsyncClient], act: Act, per_s: float) -> None:
        begun = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, begun + number / per_s - time.monotonic()))
            task = asyncio.create_task(self._tried(act, clients[number % 2], number))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _tried(self, act: Act, client: httpx.AsyncClient, number: int) -> None:
        try:
            await act(client, number)
        except httpx.HTTPError as fault:
            self.ledger.refused.append(repr(fault))

    def _pair(self, number: int) -> tuple[Person, int]:
        """Every person with every book, once each."""
        people, books = len(self.people), len(self.books)
        assert number < people * books, "not enough people and books for so long a run"
        return self.people[number % people], self.books[(number // people) % books]

    async def _like(self, client: httpx.AsyncClient, number: int) -> None:
        person, book = self._pair(number)
        body = {"book_id": book, "type": "like"}
        await self._post(client, person, "/api/v1/interactions", body)
        self.ledger.likes.add((person.id, book))

    async def _report(self, client: httpx.AsyncClient, number: int) -> None:
        person, book = self._pair(number)
        body = {"target_type": "book", "target_id": book, "reason": f"Reason {number}"}
        report = await self._post(client, person, "/api/v1/reports", body)
        self.ledger.reports[report["id"]] = self.ledger.reports.get(report["id"], 0) + 1

    async def _ask(self, client: httpx.AsyncClient, number: int) -> None:
        person = self.people[number % len(self.people)]
        answer = await self._post(client, person, "/api/v1/chat", {"message": f"Question {number}"})
        told = (person.id, answer["conversation_id"], answer["text"])
        self.ledger.answers[answer["message_id"]] = told

    async def _post(
        self, client: httpx.AsyncClient, person: Person, url: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {person.token}"}
        answer = await client.post(url, json=body, headers=headers)
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        found: dict[str, Any] = answer.json()
        return found

    # -- outages ---------------------------------------------------------------------------------

    async def outage(self, redis: RedisServer, seconds: float) -> None:
        """Kill Redis, bring it back empty; how long until news crosses processes again."""
        await asyncio.sleep(0.5)  # load before
        redis.kill()
        await asyncio.sleep(seconds)  # an outage has a length
        await asyncio.to_thread(redis.start)
        back = time.monotonic()
        heads = [len(wire.events(QUEUE)) for wire in self.queue]
        async with asyncio.timeout(READY_S):
            await until(
                lambda: all(
                    len(wire.events(QUEUE)) > head + 1
                    for wire, head in zip(self.queue, heads, strict=True)
                )
            )
        self.back_s.append(time.monotonic() - back)

    # -- reconciliation --------------------------------------------------------------------------

    async def reconcile(self, report: Report) -> None:
        """Rows against acknowledgements against what the sockets saw, in both directions."""
        await self._likes(report)
        await self._reports(report)
        await self._answers(report)
        report.extra["refused"] = len(self.ledger.refused)
        report.demand(f"nobody was refused {self.ledger.refused[:2]}", not self.ledger.refused)

    def _compare(self, report: Report, expected: set[Any], found: Counter[Any]) -> None:
        report.events += len(expected)
        report.missing += len(expected - set(found))
        report.duplicated += found.total() - len(found) + len(set(found) - expected)

    async def _likes(self, report: Report) -> None:
        rows = await self.db.fetch(
            "SELECT user_id, book_id FROM interactions"
            " WHERE type = 'like' AND book_id = ANY($1::int[])",
            list(self.books),
        )
        self._compare(report, self.ledger.likes, Counter((r[0], r[1]) for r in rows))
        counts = Counter(book for _, book in self.ledger.likes)
        for book, wires in self.shelves.items():
            channel = f"book:{book}"
            for wire in wires:
                report.clients += 1
                if counts[book]:
                    await self._shows(wire, channel, counts[book], report)
                versions = [event["version"] for event in wire.events(channel)]
                report.disordered += versions != sorted(versions)

    async def _shows(self, wire: Wire, channel: str, likes: int, report: Report) -> None:
        try:
            await wire.wait_for(channel, lambda event: event["likes"] == likes, 10)
        except TimeoutError:
            report.missing += 1
        report.demand("the live value is the count", wire.events(channel)[-1]["likes"] == likes)

    async def _reports(self, report: Report) -> None:
        people = [person.id for person in self.people]
        rows = await self.db.fetch("SELECT id FROM reports WHERE user_id = ANY($1::int[])", people)
        known = set(self.ledger.reports)
        with suppress(TimeoutError):
            # The newest may still be on its way; whoever does not get it is counted below.
            await until(lambda: all(known <= self._heard(wire) for wire in self.queue))
        self._compare(report, known, Counter(row["id"] for row in rows))
        for wire in self.queue:
            report.clients += 1
            mine = [e for e in wire.events(QUEUE) if e["report"]["id"] in known]
            self._compare(report, known, Counter(e["report"]["id"] for e in mine))
            offsets = [push["pub"]["offset"] for name, push in wire.pushes if name == QUEUE]
            begun = offsets[0] if offsets else 0
            report.disordered += offsets != list(range(begun, begun + len(offsets)))

    def _heard(self, wire: Wire) -> set[int]:
        return {event["report"]["id"] for event in wire.events(QUEUE)}

    async def _answers(self, report: Report) -> None:
        rows = await self.db.fetch(
            "SELECT id, status, ai_response FROM chat_history WHERE user_id = ANY($1::int[])",
            [person.id for person in self.people],
        )
        self._compare(report, set(self.ledger.answers), Counter(row["id"] for row in rows))
        for row in rows:
            _, _, text = self.ledger.answers.get(row["id"], (0, "", ""))
            whole = (row["status"], row["ai_response"]) == ("completed", text)
            report.demand("every answer is whole", whole and text)
        for person in self.people:
            await self._conversations(person, report)

    async def _conversations(self, person: Person, report: Report) -> None:
        """What a socket of the other process is shown of them."""
        token = (await person.http.get("/api/v1/realtime/token")).raise_for_status().json()["token"]
        async with connected(self.urls[1], token) as wire:
            for message_id, (asker, conversation, text) in self.ledger.answers.items():
                if asker == person.id:
                    state = (await wire.subscribe(f"chat:{conversation}"))["data"]
                    shown = {turn["id"]: turn["ai_response"] for turn in state["messages"]}
                    self._compare(report, {(message_id, text)}, Counter(shown.items()))
