"""The change of a password, and which ones are taken."""

import asyncio

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from tests.api.test_accounts import new_email
from tests.support.devices import (
    OTHER,
    SOON_S,
    V1,
    audited,
    sign_in,
    socket_of,
    status_of,
)
from tests.support.house import PASSWORD, MakePerson, Served
from tests.support.problems import code_of

WITHIN_FREE_ATTEMPTS = 4
"""With the change itself five: one more might be slowed down, whichever comes last."""


class TestChangePassword:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Nobody has no password."""
        form = {"current_password": PASSWORD, "new_password": OTHER}
        answer = await nobody.put(f"{V1}/auth/password", json=form)
        assert code_of(answer) == (401, "unauthorized")

    async def test_wrong_current_password_changes_nothing(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Whoever found an open browser cannot take the account."""
        someone = await person()
        form = {"current_password": "not-this-one", "new_password": OTHER}
        answer = await someone.http.put(f"{V1}/auth/password", json=form)
        assert code_of(answer) == (403, "wrong-password")
        await sign_in(nobody, someone)

    async def test_guessing_the_current_password_is_slowed_down(self, person: MakePerson) -> None:
        """An open browser is no way around the limits of the door."""
        someone = await person()
        form = {"current_password": "not-this-one", "new_password": OTHER}
        answers = [await someone.http.put(f"{V1}/auth/password", json=form) for _ in range(8)]
        assert {a.status_code for a in answers[:5]} == {403}
        assert code_of(answers[5]) == (429, "too-many-requests")

    @pytest.mark.parametrize("weak", ["Password123", "qwertyuiop", "OWN-ADDRESS"])
    async def test_weak_new_password(self, person: MakePerson, weak: str) -> None:
        """A stable code, and the field it is about."""
        someone = await person()
        new = someone.email.upper() if weak == "OWN-ADDRESS" else weak
        form = {"current_password": PASSWORD, "new_password": new}
        answer = await someone.http.put(f"{V1}/auth/password", json=form)
        assert code_of(answer) == (400, "password-too-common")
        assert [one["field"] for one in answer.json()["errors"]] == ["new_password"]

    async def test_everything_else_ends_and_a_new_token_comes(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """Old tokens, sockets and the old password are worth nothing; one audit entry."""
        someone = await person()
        here, there = await sign_in(nobody, someone), await sign_in(nobody, someone)
        form = {"current_password": PASSWORD, "new_password": OTHER}
        async with (
            socket_of(served, nobody, here) as own,
            socket_of(served, nobody, there) as other,
        ):
            answer = await nobody.put(f"{V1}/auth/password", json=form, headers=here.headers)
            assert answer.status_code == 200
            for wire in (own, other):
                assert await asyncio.wait_for(wire.closed(), SOON_S) == 3503
        assert [await status_of(nobody, one) for one in (here, there)] == [401, 401]
        fresh = {"authorization": f"Bearer {answer.json()['token']}"}
        assert (await nobody.get(f"{V1}/users/me", headers=fresh)).status_code == 200
        old = {"email": someone.email, "password": PASSWORD}
        assert code_of(await nobody.post(f"{V1}/auth/login", json=old))[0] == 401
        await sign_in(nobody, someone, password=OTHER)
        assert await audited(served, someone, "user.password-changed") == [someone.id]

    async def test_a_browser_gets_a_new_cookie(
        self, nobody: httpx.AsyncClient, person: MakePerson, served: Served
    ) -> None:
        """And no token that a script could read."""
        someone = await person()
        headers = {"cookie": f"{COOKIE_NAME}={someone.token}", "origin": served.url}
        form = {"current_password": PASSWORD, "new_password": OTHER}
        answer = await nobody.put(f"{V1}/auth/password", json=form, headers=headers)
        assert someone.token not in answer.headers["set-cookie"]
        assert "token" not in answer.json()

    async def test_two_at_once_change_it_once(self, person: MakePerson) -> None:
        """Of two changes from the same password one is refused."""
        someone = await person()
        forms = [{"current_password": PASSWORD, "new_password": f"{OTHER}-{n}"} for n in range(2)]
        answers = await asyncio.gather(
            *(someone.http.put(f"{V1}/auth/password", json=form) for form in forms)
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 200
        assert statuses[1] in {401, 403}

    async def test_no_session_of_the_old_password_outlives_it(
        self, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """However logins with the old password race with the change, none of them stays."""
        someone = await person()
        change = {"current_password": PASSWORD, "new_password": OTHER}
        old = {"email": someone.email, "password": PASSWORD, "transport": "bearer"}
        changed, *logins = await asyncio.gather(
            someone.http.put(f"{V1}/auth/password", json=change),
            *(nobody.post(f"{V1}/auth/login", json=old) for _ in range(WITHIN_FREE_ATTEMPTS)),
        )
        assert changed.status_code == 200
        tokens = [answer.json()["token"] for answer in logins if answer.status_code == 200]
        for token in tokens:
            headers = {"authorization": f"Bearer {token}"}
            assert (await nobody.get(f"{V1}/users/me", headers=headers)).status_code == 401


class TestSignUpPassword:
    @pytest.mark.parametrize(
        "weak", ["password1", "PASSWORD1", "1234567890", "sari dewi", "Sari Dewi 2026"]
    )
    async def test_v6_2_4_weak_passwords_are_refused(
        self, nobody: httpx.AsyncClient, weak: str
    ) -> None:
        """Common ones and one's own name, with a code of their own."""
        form = {"email": new_email(), "password": weak, "name": "Sari Dewi"}
        answer = await nobody.post(f"{V1}/auth/signup", json=form)
        assert code_of(answer) == (400, "password-too-common")
        assert [one["field"] for one in answer.json()["errors"]] == ["password"]
