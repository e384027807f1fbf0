"""R11: everybody is dropped in one instant; all come back, from memory, and nobody is delayed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.accounts.queries.sessions import insert_session
from app.accounts.schemas import Client
from app.http.sessions import COOKIE_NAME
from app.infra.db import Database as AppDatabase
from app.kit.ids import new_id
from app.kit.principal import Method
from app.kit.secret import token_hash
from tests.support.hostile import HOST
from tests.support.peer import Peer, crowd, crowd_server
from tests.support.processes import AppProcess
from tests.support.report import Report, p99_ms, sized
from tests.support.rooms import add_person
from tests.support.servers import Database, Postgres, ServerHouse

pytestmark = pytest.mark.chaos

CROWD = sized(500, 10_000)
BACK_WITHIN_S = 30.0
REST_P99_MS = sized(5_000, 1_000)
"""The figure is 1 s; five times that at commit size, where only zeros may fail."""
AT_LEAST = 20
"""Requests whose 99th percentile says something."""
OF_ONE_PERSON = 50
"""Sockets; a process takes 64 of one person."""
LIMITS = {"max_user_connections": 20_000, "drain_s": 0.01}


async def dropped(report: Report, ears: Peer, work: asyncio.Task[Any]) -> float:
    """Drop everybody at once while facts are written; how long until all were back."""
    await ears.ask("report")
    await ears.ask("drop")
    here = await ears.ask("wait", within_s=2 * BACK_WITHIN_S)
    await work
    report.missing += here["away"]
    seconds: float = here["seconds"]
    report.demand("all back in time", seconds <= BACK_WITHIN_S)
    return seconds


async def reconcile(report: Report, ears: Peer, heads: dict[str, int]) -> None:
    """Everybody reaches the heads; nothing was missed or doubled, and nobody told of a gap."""
    late = await ears.ask("level", heads=heads, within_s=BACK_WITHIN_S)
    heard = await ears.ask("report")
    report.events, report.p99 = heard["heard"], heard["p99_ms"]
    report.missing += heard["missing"] + late["behind"]
    report.duplicated += heard["duplicated"]
    report.extra["recovered"] = heard["recovered"]
    report.demand("each came back once", heard["connects"] == CROWD)
    report.demand("each was recovered", heard["recovered"] == CROWD and not heard["gaps"])


@pytest.mark.timeout(sized(60, 600))
async def test_r11_all_come_back_from_one_instant() -> None:
    """Recovery comes from memory: the log is opened once at most."""
    report = Report("R11", clients=CROWD)
    async with crowd_server(**LIMITS) as (server, url):
        wanted = ((str(n), "", ["log:1"]) for n in range(CROWD))
        async with crowd(url, wanted) as ears:
            order = {"channels": ["log:1"], "per_s": 20}
            await server.ask("publish", number=3, **order)
            before = await server.ask("state")
            work = asyncio.create_task(server.ask("publish", number=10, **order))
            back_s = await dropped(report, ears, work)
            await reconcile(report, ears, work.result()["heads"])
            after = await server.ask("state")
    reads = after["log_reads"] - before["log_reads"]
    report.extra |= {"back_s": round(back_s, 2), "log_reads": reads}
    report.demand("recovery reads no log", reads <= 1)
    report.conclude()


class Statements:
    """What one database was asked, as its server notes it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._from = log.stat().st_size

    def since(self) -> list[str]:
        """Every statement since the last look."""
        with self._log.open("rb") as log:
            log.seek(self._from)
            text = log.read().decode(errors="replace")
            self._from = log.tell()
        starts = ("execute ", "statement: ")
        return [part for part in text.split("LOG:  ") if part.startswith(starts)]


@asynccontextmanager
async def noted(postgres: Postgres, database: Database, log: Path) -> AsyncIterator[Statements]:
    """Have the server note every statement of this database."""
    postgres.execute(f"alter database {database.name} set log_statement = 'all'")
    yield Statements(log)


async def sign_in(database: Database) -> list[tuple[int, str]]:
    """A session for each socket, with the person behind it."""
    found: list[tuple[int, str]] = []
    db = AppDatabase(database.app_url)
    await db.start()
    try:
        for _ in range(CROWD // OF_ONE_PERSON):
            person = await add_person(db)
            async with db.transaction() as tx:
                for _ in range(OF_ONE_PERSON):
                    token = new_id()
                    await insert_session(
                        tx,
                        new_id(),
                        token_hash(token),
                        person.user_id,
                        Client("", ""),
                        [Method.PASSWORD],
                    )
                    found.append((person.user_id, token))
    finally:
        await db.stop()
    return found


async def ask_meanwhile(url: str, tokens: Sequence[str], stop: asyncio.Event) -> list[float]:
    """Readers and people who change their names, as long as it takes; how long each waited."""
    waits: list[float] = []
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        for n in count():
            if stop.is_set() and n >= AT_LEAST:
                return waits
            begun = time.monotonic()
            if n % 2:
                headers = {"authorization": f"Bearer {tokens[n % len(tokens)]}"}
                body = {"name": f"Name {n}"}
                answer = await http.put("/api/v1/users/me", json=body, headers=headers)
            else:
                answer = await http.get("/api/v1/books")
            answer.raise_for_status()
            waits.append(time.monotonic() - begun)
            await asyncio.sleep(0.02)
    return waits


@pytest.mark.timeout(sized(60, 900))
async def test_r11_the_database_and_readers_hardly_notice(
    postgres_server: Postgres,
    test_servers: ServerHouse,
    fresh_database: Database,
    app_environment: dict[str, str],
) -> None:
    """The whole app: a statement for a socket at most, its session; none to recover; REST goes on.

    Whose session was looked up a moment ago asks for none.
    """
    report = Report("R11-app", clients=CROWD)
    signed_in = await sign_in(fresh_database)
    environment = app_environment | {
        "DATABASE_URL": fresh_database.app_url,
        "DATABASE_OWNER_URL": fresh_database.owner_url,
        "SICERDAS_REDIS_PREFIX": "r11:",
    }
    log = test_servers.home.logs / "postgres.log"
    async with noted(postgres_server, fresh_database, log) as statements:
        with AppProcess.serve(environment) as app:
            await asyncio.to_thread(app.wait_ready)
            wanted = [
                (
                    "",
                    f"Cookie: {COOKIE_NAME}={token}\r\nOrigin: http://{HOST}\r\n",
                    [f"user:{user}"],
                )
                for user, token in signed_in
            ]
            async with crowd(app.url, wanted, within_s=120) as ears:
                statements.since()
                stop = asyncio.Event()
                tokens = [token for _, token in signed_in[::OF_ONE_PERSON]]
                work = asyncio.create_task(ask_meanwhile(app.url, tokens, stop))
                await ears.ask("report")
                await ears.ask("drop")
                here = await ears.ask("wait", within_s=2 * BACK_WITHIN_S)
                stop.set()
                waits = await work
                asked = statements.since()
                heads = await heads_of(fresh_database)
                report.missing += here["away"]
                await reconcile(report, ears, heads)
    seen = sum("token_hash = $" in one for one in asked)
    sessions = seen - len(waits) // 2
    report.extra |= {
        "back_s": round(here["seconds"], 2),
        "sql_sessions": sessions,
        "sql_log_reads": sum("SELECT log_offset" in one for one in asked),
        "rest": len(waits),
        "rest_p99_ms": round(p99_ms(waits), 1),
    }
    report.demand("all back in time", here["seconds"] <= BACK_WITHIN_S)
    report.demand("the count of statements sees something", seen >= len(waits) // 2 > 0)
    report.demand("at most the session for each socket", sessions <= CROWD)
    report.demand("no second round trip", not any("RESET ALL" in one for one in asked))
    report.demand("none for recovery", report.extra["sql_log_reads"] == 0)
    report.demand("REST goes on", p99_ms(waits) <= REST_P99_MS)
    report.conclude()


async def heads_of(database: Database) -> dict[str, int]:
    """Where every channel stands."""
    db = AppDatabase(database.app_url)
    await db.start()
    try:
        rows = await db.fetch("SELECT channel, last_offset FROM channel_head")
    finally:
        await db.stop()
    return {row["channel"]: row["last_offset"] for row in rows}
