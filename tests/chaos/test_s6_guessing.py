"""S6 with many guessers: one account from many addresses, and many accounts at once.

Two processes with the limits and the hashing of an installation; at commit size one, which hashes
cheaply.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from tests.support.house import MakePerson, Person
from tests.support.mailbox import Mailbox
from tests.support.mailed import LOGIN, ME, NEW_PASSWORD, RESET, ask
from tests.support.processes import AppProcess
from tests.support.report import FULL, Report, sized

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(sized(60, 1800))]
GUESSES = sized(150, 10_000)
ADDRESSES = sized(10, 100)
SPRAYED = sized(40, 400)
"""Accounts that are tried once each, so that every guess is hashed or refused as too many."""
PROCESSES = sized(1, 2)
AT_ONCE = 100
FREE, DELAY_S = 5, 1.0
FEW_HASHES = 10
HASHING_MIB = 4 * 64
OTHERWISE_MIB = 80
"""What a process takes besides for five thousand requests: 17 to 41 were seen. A fifth hash at the
same time would be more."""
PATIENT_S = 600
"""Hashing takes what everybody else on the machine leaves."""
Told = tuple[int, str]


def installation(environment: dict[str, str]) -> dict[str, str]:
    """The environment without what makes tests fast, and with counters of its own."""
    cheap = () if not FULL else ("SICERDAS_PASSWORD_HASH_",)
    raised = ("SICERDAS_LOGINS_", "SICERDAS_WRONG_", "SICERDAS_REQUESTS_", "SICERDAS_MAILS_")
    own = {
        name: value for name, value in environment.items() if not name.startswith(cheap + raised)
    }
    return own | {
        "SICERDAS_LOGIN_FREE_ATTEMPTS": str(FREE),
        "SICERDAS_LOGIN_DELAY_S": str(DELAY_S),
        "SICERDAS_REDIS_PREFIX": f"s6{uuid4().hex}:",
    }


@pytest.fixture
def own_environment(app_environment: dict[str, str]) -> dict[str, str]:
    return installation(app_environment)


@pytest.fixture
def apps(own_environment: dict[str, str]) -> Iterator[list[AppProcess]]:
    """The processes, ready."""
    with ExitStack() as stack:
        running = [stack.enter_context(AppProcess.serve(own_environment)) for _ in range(PROCESSES)]
        for app in running:
            app.wait_ready()
        yield running


async def guess(apps: Sequence[AppProcess], emails: Sequence[str], at: str) -> Counter[Told]:
    """Wrong passwords in turn for these accounts, each from another address `at.n`."""
    told: Counter[Told] = Counter()
    numbers = iter(range(len(emails)))

    async def one_after_the_other(app: AppProcess) -> None:
        for number in numbers:
            form = {"email": emails[number], "password": f"wrong {number}", "transport": "bearer"}
            headers = {"x-forwarded-for": f"{at}.{number % ADDRESSES + 1}"}
            answer = await client.post(f"{app.url}{LOGIN}", json=form, headers=headers)
            told[answer.status_code, answer.json().get("policy", "")] += 1

    # A connection each: on a busy machine one that rested is closed while its next guess leaves.
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=PATIENT_S) as client:
        await asyncio.gather(*(one_after_the_other(apps[n % len(apps)]) for n in range(AT_ONCE)))
    return told


def hashes_allowed(seconds: float) -> int:
    """How many guesses of one account the rule lets be hashed in such a time."""
    return int(FREE + math.log2(seconds / DELAY_S + 1))


async def counted_attempts(environment: dict[str, str]) -> list[int]:
    """What the shared counters say of every account that was tried."""
    async with Redis.from_url(environment["REDIS_URL"]) as redis:
        pattern = f"{environment['SICERDAS_REDIS_PREFIX']}limit.*.login-account.*"
        keys = [key async for key in redis.scan_iter(pattern, count=1000)]
        return [int(await redis.hget(key, "attempts")) for key in keys]


async def comes_in_by_reset(app: AppProcess, mailbox: Mailbox, owner: Person) -> bool:
    """The owner, whose account is slowed down, sets a new password and enters at once."""
    async with httpx.AsyncClient(base_url=app.url, timeout=PATIENT_S) as http:
        await ask(http, RESET, owner.email)
        token = await mailbox.token(owner.email, "/reset")
        body = {"token": token, "password": NEW_PASSWORD}
        (await http.post(RESET, json=body)).raise_for_status()
        form = {"email": owner.email, "password": NEW_PASSWORD, "transport": "bearer"}
        return (await http.post(LOGIN, json=form)).status_code == 200


async def test_s6_many_guessers(
    apps: list[AppProcess],
    own_environment: dict[str, str],
    person: MakePerson,
    mailbox: Mailbox,
) -> None:
    """Few hashes, an exact counter, an owner who still comes in, and memory with a ceiling."""
    report = Report("S6", events=GUESSES + SPRAYED, clients=ADDRESSES)
    victim = await person()
    before = [app.peak_mib() for app in apps]
    started = time.monotonic()
    guessing = asyncio.create_task(guess(apps, [victim.email] * GUESSES, "198.51.100"))
    known = [await victim.http.get(f"{app.url}{ME}") for app in apps]
    told = await guessing
    seconds = time.monotonic() - started
    hashed, counted = told[401, ""], await counted_attempts(own_environment)
    is_in = await comes_in_by_reset(apps[0], mailbox, victim)
    strangers = [f"{uuid4().hex}@example.org" for _ in range(SPRAYED)]
    sprayed = await guess(apps, strangers, "203.0.113")
    more = [app.peak_mib() - was for app, was in zip(apps, before, strict=True)]
    report.demand("a known device is in", all(one.status_code == 200 for one in known))
    report.demand("refused or told to wait", {status for status, _ in told} == {401, 429})
    report.demand("few hashes", hashed <= max(FEW_HASHES, hashes_allowed(seconds)))
    report.demand("every hash was counted, and nothing else", counted == [hashed])
    report.demand("the owner comes in by a reset", is_in)
    report.demand("hashing has a ceiling", max(more) <= HASHING_MIB + OTHERWISE_MIB)
    report.demand("hashed, or told to wait", {status for status, _ in sprayed} <= {401, 429, 503})
    report.extra = {
        "hashed": hashed,
        "allowed": hashes_allowed(seconds),
        "counted": sum(counted),
        "seconds": round(seconds, 1),
        "by_account": told[429, "login-account"],
        "by_address": told[429, "login-address"],
        "sprayed_hashed": sprayed[401, ""],
        "too_many": SPRAYED - sprayed[401, ""],
        "more_mib": round(max(more)),
    }
    report.conclude()
