"""200 people guess passwords while learners chat: `python -m tests.load.guessing`.

The app and its worker are processes of their own with the hashing of an installation (RFC 9106);
only the counted limits are raised, or there would be nothing to hash. Each guess is for another
address, so that each is hashed. The guessers are a process of the lowest priority: they stand for
other machines.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from app.infra.embedded.postgres import PostgresServer
from app.infra.embedded.valkey import ValkeyServer
from tests.load.harness import ROOT, goal, report, wait_for_quiet
from tests.story.wire import Wire, connected
from tests.support.fake_llm import Script, scripted_model
from tests.support.processes import AppProcess
from tests.support.servers import SECRET, empty_house, migrate

GUESSERS, LEARNERS, SECONDS = 200, 10, 20.0
PIECES, EVERY_S = 60, 0.03
LOWEST_PRIORITY = 19
V1 = "/api/v1"
MANY = "100000"
ENVIRONMENT = {
    "S3_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody listens, nothing is stored
    "S3_ACCESS_KEY_ID": "none",
    "S3_SECRET_ACCESS_KEY": "none",
    "OPENAI_API_KEY": "none",
    "OPENAI_MODEL": "scripted",
    "SICERDAS_SECRET": SECRET,
    "SICERDAS_REQUIRE_VERIFIED_EMAIL": "false",
    "SICERDAS_LOGINS_PER_ADDRESS_PER_MINUTE": MANY,
    "SICERDAS_WRONG_LOGINS_PER_MINUTE": MANY,
    "SICERDAS_SIGNUPS_PER_ADDRESS_PER_HOUR": MANY,
    "SICERDAS_QUESTIONS_PER_USER_PER_MINUTE": MANY,
    "SICERDAS_REQUESTS_PER_ADDRESS_PER_MINUTE": MANY,
    "SICERDAS_ANSWERS_PER_MINUTE": MANY,
    "SICERDAS_ANSWER_CONCURRENCY": str(2 * LEARNERS),
}


@dataclass
class Guesses:
    """What the guessers were told, and how long it took."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


def main() -> int:
    """Measure; the exit status says whether the goal was reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guess-at", metavar="URL", help="only guess, and say what was told")
    chosen = parser.parse_args()
    if chosen.guess_at:
        print(json.dumps(asyncio.run(everybody_guesses(chosen.guess_at))))
        return 0
    with house() as url:
        return 0 if asyncio.run(measure(url)) else 1


@contextmanager
def house() -> Iterator[str]:
    """The address of a served app with a worker, on servers of their own."""
    with ExitStack() as stack:
        own = stack.enter_context(empty_house())
        home, log = own.home, own.home.logs / "servers.log"
        postgres = PostgresServer(home.path / "postgres", home.run, log, durable=False)
        valkey = ValkeyServer(home.run, log)
        for server in (postgres, valkey):
            own.supervisor.start(server)
        fake = stack.enter_context(scripted_model())
        env = {**ENVIRONMENT, **postgres.environment(), **valkey.environment()}
        env["OPENAI_BASE_URL"] = fake.base_url
        migrate(env["DATABASE_OWNER_URL"], env["DATABASE_URL"])
        app = stack.enter_context(AppProcess.serve(env))
        stack.enter_context(AppProcess(env, "worker"))
        app.wait_ready()
        words = [f"word{number} " for number in range(PIECES)]
        stack.enter_context(fake.script("Tell me", Script(words, delay_s=EVERY_S)))
        yield app.url


async def measure(url: str) -> bool:
    """The pauses between an answer's pieces, first alone, then beside the guessers."""
    async with AsyncExitStack() as stack:
        wires = [
            await stack.enter_async_context(connected(url, await learner(url)))
            for _ in range(LEARNERS)
        ]
        await asyncio.to_thread(wait_for_quiet)
        idle = await everybody_chats(wires)
        command = [sys.executable, "-m", "tests.load.guessing", "--guess-at", url]
        guessers = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=subprocess.PIPE, preexec_fn=_step_back
        )
        stack.callback(lambda: guessers.returncode is None and guessers.kill())
        assert guessers.stdout is not None
        await guessers.stdout.readline()  # they begin
        guessed = await everybody_chats(wires)
        told, _ = await guessers.communicate()
    report(
        "guessing",
        guessers=GUESSERS,
        learners=LEARNERS,
        seconds=SECONDS,
        pieces_idle=len(idle),
        pieces_guessed=len(guessed),
        token_p50_ms_idle=round(statistics.median(idle) * 1000, 1),
        token_p50_ms=round(statistics.median(guessed) * 1000, 1),
        token_p99_ms_idle=p99_ms(idle),
        token_p99_ms=p99_ms(guessed),
        **json.loads(told),
    )
    return goal("guessing: token p99 / idle", p99_ms(guessed) / p99_ms(idle), 2.0)


def _step_back() -> None:
    os.nice(LOWEST_PRIORITY)


async def learner(url: str) -> str:
    """A new account's token for sockets."""
    form = {"email": f"{uuid4().hex}@example.org", "password": uuid4().hex}
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        (await client.post(f"{V1}/auth/signup", json=form)).raise_for_status()
        login = await client.post(f"{V1}/auth/login", json={**form, "transport": "bearer"})
        headers = {"authorization": f"Bearer {login.json()['token']}"}
        answer = await client.get(f"{V1}/realtime/token", headers=headers)
    return str(answer.json()["token"])


async def everybody_chats(wires: list[Wire]) -> list[float]:
    """All learners at once for the whole time."""
    until = time.monotonic() + SECONDS
    found = await asyncio.gather(*(chat(wire, until) for wire in wires))
    return [gap for gaps in found for gap in gaps]


async def chat(wire: Wire, until: float) -> list[float]:
    """Ask again and again; the time between one piece of an answer and the next."""
    gaps: list[float] = []
    while time.monotonic() < until:
        asked = await wire.rpc("chat.send", {"message": "Tell me more"})
        channel = f"chat:{asked['conversation_id']}"
        await wire.subscribe(channel)
        async with asyncio.timeout(60):
            gaps += await pauses(wire, channel)
        await wire.command(unsubscribe={"channel": channel})
        wire.pushes.clear()
    return gaps


async def pauses(wire: Wire, channel: str) -> list[float]:
    """The times between the pieces of one answer, until its end."""
    found: list[float] = []
    seen, last = 0, 0.0
    while True:
        events = wire.events(channel)
        for event in events[seen:]:
            at = time.monotonic()
            if event["type"] == "delta":
                found += [at - last] if last else []
                last = at
        seen = len(events)
        if events and events[-1]["type"] in {"completed", "failed"}:
            return found
        async with wire._arrived:
            if len(wire.events(channel)) == seen:
                await wire._arrived.wait()


async def everybody_guesses(url: str) -> dict[str, Any]:
    """All guessers at once for the whole time; what they were told."""
    told, limits = Guesses(), httpx.Limits(max_connections=GUESSERS)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120) as client:
        print("guessing", flush=True)
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(guess(client, told, until) for _ in range(GUESSERS)))
    return {
        "logins_per_s": round(told.statuses[401] / SECONDS, 1),
        "login_p50_ms": round(statistics.median(told.seconds) * 1000),
        "login_p99_ms": p99_ms(told.seconds),
        "statuses": {str(status): times for status, times in sorted(told.statuses.items())},
    }


async def guess(client: httpx.AsyncClient, told: Guesses, until: float) -> None:
    """One wrong password after another."""
    while time.monotonic() < until:
        form = {"email": f"{uuid4().hex}@example.org", "password": "a wrong password"}
        started = time.monotonic()
        answer = await client.post(f"{V1}/auth/login", json=form)
        told.seconds.append(time.monotonic() - started)
        told.statuses[answer.status_code] += 1
        if answer.status_code != 401:
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))


def p99_ms(seconds: list[float]) -> float:
    """The 99th percentile."""
    return round(statistics.quantiles(seconds, n=100)[98] * 1000, 1)


if __name__ == "__main__":
    raise SystemExit(main())
