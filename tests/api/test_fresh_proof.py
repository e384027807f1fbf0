"""Proving oneself anew: what dangerous acts ask for, and what counts as a proof."""

import httpx
import pytest

from tests.support.factors import (
    V1,
    Enrolled,
    enrol,
    make_stale,
)
from tests.support.house import PASSWORD, MakePerson, Served
from tests.support.problems import code_of


@pytest.fixture
async def enrolled(served: Served, nobody: httpx.AsyncClient, person: MakePerson) -> Enrolled:
    """A new person with an authenticator app."""
    return await enrol(served, nobody, await person())


class TestConfirm:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """There is no session to refresh."""
        form = {"method": "password", "password": PASSWORD}
        answer = await nobody.post(f"{V1}/auth/confirm", json=form)
        assert code_of(answer) == (401, "unauthorized")

    async def test_somebody_elses_password_is_wrong(self, person: MakePerson) -> None:
        """The proof is about the person of the session."""
        someone = await person()
        form = {"method": "password", "password": "not the password"}
        answer = await someone.http.post(f"{V1}/auth/confirm", json=form)
        assert code_of(answer) == (403, "wrong-password")

    async def test_v7_5_1_stale_proof_is_asked_for_anew(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """After a quarter of an hour a dangerous act asks first; a password opens it again."""
        someone = await person()
        await make_stale(served, someone)
        refused = await someone.http.post(f"{V1}/auth/totp")
        assert code_of(refused) == (403, "fresh-proof-required")
        form = {"method": "password", "password": PASSWORD}
        answer = await someone.http.post(f"{V1}/auth/confirm", json=form)
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        assert (await nobody.post(f"{V1}/auth/totp", headers=headers)).status_code == 200

    async def test_v7_2_4_new_proof_new_token(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """The old token is void; the session and its place in the list stay."""
        someone = await person()
        before = (await someone.http.get(f"{V1}/auth/sessions")).json()["items"]
        form = {"method": "password", "password": PASSWORD}
        answer = await someone.http.post(f"{V1}/auth/confirm", json=form)
        assert (await someone.http.get(f"{V1}/users/me")).status_code == 401
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        after = (await nobody.get(f"{V1}/auth/sessions", headers=headers)).json()["items"]
        assert [one["id"] for one in after] == [one["id"] for one in before]

    async def test_password_does_not_stand_in_for_a_factor(
        self, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """Whoever stole session and password must not reach the factors."""
        form = {"method": "password", "password": PASSWORD}
        answer = await nobody.post(f"{V1}/auth/confirm", json=form, headers=enrolled.headers)
        assert code_of(answer) == (403, "proof-not-accepted")

    @pytest.mark.parametrize("method", ["totp", "recovery"])
    async def test_factor_confirms(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled, method: str
    ) -> None:
        """A code opens dangerous acts."""
        await make_stale(served, enrolled.person)
        code = enrolled.code() if method == "totp" else enrolled.recovery_codes[3]
        form = {"method": method, "code": code}
        answer = await nobody.post(f"{V1}/auth/confirm", json=form, headers=enrolled.headers)
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        removed = await nobody.delete(f"{V1}/auth/totp", headers=headers)
        assert removed.status_code == 204

    async def test_wrong_code_confirms_nothing(
        self, served: Served, nobody: httpx.AsyncClient, enrolled: Enrolled
    ) -> None:
        """The session is as stale as before, and its token stays."""
        await make_stale(served, enrolled.person)
        form = {"method": "totp", "code": "000000"}
        answer = await nobody.post(f"{V1}/auth/confirm", json=form, headers=enrolled.headers)
        assert code_of(answer) == (403, "wrong-code")
        removed = await nobody.delete(f"{V1}/auth/totp", headers=enrolled.headers)
        assert code_of(removed) == (403, "fresh-proof-required")
