"""Signing in with two steps: one-time codes, recovery codes, and nothing that goes around them."""

import asyncio

import httpx
import pytest

from app.accounts.schemas import Client
from app.http.sessions import COOKIE_NAME
from app.kit.principal import Method
from tests.support.factors import (
    V1,
    Enrolled,
    deeds,
    enrol,
    first_step,
    forget_steps,
    make_stale,
    second_step,
    step_token,
)
from tests.support.house import PASSWORD, MakePerson, Served
from tests.support.problems import code_of

FULL_WIDTH = "".join(chr(0xFF10 + digit) for digit in range(6))
"""Digits to a lenient reader, no code to us."""


@pytest.fixture
async def enrolled(served: Served, nobody: httpx.AsyncClient, person: MakePerson) -> Enrolled:
    """A new person with an authenticator app."""
    return await enrol(served, nobody, await person())


class TestFirstStep:
    async def test_v6_3_3_password_alone_is_no_session(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """The right password leads to the second step; nothing of the person is shown before."""
        answer = await first_step(nobody, enrolled.person)
        assert answer.status_code == 200
        assert answer.json().keys() == {"second_factor"}
        step = answer.json()["second_factor"]
        assert (step["methods"], step["expires_in"]) == (["totp", "recovery"], 300)
        assert "set-cookie" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        as_session = {"authorization": f"Bearer {step['token']}"}
        assert (await nobody.get(f"{V1}/users/me", headers=as_session)).status_code == 401

    async def test_wrong_password_tells_nothing_of_factors(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Who has a second factor is known only to whoever knows the password."""
        form = {"email": enrolled.person.email, "password": "not the password"}
        answer = await nobody.post(f"{V1}/auth/login", json=form)
        assert code_of(answer) == (401, "wrong-credentials")
        assert "second_factor" not in answer.json()

    @pytest.mark.parametrize("method", [Method.MAIL, Method.FEDERATED, Method.PASSWORD])
    async def test_every_other_door_asks_as_well(
        self, served: Served, enrolled: Enrolled, method: Method
    ) -> None:
        """A mail link or another provider is one proof, as a password is."""
        house = served.house
        async with house.db.transaction() as tx:
            query = "SELECT * FROM users WHERE id = $1"
            row = await tx.fetchrow(query, enrolled.person.id)
            admission = await house.doorway.admit(tx, row, Client("tests", ""), method)
        assert admission.token is None
        assert admission.second_factor is not None


class TestSecondStep:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Without a first step there is no second."""
        answer = await second_step(nobody, "made-up", code="000000")
        assert code_of(answer) == (401, "second-step-expired")

    async def test_somebody_elses_code_is_wrong(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled, person: MakePerson
    ) -> None:
        """A code proves its own person alone."""
        other = await enrol(served, nobody, await person())
        token = await step_token(nobody, enrolled.person)
        answer = await second_step(nobody, token, code=other.code())
        assert code_of(answer) == (403, "wrong-code")

    async def test_right_code_signs_in(self, nobody: httpx.AsyncClient, enrolled: Enrolled) -> None:
        """A browser has its cookie, a program its token, and both steps stand in the session."""
        token = await step_token(nobody, enrolled.person)
        form = {"token": token, "method": "totp", "code": enrolled.code()}
        answer = await nobody.post(f"{V1}/auth/second-factor", json=form)
        assert answer.json()["user"]["email"] == enrolled.person.email
        assert answer.headers["set-cookie"].startswith(f"{COOKIE_NAME}=")
        assert "token" not in answer.json()

    async def test_sign_in_keeps_both_methods(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Later decisions know how somebody came in."""
        token = await step_token(nobody, enrolled.person)
        answer = await second_step(nobody, token, code=enrolled.code())
        principal = await served.house.sessions.principal_by_token(answer.json()["token"])
        assert principal is not None
        assert set(principal.methods) == {Method.PASSWORD, Method.ONE_TIME_CODE}

    async def test_v6_5_1_code_counts_once(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Whoever watched a code being typed cannot use it after."""
        code = enrolled.code()
        first = await second_step(nobody, await step_token(nobody, enrolled.person), code=code)
        assert first.status_code == 200
        again = await second_step(nobody, await step_token(nobody, enrolled.person), code=code)
        assert code_of(again) == (403, "wrong-code")

    async def test_v6_5_1_code_counts_once_under_concurrency(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Of four sign-ins with one code at the same moment one comes in."""
        code = enrolled.code()
        tokens = [await step_token(nobody, enrolled.person) for _ in range(4)]
        answers = await asyncio.gather(*(second_step(nobody, t, code=code) for t in tokens))
        assert sorted(one.status_code for one in answers) == [200, 403, 403, 403]

    async def test_step_leads_to_one_session(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """The token of the step is good for one sign-in."""
        token = await step_token(nobody, enrolled.person)
        assert (await second_step(nobody, token, code=enrolled.code())).status_code == 200
        await forget_steps(served, enrolled.person.id)
        again = await second_step(nobody, token, code=enrolled.code())
        assert code_of(again) == (401, "second-step-expired")

    async def test_step_expires(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """After five minutes the password is asked for again, and the row is forgotten."""
        token = await step_token(nobody, enrolled.person)
        db, user_id = served.house.db, enrolled.person.id
        await db.execute("UPDATE second_steps SET expires_at = now() WHERE user_id = $1", user_id)
        answer = await second_step(nobody, token, code=enrolled.code())
        assert code_of(answer) == (401, "second-step-expired")
        await served.house.factors.trim()
        query = "SELECT count(*) FROM second_steps WHERE user_id = $1"
        assert await db.fetchval(query, user_id) == 0

    async def test_new_password_ends_waiting_sign_ins(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Whoever knew the old password must not come in after its end."""
        token = await step_token(nobody, enrolled.person)
        form = {"current_password": PASSWORD, "new_password": "another-good-password"}
        url = f"{V1}/auth/password"
        changed = await nobody.put(url, json=form, headers=enrolled.headers)
        assert changed.status_code == 200
        answer = await second_step(nobody, token, code=enrolled.code())
        assert code_of(answer) == (401, "second-step-expired")

    async def test_new_password_asks_for_a_fresh_second_factor(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Else a stolen session and a stolen password would be as good as the factor."""
        await make_stale(served, enrolled.person)
        form = {"current_password": PASSWORD, "new_password": "another-good-password"}
        url = f"{V1}/auth/password"
        answer = await nobody.put(url, json=form, headers=enrolled.headers)
        assert code_of(answer) == (403, "fresh-proof-required")

    async def test_closed_account_stays_closed(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Between the steps an admin may close the account."""
        token = await step_token(nobody, enrolled.person)
        await served.house.db.execute(
            "UPDATE users SET deactivated_at = now() WHERE id = $1", enrolled.person.id
        )
        answer = await second_step(nobody, token, code=enrolled.code())
        assert code_of(answer) == (403, "account-deactivated")

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", FULL_WIDTH, "000 000\x00"])
    async def test_no_code_at_all(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled, code: str
    ) -> None:
        """Whatever is no code is a wrong one."""
        answer = await second_step(nobody, await step_token(nobody, enrolled.person), code=code)
        assert code_of(answer) == (403, "wrong-code")

    @pytest.mark.parametrize("method", ["totp", "recovery", "passkey"])
    async def test_missing_proof_names_the_field(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled, method: str
    ) -> None:
        """A method without its proof is bad input, and costs no try."""
        answer = await second_step(nobody, await step_token(nobody, enrolled.person), method)
        assert code_of(answer) == (400, "invalid-input")
        assert answer.json()["errors"]


class TestRecoveryCodes:
    async def test_v6_5_1_each_counts_once(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """A recovery code opens the door, however it is typed, and then never again."""
        code = enrolled.recovery_codes[0].upper().replace("-", " ")
        token = await step_token(nobody, enrolled.person)
        assert (await second_step(nobody, token, "recovery", code=code)).status_code == 200
        token = await step_token(nobody, enrolled.person)
        again = await second_step(nobody, token, "recovery", code=code)
        assert code_of(again) == (403, "wrong-code")

    async def test_v6_5_2_ten_codes_of_112_bits_kept_as_hashes(
        self, served: Served, enrolled: Enrolled
    ) -> None:
        """They cannot be guessed, and the database does not hold them."""
        codes = enrolled.recovery_codes
        assert len(set(codes)) == 10
        assert all(len(code.replace("-", "")) == 25 for code in codes)  # 30^25 > 2^112
        query = "SELECT code_hash FROM recovery_codes WHERE user_id = $1"
        rows = await served.house.db.fetch(query, enrolled.person.id)
        assert len(rows) == 10
        assert not {code.encode() for code in codes} & {row["code_hash"] for row in rows}

    async def test_renewal_voids_the_old_ones(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Ten new ones, once, and nothing of it is kept for a repeated request."""
        keyed = enrolled.headers | {"idempotency-key": "one"}
        url = f"{V1}/auth/recovery-codes"
        first = (await nobody.post(url, headers=keyed)).json()["recovery_codes"]
        assert (await nobody.post(url, headers=keyed)).status_code == 409
        second = (await nobody.post(url, headers=enrolled.headers)).json()["recovery_codes"]
        assert not set(first) & {*second, *enrolled.recovery_codes}
        token = await step_token(nobody, enrolled.person)
        for old in (first[0], enrolled.recovery_codes[0]):
            answer = await second_step(nobody, token, "recovery", code=old)
            assert code_of(answer) == (403, "wrong-code")
        right = await second_step(nobody, token, "recovery", code=second[0])
        assert right.status_code == 200

    async def test_use_is_in_the_audit_log(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """It happens once in years: admins can see it."""
        token = await step_token(nobody, enrolled.person)
        await second_step(nobody, token, "recovery", code=enrolled.recovery_codes[0])
        assert await deeds(served, enrolled.person.id) == [
            "user.totp-enabled",
            "user.recovery-code-used",
        ]
