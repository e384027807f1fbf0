"""Guessing passwords and addresses at the door (S5 and S6 of the reliability table)."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from app.kit.principal import Role
from app.kit.secret import Secret
from app.settings import Settings
from tests.story.wire import opened
from tests.support.house import PASSWORD, MakePerson, Person, Served, serve, with_settings
from tests.support.mailed import new_email
from tests.support.processes import AppProcess
from tests.support.redis_server import RedisServer
from tests.support.timing import alternate

LOGIN = "/api/v1/auth/login"
MANY = httpx.Limits(max_connections=200)


def form_of(email: str, password: str = "not the password") -> dict[str, str]:
    """A login that answers its token in the body."""
    return {"email": email, "password": password, "transport": "bearer"}


def new_prefix() -> str:
    """Counters of their own."""
    return f"t{uuid4().hex}:"


@pytest.fixture
async def narrow(settings: Settings) -> AsyncIterator[Served]:
    """An app with the limits of a real installation, and counters of its own."""
    defaults = Settings.__struct_defaults__
    names = [name for name in Settings.__struct_fields__ if "_per_" in name]
    fields = Settings.__struct_fields__
    own = {name: defaults[fields.index(name) - len(fields)] for name in names}
    own.pop("answers_per_minute", None)
    async with serve(with_settings(settings, redis_prefix=new_prefix(), **own)) as running:
        yield running


class TestGuessing:
    async def test_s6_parallel_guesses_cost_few_hashes(
        self, served: Served, person: MakePerson
    ) -> None:
        """Of 200 guesses at once at most ten are hashed (each 401 is one); the rest is told when
        to come back."""
        victim = await person()
        async with httpx.AsyncClient(base_url=served.url, limits=MANY, timeout=30) as client:
            answers = await asyncio.gather(
                *(client.post(LOGIN, json=form_of(victim.email)) for _ in range(200))
            )
        counted = Counter(answer.status_code for answer in answers)
        assert set(counted) == {401, 429}
        assert counted[401] <= 10
        refused = next(answer for answer in answers if answer.status_code == 429)
        wait_s = int(refused.headers["retry-after"])
        assert wait_s >= 1
        assert refused.json()["code"] == "too-many-requests"
        assert refused.headers["ratelimit"] == f'"login-account";r=0;t={wait_s}'
        assert refused.headers["ratelimit-policy"].startswith('"login-account";q=5;w=')

    async def test_s6_delayed_not_locked(self, settings: Settings, person: MakePerson) -> None:
        """After the wait the owner comes in, and is as free as before."""
        owner = await person()
        quick = with_settings(settings, redis_prefix=new_prefix(), login_delay_s=0.3)
        async with serve(quick) as app, httpx.AsyncClient(base_url=app.url) as client:
            for _ in range(5):
                assert (await client.post(LOGIN, json=form_of(owner.email))).status_code == 401
            right = form_of(owner.email, PASSWORD)
            assert (await client.post(LOGIN, json=right)).status_code == 429
            async with asyncio.timeout(5):
                while (await client.post(LOGIN, json=right)).status_code != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            for _ in range(5):
                assert (await client.post(LOGIN, json=form_of(owner.email))).status_code == 401

    async def test_s6_two_processes_share_one_counter(
        self, served: Served, app_environment: dict[str, str], person: MakePerson
    ) -> None:
        """Guessing here and there is guessing at one account."""
        victim = await person()
        slow = {**app_environment, "SICERDAS_LOGIN_DELAY_S": "60"}
        with AppProcess.serve(slow) as other:
            await asyncio.to_thread(other.wait_ready)
            async with httpx.AsyncClient(timeout=30) as client:
                answers = [
                    await client.post(f"{url}{LOGIN}", json=form_of(victim.email))
                    for url in (other.url, served.url) * 4
                ]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3

    async def test_one_address_is_bounded_before_accounts(self, narrow: Served) -> None:
        """Trying one password on many accounts ends at the address's own limit; others go on."""
        async with httpx.AsyncClient(base_url=narrow.url, timeout=30) as client:
            here, there = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.2"}
            answers = await asyncio.gather(
                *(
                    client.post(LOGIN, json=form_of(f"spray{n}@example.org"), headers=here)
                    for n in range(70)
                )
            )
            refused = [answer for answer in answers if answer.status_code == 429]
            assert 1 <= len(refused) <= 10
            assert {answer.json()["policy"] for answer in refused} == {"login-address"}
            elsewhere = await client.post(LOGIN, json=form_of("a@example.org"), headers=there)
            assert elsewhere.status_code == 401

    async def test_hammering_one_account_uses_up_nobody_elses_share(
        self, settings: Settings, person: MakePerson
    ) -> None:
        """Refused guesses do not count for everybody: others come in all the while."""
        victim, other = await person(), await person()
        tight = with_settings(settings, redis_prefix=new_prefix(), wrong_logins_per_minute=20)
        async with serve(tight) as app, httpx.AsyncClient(base_url=app.url, timeout=30) as client:
            await asyncio.gather(
                *(client.post(LOGIN, json=form_of(victim.email)) for _ in range(100))
            )
            for _ in range(25):
                answer = await client.post(LOGIN, json=form_of(other.email, PASSWORD))
                assert answer.status_code == 200

    async def test_without_redis_it_is_neither_open_nor_shut(
        self, settings: Settings, person: MakePerson
    ) -> None:
        """Counted by the process alone, more strictly; everybody else still comes in."""
        victim, other = await person(), await person()
        with RedisServer() as redis:
            async with (
                serve(with_settings(settings, redis_url=Secret(redis.url))) as app,
                httpx.AsyncClient(base_url=app.url, limits=MANY, timeout=30) as client,
            ):
                redis.kill()
                answers = await asyncio.gather(
                    *(client.post(LOGIN, json=form_of(victim.email)) for _ in range(100))
                )
                counted = Counter(answer.status_code for answer in answers)
                assert set(counted) == {401, 429}
                assert counted[401] <= 5
                answer = await client.post(LOGIN, json=form_of(other.email, PASSWORD))
                assert answer.status_code == 200


class TestOtherLimits:
    async def test_signups_of_one_address(self, settings: Settings) -> None:
        """Accounts are not made by the thousand."""
        few = with_settings(settings, redis_prefix=new_prefix(), signups_per_address_per_hour=2)
        async with serve(few) as app, httpx.AsyncClient(base_url=app.url) as client:
            forms = [{"email": f"{uuid4().hex}@example.org", "password": PASSWORD} for _ in "abc"]
            answers = [await client.post("/api/v1/auth/signup", json=form) for form in forms]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert int(answers[-1].headers["retry-after"]) > 1000

    async def test_questions_and_reports_of_one_person(
        self, settings: Settings, person: MakePerson
    ) -> None:
        """Each person has a pace of their own; another is not slowed down by it."""
        hasty, calm = await person(), await person()
        few = with_settings(
            settings,
            redis_prefix=new_prefix(),
            questions_per_user_per_minute=1,
            reports_per_user_per_hour=1,
        )
        calls = [
            ("/api/v1/chat", {"conversation_id": "absent", "message": "Hi"}, "chat-user"),
            (
                "/api/v1/reports",
                {"target_type": "book", "target_id": 2147483647, "reason": "Wrong"},
                "reports-user",
            ),
        ]
        async with serve(few) as app, httpx.AsyncClient(base_url=app.url) as client:
            for path, body, policy in calls:
                for who, status in ((hasty, 404), (hasty, 429), (calm, 404)):
                    headers = {"authorization": f"Bearer {who.token}"}
                    answer = await client.post(path, json=body, headers=headers)
                    assert answer.status_code == status, (path, answer.text)
                    if status == 429:
                        assert answer.json()["policy"] == policy

    async def test_a_flood_from_one_address(self, settings: Settings) -> None:
        """Whatever is asked for, and with the headers of every other answer."""
        few = with_settings(settings, requests_per_address_per_minute=5)
        async with serve(few) as app, httpx.AsyncClient(base_url=app.url) as client:
            answers = [await client.get("/health/live") for _ in range(7)]
            assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
            assert answers[-1].headers["content-type"] == "application/problem+json"
            assert answers[-1].headers["ratelimit-policy"] == '"requests-address";q=5;w=60'
            assert "content-security-policy" in answers[-1].headers
            with pytest.raises(InvalidStatus) as refused:
                async with opened(app.url, origin=app.url):
                    pytest.fail("a socket was opened")
            assert refused.value.response.status_code == 429
            elsewhere = await client.get("/health/live", headers={"x-forwarded-for": "192.0.2.9"})
            assert elsewhere.status_code == 200

    async def test_guesses_at_emulated_sessions_from_one_address(self, settings: Settings) -> None:
        """A guess may go to another process by Redis: there are few of them, the rest goes on."""
        few = with_settings(settings, emulated_frames_per_address_per_minute=3)
        guess = {"session": "0" * 32, "node": "elsewhere", "data": "{}"}
        async with serve(few) as app, httpx.AsyncClient(base_url=app.url) as client:
            answers = [await client.post("/emulation", json=guess) for _ in range(5)]
            assert [a.status_code for a in answers] == [404] * 3 + [429] * 2
            assert answers[-1].headers["ratelimit-policy"] == '"emulation-address";q=3;w=60'
            assert int(answers[-1].headers["retry-after"]) > 0
            assert (await client.get("/health/live")).status_code == 200
            away = {"x-forwarded-for": "192.0.2.9"}
            assert (await client.post("/emulation", json=guess, headers=away)).status_code == 404


class TestEnumeration:
    async def test_s5_known_and_unknown_look_the_same(
        self, settings: Settings, person: MakePerson
    ) -> None:
        """Status, body and headers are alike, from the first guess to the refusal."""
        known, unknown = (await person()).email, f"{uuid4().hex}@example.org"
        slow = with_settings(settings, redis_prefix=new_prefix(), login_delay_s=69.0)
        looks = []
        async with serve(slow) as app, httpx.AsyncClient(base_url=app.url) as client:
            for email in (known, unknown):
                answers = [await client.post(LOGIN, json=form_of(email)) for _ in range(7)]
                looks.append([look(answer) for answer in answers])
        assert looks[0] == looks[1]
        assert [status for status, _, _ in looks[0]] == [401] * 5 + [429] * 2

    @pytest.mark.chaos
    @pytest.mark.timeout(900)
    async def test_s5_timing(self, settings: Settings, person: MakePerson) -> None:
        """Median times of known and unknown addresses, printed; far apart they would be a sign."""
        known = [(await person()).email for _ in range(8)]
        free = with_settings(settings, redis_prefix=new_prefix(), login_free_attempts=100_000)
        async with serve(free) as app, httpx.AsyncClient(base_url=app.url) as client:

            async def knock(email: str) -> httpx.Response:
                return await client.post(LOGIN, json=form_of(email))

            await knock("warm@example.org")
            compared = await alternate(knock, known, new_email)
        compared.conclude("S5-login")


def look(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """What a guesser sees, but for what is new in each answer and for the last second."""
    moving = {"x-request-id", "date"}
    headers = {
        name: re.sub(r"6\d", "6_", value)
        for name, value in answer.headers.items()
        if name not in moving
    }
    return answer.status_code, re.sub(r"6\d", "6_", answer.text), headers


class TestFixation:
    async def test_s3_every_login_is_a_new_session(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Ids and tokens never repeat, and a token has at least 128 random bits (V7.2.3)."""
        someone: Person = await person()
        right = form_of(someone.email, PASSWORD)
        tokens = {(await nobody.post(LOGIN, json=right)).json()["token"] for _ in range(10)}
        assert len(tokens) == 10
        assert min(len(token) for token in tokens) * 6 >= 128
        items = (await someone.http.get("/api/v1/auth/sessions")).json()["items"]
        assert len({one["id"] for one in items}) == 11
        for one in items:
            headers = {"authorization": f"Bearer {one['id']}"}
            assert (await nobody.get("/api/v1/users/me", headers=headers)).status_code == 401

    async def test_s3_the_absolute_end(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """Use does not keep a session alive for ever: 90 days, and 12 hours for staff."""
        learner, moderator = await person(), await person(Role.MODERATOR)
        for who, age in ((learner, "91 days"), (moderator, "13 hours")):
            await served.house.db.execute(
                f"UPDATE sessions SET created_at = now() - interval '{age}' WHERE user_id = $1",
                who.id,
            )
            assert (await who.http.get("/api/v1/users/me")).status_code == 401
