"""Second factors as their owner sets them up, admins reset them, and offices need them."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.kit.principal import Role
from app.settings import Settings
from tests.story.wire import connected
from tests.support.factors import (
    V1,
    Enrolled,
    deeds,
    enrol,
    first_step,
    make_stale,
    second_step,
    step_token,
)
from tests.support.house import MakePerson, Person, Served, serve, with_settings
from tests.support.problems import code_of
from tests.unit.test_cli import run


class TestTotp:
    @pytest.mark.parametrize(
        ("verb", "what"),
        [
            ("GET", "factors"),
            ("POST", "totp"),
            ("POST", "totp/enable"),
            ("DELETE", "totp"),
            ("POST", "recovery-codes"),
        ],
    )
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient, verb: str, what: str) -> None:
        """Factors belong to somebody."""
        answer = await nobody.request(verb, f"{V1}/auth/{what}")
        assert code_of(answer) == (401, "unauthorized")

    async def test_somebody_elses_code_enables_nothing(self, person: MakePerson) -> None:
        """The code must come from one's own secret."""
        one, other = await person(), await person()
        secret = (await one.http.post(f"{V1}/auth/totp")).json()["secret"]
        await other.http.post(f"{V1}/auth/totp")
        form = {"code": Enrolled(one, secret, [], {}).code()}
        answer = await other.http.post(f"{V1}/auth/totp/enable", json=form)
        assert code_of(answer) == (403, "wrong-code")

    async def test_start_shows_secret_address_and_picture(self, learner: Person) -> None:
        """What an app reads, as text and as a picture without scripts; no cache keeps it."""
        answer = await learner.http.post(f"{V1}/auth/totp")
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert len(body["secret"]) == 32
        assert body["otpauth_uri"].startswith("otpauth://totp/sicerdas:")
        assert f"secret={body['secret']}" in body["otpauth_uri"]
        assert body["qr_svg"].startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert "<script" not in body["qr_svg"]

    async def test_counts_only_after_a_right_code(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """A secret that nobody has shown to have cannot lock its owner out."""
        someone = await person()
        await someone.http.post(f"{V1}/auth/totp")
        form = {"code": "000000"}
        wrong = await someone.http.post(f"{V1}/auth/totp/enable", json=form)
        assert code_of(wrong) == (403, "wrong-code")
        assert "token" in (await first_step(nobody, someone)).json()
        assert await deeds(served, someone.id) == []

    async def test_enabling_needs_a_start(self, person: MakePerson) -> None:
        """Without a secret there is no code."""
        someone = await person()
        form = {"code": "000000"}
        answer = await someone.http.post(f"{V1}/auth/totp/enable", json=form)
        assert code_of(answer) == (409, "totp-not-started")

    async def test_present_app_is_removed_first(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """A second secret never replaces one that counts."""
        enrolled = await enrol(served, nobody, await person())
        started = await nobody.post(f"{V1}/auth/totp", headers=enrolled.headers)
        assert code_of(started) == (409, "totp-already-enabled")
        enabled = await nobody.post(
            f"{V1}/auth/totp/enable", json={"code": "1"}, headers=enrolled.headers
        )
        assert code_of(enabled) == (409, "totp-already-enabled")

    async def test_v7_2_4_enabling_changes_the_token(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Whoever had the token before does not have the session after."""
        someone = await person()
        await enrol(served, nobody, someone)
        assert (await someone.http.get(f"{V1}/users/me")).status_code == 401

    async def test_v13_3_1_secret_is_encrypted_at_rest(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """A stolen database makes no codes, and a secret moved to another person opens nothing."""
        one = await enrol(served, nobody, await person())
        other = await enrol(served, nobody, await person())
        db = served.house.db
        query = "SELECT secret FROM totp_secrets WHERE user_id = $1"
        sealed = await db.fetchval(query, one.person.id)
        assert one.secret.encode() not in sealed
        query = "UPDATE totp_secrets SET secret = $2 WHERE user_id = $1"
        await db.execute(query, other.person.id, sealed)
        token = await step_token(nobody, other.person)
        answer = await second_step(nobody, token, code=one.code())
        assert code_of(answer) == (403, "wrong-code")

    async def test_disabled_app_is_asked_for_no_more(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """One step again, no recovery codes, and both deeds in the log."""
        enrolled = await enrol(served, nobody, await person())
        gone = await nobody.delete(f"{V1}/auth/totp", headers=enrolled.headers)
        assert gone.status_code == 204
        again = await nobody.delete(f"{V1}/auth/totp", headers=enrolled.headers)
        assert code_of(again) == (404, "not-found")
        assert "token" in (await first_step(nobody, enrolled.person)).json()
        codes = await nobody.post(f"{V1}/auth/recovery-codes", headers=enrolled.headers)
        assert code_of(codes) == (409, "no-second-factor")
        expected = ["user.totp-enabled", "user.totp-disabled"]
        assert await deeds(served, enrolled.person.id) == expected

    async def test_v7_5_1_changes_ask_for_a_fresh_proof(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Every change of a factor, and a new API key."""
        enrolled = await enrol(served, nobody, await person())
        await make_stale(served, enrolled.person)
        key = {"name": "Key", "scopes": ["catalog:read"]}
        for verb, what, form in (
            ("POST", "auth/totp", None),
            ("POST", "auth/totp/enable", {"code": "1"}),
            ("DELETE", "auth/totp", None),
            ("POST", "auth/recovery-codes", None),
            ("POST", "auth/api-keys", key),
        ):
            url = f"{V1}/{what}"
            answer = await nobody.request(verb, url, json=form, headers=enrolled.headers)
            assert code_of(answer) == (403, "fresh-proof-required"), what


class TestGuessing:
    async def test_v6_6_3_wrong_codes_slow_down_and_end_the_sign_in(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """After five wrong codes the next must wait, in whichever sign-in and from wherever."""
        enrolled = await enrol(served, nobody, await person())
        token = await step_token(nobody, enrolled.person)
        for _ in range(5):
            answer = await second_step(nobody, token, code="000000")
            assert code_of(answer) == (403, "wrong-code")
        over = await second_step(nobody, token, code=enrolled.code())
        assert code_of(over) == (401, "second-step-expired")
        token = await step_token(nobody, enrolled.person)
        slowed = await second_step(nobody, token, code=enrolled.code())
        assert code_of(slowed) == (429, "too-many-requests")
        assert int(slowed.headers["retry-after"]) >= 1

    async def test_v6_6_3_parallel_guesses_are_counted(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Of forty guesses at once at most ten are looked at."""
        enrolled = await enrol(served, nobody, await person())
        token = await step_token(nobody, enrolled.person)
        guesses = (second_step(nobody, token, code=f"{n:06}") for n in range(40))
        looked_at = [one for one in await asyncio.gather(*guesses) if one.status_code == 403]
        assert 1 <= len(looked_at) <= 10


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Served]:
    """The same house where offices need a second factor."""
    async with serve(with_settings(settings, require_staff_second_factor=True)) as running:
        yield running


class TestStaff:
    @pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
    async def test_v6_3_3_office_rests_until_a_second_factor(
        self, strict: Served, person: MakePerson, role: Role
    ) -> None:
        """Over REST and over the socket; one's own account stays in reach."""
        someone = await person(role)
        async with httpx.AsyncClient(base_url=strict.url, headers=someone.http.headers) as http:
            for what in ("reports", "users" if role is Role.ADMIN else "reports"):
                answer = await http.get(f"{V1}/{what}")
                assert code_of(answer) == (403, "second-factor-required")
            assert (await http.get(f"{V1}/auth/factors")).json()["is_required"]
            token = (await http.get(f"{V1}/realtime/token")).json()["token"]
            async with connected(strict.url, token) as wire:
                reply = await wire.command(subscribe={"channel": "moderation:queue"})
            assert reply["error"]["message"] == "second-factor-required"

    async def test_office_awakes_with_the_factor(self, strict: Served, person: MakePerson) -> None:
        """Setting it up is using it: no second sign-in."""
        moderator = await person(Role.MODERATOR)
        async with httpx.AsyncClient(base_url=strict.url, headers=moderator.http.headers) as http:
            mine = Person(moderator.id, moderator.email, moderator.role, moderator.token, http)
            enrolled = await enrol(strict, http, mine)
            answer = await http.get(f"{V1}/reports", headers=enrolled.headers)
            assert answer.status_code == 200
            factors = await http.get(f"{V1}/auth/factors", headers=enrolled.headers)
            assert not factors.json()["is_required"]
            gone = await http.delete(f"{V1}/auth/totp", headers=enrolled.headers)
            assert code_of(gone) == (409, "last-second-factor")

    async def test_resting_office_makes_no_key(self, strict: Served, person: MakePerson) -> None:
        """A program must not have what its owner lacks."""
        moderator = await person(Role.MODERATOR)
        form = {"name": "Key", "scopes": ["reports:decide"]}
        async with httpx.AsyncClient(base_url=strict.url, headers=moderator.http.headers) as http:
            answer = await http.post(f"{V1}/auth/api-keys", json=form)
        assert code_of(answer) == (403, "second-factor-required")

    async def test_teachers_and_learners_are_free(self, strict: Served, person: MakePerson) -> None:
        """Only offices need one."""
        teacher = await person(Role.TEACHER)
        async with httpx.AsyncClient(base_url=strict.url, headers=teacher.http.headers) as http:
            answer = await http.post(f"{V1}/categories", json={"name": "By a teacher"})
            assert answer.status_code == 201


class TestReset:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient, learner: Person) -> None:
        """Nobody resets nothing."""
        answer = await nobody.post(f"{V1}/users/{learner.id}/factors/reset")
        assert code_of(answer) == (401, "unauthorized")

    async def test_only_admins(self, moderator: Person, learner: Person) -> None:
        """A moderator may not, and whoever is not there cannot be reset."""
        answer = await moderator.http.post(f"{V1}/users/{learner.id}/factors/reset")
        assert code_of(answer) == (403, "forbidden")

    async def test_takes_all_and_ends_the_sessions(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """One entry in the log says what was taken, and the password is enough again."""
        admin, enrolled = await person(Role.ADMIN), await enrol(served, nobody, await person())
        waiting = await step_token(nobody, enrolled.person)
        url = f"{V1}/users/{enrolled.person.id}/factors/reset"
        assert (await admin.http.post(url)).json() == {"ended": 1}
        me = await nobody.get(f"{V1}/users/me", headers=enrolled.headers)
        assert me.status_code == 401
        over = await second_step(nobody, waiting, code=enrolled.code())
        assert code_of(over) == (401, "second-step-expired")
        assert "token" in (await first_step(nobody, enrolled.person)).json()
        assert await deeds(served, enrolled.person.id) == [
            "user.totp-enabled",
            "user.factors-reset",
        ]

    async def test_asks_for_a_fresh_proof(
        self, served: Served, person: MakePerson, learner: Person
    ) -> None:
        """An unattended desk resets nobody."""
        admin = await person(Role.ADMIN)
        await make_stale(served, admin)
        answer = await admin.http.post(f"{V1}/users/{learner.id}/factors/reset")
        assert code_of(answer) == (403, "fresh-proof-required")

    async def test_absent_person(self, admin: Person) -> None:
        """404, and nothing is recorded."""
        answer = await admin.http.post(f"{V1}/users/2000000000/factors/reset")
        assert code_of(answer) == (404, "not-found")


class TestOperator:
    async def test_reset_at_the_command_line(
        self,
        served: Served,
        nobody: httpx.AsyncClient,
        person: MakePerson,
        app_environment: dict[str, str],
    ) -> None:
        """The only admin may be the one whose phone is gone; their session ends as well."""
        enrolled = await enrol(served, nobody, await person(Role.ADMIN))
        order = ("admin", "reset-factors", enrolled.person.email)
        done = await asyncio.to_thread(run, app_environment, *order)
        assert (done.returncode, done.stderr) == (0, "")
        me = await nobody.get(f"{V1}/users/me", headers=enrolled.headers)
        assert me.status_code == 401
        assert "token" in (await first_step(nobody, enrolled.person)).json()
        assert (await deeds(served, enrolled.person.id))[-1] == "user.factors-reset"

    async def test_unknown_address_is_an_error(self, app_environment: dict[str, str]) -> None:
        """One line, and a status that a script sees."""
        order = ("admin", "reset-factors", "nobody.at.all@example.org")
        done = await asyncio.to_thread(run, app_environment, *order)
        assert done.returncode == 1
        assert "No account" in done.stderr
