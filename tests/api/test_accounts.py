"""Accounts over real HTTP: signing in and out, one's own profile, what admins do."""

from uuid import uuid4

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from tests.support.house import PASSWORD, MakePerson, Person, Served
from tests.support.problems import code_of

V1 = "/api/v1"


def new_email() -> str:
    """An address that nobody has."""
    return f"{uuid4().hex[:12]}@example.org"


class TestSignUp:
    async def test_new_address_is_signed_in_at_once(self, nobody: httpx.AsyncClient) -> None:
        """A browser that signs up has its cookie and is a plain user."""
        form = {"email": new_email().upper(), "password": PASSWORD, "name": " Ada "}
        answer = await nobody.post(f"{V1}/auth/signup", json=form)
        assert answer.status_code == 201
        user = answer.json()["user"]
        assert (user["email"], user["name"], user["role"]) == (form["email"].lower(), "Ada", "user")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE_NAME}=")
        for flag in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
            assert flag.lower() in cookie.lower()
        assert "token" not in answer.json()

    async def test_taken_address_is_refused(self, nobody: httpx.AsyncClient) -> None:
        """The second account on an address is a 409 with a stable code."""
        form = {"email": new_email(), "password": PASSWORD}
        await nobody.post(f"{V1}/auth/signup", json=form)
        answer = await nobody.post(f"{V1}/auth/signup", json=form)
        assert code_of(answer) == (409, "email-taken")

    @pytest.mark.parametrize(
        "change",
        [
            {"email": "nobody"},
            {"email": "a@b"},
            {"email": "a b@example.org"},
            {"password": "short"},
            {"password": "x" * 1025},
            {"name": ""},
            {"name": "line\nbreak"},
            {"role": "admin"},
            {"email": 7},
        ],
    )
    async def test_bad_input_names_the_field(
        self, nobody: httpx.AsyncClient, change: dict[str, object]
    ) -> None:
        """Wrong, unknown and oversize fields are 400 and say which field."""
        form = {"email": new_email(), "password": PASSWORD} | change
        answer = await nobody.post(f"{V1}/auth/signup", json=form)
        assert code_of(answer) == (400, "invalid-input")
        assert answer.json()["errors"]

    async def test_nul_in_the_password_is_no_fault_of_ours(self, nobody: httpx.AsyncClient) -> None:
        """Any character may stand in a password."""
        form = {"email": new_email(), "password": "nul\x00 and 🦉 nul"}
        assert (await nobody.post(f"{V1}/auth/signup", json=form)).status_code == 201
        assert (await nobody.post(f"{V1}/auth/login", json=form)).status_code == 200


class TestLogIn:
    async def test_bearer_token_is_in_the_body_and_no_cookie_is_set(
        self, nobody: httpx.AsyncClient, learner: Person
    ) -> None:
        """A client that is no browser gets the opaque token itself."""
        form = {"email": learner.email, "password": PASSWORD, "transport": "bearer"}
        answer = await nobody.post(f"{V1}/auth/login", json=form)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert len(answer.json()["token"]) >= 43

    async def test_wrong_password_and_unknown_address_look_the_same(
        self, nobody: httpx.AsyncClient, learner: Person
    ) -> None:
        """Nothing tells whether an account exists."""
        wrong = {"email": learner.email, "password": "wrong-password"}
        unknown = {"email": new_email(), "password": "wrong-password"}
        first = await nobody.post(f"{V1}/auth/login", json=wrong)
        second = await nobody.post(f"{V1}/auth/login", json=unknown)
        assert code_of(first) == code_of(second) == (401, "wrong-credentials")
        assert first.json() == second.json()

    async def test_session_id_of_the_client_never_becomes_a_session(
        self, nobody: httpx.AsyncClient, learner: Person, served: Served
    ) -> None:
        """V7.2.4: an id planted before login is worth nothing after it."""
        planted = {"cookie": f"{COOKIE_NAME}=planted-by-somebody-else", "origin": served.url}
        form = {"email": learner.email, "password": PASSWORD}
        answer = await nobody.post(f"{V1}/auth/login", json=form, headers=planted)
        assert answer.status_code == 200
        assert "planted" not in answer.headers["set-cookie"]
        me = await nobody.get(f"{V1}/users/me", headers=planted)
        assert code_of(me) == (401, "unauthorized")


class TestLogOut:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Only a session can be ended."""
        assert code_of(await nobody.post(f"{V1}/auth/logout")) == (401, "unauthorized")

    async def test_token_is_worthless_afterwards(self, person: MakePerson) -> None:
        """Logging out ends the session on the server, not only in the browser."""
        someone = await person()
        assert (await someone.http.post(f"{V1}/auth/logout")).status_code == 204
        assert code_of(await someone.http.get(f"{V1}/users/me")) == (401, "unauthorized")


class TestSession:
    async def test_nobody_is_an_answer_and_no_fault(self, nobody: httpx.AsyncClient) -> None:
        """Every page asks this first; a library that is open to everybody logs no error then."""
        answer = await nobody.get(f"{V1}/auth/session")
        assert answer.status_code == 200
        assert answer.json() == {
            "user": None,
            "impersonator_id": None,
            "owes_second_factor": False,
        }
        assert answer.headers["cache-control"] == "no-store"

    async def test_somebody_sees_themself(self, learner: Person) -> None:
        """The same account as at /users/me."""
        answer = (await learner.http.get(f"{V1}/auth/session")).json()
        assert answer["user"] == (await learner.http.get(f"{V1}/users/me")).json()


class TestMe:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """There is no profile without a person."""
        assert code_of(await nobody.get(f"{V1}/users/me")) == (401, "unauthorized")

    async def test_profile_has_no_secret(self, learner: Person) -> None:
        """S14: exactly the fields of the contract."""
        me = (await learner.http.get(f"{V1}/users/me")).json()
        fields = "id email email_verified name role status created_at updated_at version"
        assert set(me) == set(fields.split())

    async def test_name_changes_and_the_etag_guards_it(self, person: MakePerson) -> None:
        """If-Match of an older version is 412; without it the change goes through."""
        someone = await person()
        before = (await someone.http.get(f"{V1}/users/me")).headers["etag"]
        guarded = {"if-match": before}
        answer = await someone.http.put(f"{V1}/users/me", json={"name": "New"}, headers=guarded)
        assert answer.json()["name"] == "New"
        stale = await someone.http.put(f"{V1}/users/me", json={"name": "Old"}, headers=guarded)
        assert code_of(stale) == (412, "precondition-failed")
        idle = await someone.http.put(f"{V1}/users/me", json={}, headers=guarded)
        assert code_of(idle) == (412, "precondition-failed")
        assert (await someone.http.put(f"{V1}/users/me", json={"name": None})).json()[
            "name"
        ] is None

    async def test_any_version_may_be_named(self, learner: Person) -> None:
        """A number that no row reaches is stale like any other, never a 500."""
        headers = {"if-match": f'"{"9" * 18}"'}
        answer = await learner.http.put(f"{V1}/users/me", json={"name": "New"}, headers=headers)
        assert code_of(answer) == (412, "precondition-failed")

    @pytest.mark.parametrize("named", ["", '""', 'W/""', '"', "W/", '"1", "2"', "*, *", "x"])
    async def test_an_if_match_that_names_no_version_is_refused(
        self, learner: Person, named: str
    ) -> None:
        """Whoever sends the header wants a guard: an empty one changes nothing."""
        before = (await learner.http.get(f"{V1}/users/me")).json()
        headers = {"if-match": named}
        answer = await learner.http.put(f"{V1}/users/me", json={"name": "New"}, headers=headers)
        assert code_of(answer) == (400, "invalid-input")
        assert (await learner.http.get(f"{V1}/users/me")).json() == before

    async def test_unchanged_profile_is_304(self, learner: Person) -> None:
        """If-None-Match saves the body."""
        tag = (await learner.http.get(f"{V1}/users/me")).headers["etag"]
        again = await learner.http.get(f"{V1}/users/me", headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
