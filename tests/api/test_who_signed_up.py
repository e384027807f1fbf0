"""Whose password an account keeps when its address is confirmed: that of whoever reads the mail.

A stranger signs up with somebody's address and waits for its owner to press the button in the mail.
"""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.http.sessions import COOKIE_NAME, SIGN_UP_COOKIE
from app.kit.principal import Role
from tests.support.house import PASSWORD, MakePerson, Served, serve, with_settings
from tests.support.mailbox import Mailbox
from tests.support.mailed import (
    LOGIN,
    ME,
    NEW_PASSWORD,
    RESET,
    SIGNUP,
    UNUSABLE,
    V1,
    VERIFY,
    ask,
    new_email,
    profile,
    signed_up,
)
from tests.support.problems import code_of

NEEDED = (403, "password-needed")
TALKS, KEYS = f"{V1}/chat/conversations", f"{V1}/auth/api-keys"


@pytest.fixture(scope="module")
async def strict(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that wants verified addresses, as `serve` does."""
    settings = with_settings(served.settings, require_verified_email=True)
    async with serve(settings) as app, httpx.AsyncClient(base_url=app.url) as client:
        yield client


def cookie_from(answer: httpx.Response, name: str) -> dict[str, str]:
    """The headers of the browser that got this answer."""
    given = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(name))
    return {"cookie": given.partition(";")[0], "origin": str(answer.url.copy_with(path="/"))[:-1]}


class TestConfirming:
    async def test_stranger_s_password_does_not_count(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """The owner of the mailbox, who never signed up, presses the button: nothing is confirmed;
        the password that they set with the same link is the only one, and the stranger is out."""
        email = new_email()
        squat = {"email": email, "password": PASSWORD}
        await nobody.post(SIGNUP, json=squat)
        waiting = (await nobody.post(LOGIN, json=squat | {"transport": "bearer"})).json()["token"]
        token = await mailbox.token(email, "/verify")
        assert code_of(await nobody.post(VERIFY, json={"token": token})) == NEEDED
        assert (await profile(nobody, email))["email_verified"] is False
        body = {"token": token, "password": NEW_PASSWORD}
        assert (await nobody.post(RESET, json=body)).status_code == 204
        assert (await profile(nobody, email, NEW_PASSWORD))["email_verified"] is True
        assert code_of(await nobody.post(LOGIN, json=squat)) == (401, "wrong-credentials")
        headers = {"authorization": f"Bearer {waiting}"}
        assert (await nobody.get(ME, headers=headers)).status_code == 401
        assert code_of(await nobody.post(RESET, json=body)) == UNUSABLE

    async def test_session_of_the_account_is_enough(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """Whoever is signed in to it gave its password before: one click."""
        email = new_email()
        answer = await nobody.post(SIGNUP, json={"email": email, "password": PASSWORD})
        body = {"token": await mailbox.token(email, "/verify")}
        answer = await nobody.post(VERIFY, json=body, headers=cookie_from(answer, COOKIE_NAME))
        assert answer.json()["done"] == "confirmed"
        assert (await profile(nobody, email))["email_verified"] is True

    async def test_somebody_else_s_session_is_not(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """The owner of the mailbox may have another account here."""
        email = await signed_up(nobody)
        form = {"email": new_email(), "password": PASSWORD}
        mine = cookie_from(await nobody.post(SIGNUP, json=form), COOKIE_NAME)
        body = {"token": await mailbox.token(email, "/verify")}
        assert code_of(await nobody.post(VERIFY, json=body, headers=mine)) == NEEDED

    async def test_password_confirms_on_another_device(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """A wrong one is told and does not use the link up; the right one stays."""
        email = await signed_up(nobody)
        token = await mailbox.token(email, "/verify")
        wrong = await nobody.post(VERIFY, json={"token": token, "password": NEW_PASSWORD})
        assert code_of(wrong) == (403, "wrong-password")
        answer = await nobody.post(VERIFY, json={"token": token, "password": PASSWORD})
        assert answer.json()["done"] == "confirmed"
        assert (await profile(nobody, email))["email_verified"] is True

    async def test_v6_3_1_guesses_are_slowed_down(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """As at the login, of which this is a part."""
        email = await signed_up(nobody)
        body = {"token": await mailbox.token(email, "/verify"), "password": NEW_PASSWORD}
        answers = [await nobody.post(VERIFY, json=body) for _ in range(8)]
        assert code_of(answers[0]) == (403, "wrong-password")
        assert answers[-1].status_code == 429

    async def test_link_sets_no_password_once_the_address_is_confirmed(
        self, served: Served, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """It lives for days, where one to set a password lives for minutes."""
        email = await signed_up(nobody)
        token = await mailbox.token(email, "/verify")
        confirm = "UPDATE users SET email_verified_at = now() WHERE email = $1"
        await served.house.db.execute(confirm, email)
        body = {"token": token, "password": NEW_PASSWORD}
        assert code_of(await nobody.post(RESET, json=body)) == UNUSABLE
        assert (await nobody.post(VERIFY, json={"token": token})).json()["done"] == "confirmed"


class TestBrowserThatSignedUp:
    async def test_confirms_with_one_click_before_there_is_a_session(
        self, strict: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """It keeps a mark that lets nobody in."""
        email = new_email()
        answer = await strict.post(SIGNUP, json={"email": email, "password": PASSWORD})
        browser = cookie_from(answer, SIGN_UP_COOKIE)
        assert (await strict.get(ME, headers=browser)).status_code == 401
        body = {"token": await mailbox.token(email, "/verify")}
        assert code_of(await strict.post(VERIFY, json=body)) == NEEDED
        answer = await strict.post(VERIFY, json=body, headers=browser)
        assert answer.json()["done"] == "confirmed"

    @pytest.mark.parametrize("mark", ["another's", "a taken address's", "altered", "garbage"])
    async def test_any_other_mark_is_worth_nothing(
        self, strict: httpx.AsyncClient, mailbox: Mailbox, mark: str
    ) -> None:
        """Also that of the owner's own attempt, which came after the stranger's."""
        email = new_email()
        form = {"email": email, "password": PASSWORD}
        browser = cookie_from(await strict.post(SIGNUP, json=form), SIGN_UP_COOKIE)
        body = {"token": await mailbox.token(email, "/verify")}
        if mark == "another's":
            other = {"email": new_email(), "password": PASSWORD}
            browser = cookie_from(await strict.post(SIGNUP, json=other), SIGN_UP_COOKIE)
        elif mark == "a taken address's":
            again = {"email": email, "password": NEW_PASSWORD}
            browser = cookie_from(await strict.post(SIGNUP, json=again), SIGN_UP_COOKIE)
        elif mark == "altered":
            name, _, value = browser["cookie"].partition("=")
            browser["cookie"] = f"{name}={value[:30]}{'B' if value[30] == 'A' else 'A'}{value[31:]}"
        else:
            browser["cookie"] = f"{SIGN_UP_COOKIE}=%%%"
        assert code_of(await strict.post(VERIFY, json=body, headers=browser)) == NEEDED

    async def test_second_sign_up_in_it_leaves_the_first_to_its_password(
        self, strict: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """A browser keeps one mark, of its last sign-up: also of an impatient second try, which
        opens no account and changes no password."""
        email, other = new_email(), new_email()
        await strict.post(SIGNUP, json={"email": email, "password": PASSWORD})
        await mailbox.token(email, "/verify")
        await strict.post(SIGNUP, json={"email": other, "password": PASSWORD})
        link = {"token": await mailbox.token(other, "/verify")}
        again = {"email": email, "password": NEW_PASSWORD}
        browser = cookie_from(await strict.post(SIGNUP, json=again), SIGN_UP_COOKIE)
        assert (await mailbox.newest(email)).subject == "You have an account already"
        assert code_of(await strict.post(VERIFY, json=link, headers=browser)) == NEEDED
        await ask(strict, VERIFY, email)
        token = await mailbox.token(email, "/verify")
        for password, status in ((None, 403), (NEW_PASSWORD, 403), (PASSWORD, 200)):
            body = {"token": token, "password": password}
            answer = await strict.post(VERIFY, json=body, headers=browser)
            assert answer.status_code == status, password


class TestOperator:
    async def test_v6_3_4_stranger_gets_no_office_by_the_command_line(
        self, served: Served, nobody: httpx.AsyncClient
    ) -> None:
        """Somebody signs up with the address of the admin to be, and waits for the operator to give
        it the office: the operator's password counts, and nothing of theirs."""
        form = {"email": new_email(), "password": PASSWORD}
        there = cookie_from(await nobody.post(SIGNUP, json=form), COOKIE_NAME)
        key = {"name": "Script", "scopes": ["chat:use"]}
        made = (await nobody.post(KEYS, json=key, headers=there)).raise_for_status().json()
        accounts = served.house.accounts
        await accounts.ensure_account(form["email"], "Sari", NEW_PASSWORD, Role.ADMIN)
        assert code_of(await nobody.post(LOGIN, json=form)) == (401, "wrong-credentials")
        for headers in (there, {"authorization": f"Bearer {made['key']}"}):
            assert (await nobody.get(TALKS, headers=headers)).status_code == 401
        owner = await profile(nobody, form["email"], NEW_PASSWORD)
        assert (owner["role"], owner["email_verified"]) == ("admin", True)

    async def test_confirmed_account_keeps_its_password(
        self, served: Served, nobody: httpx.AsyncClient, person: MakePerson
    ) -> None:
        """Its owner is who they say; only the office is new."""
        someone = await person()
        await served.house.accounts.ensure_account(
            someone.email, "Sari", NEW_PASSWORD, Role.TEACHER
        )
        assert (await profile(nobody, someone.email))["role"] == "teacher"
