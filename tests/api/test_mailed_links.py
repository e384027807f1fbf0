"""The doors that mail opens: confirming an address, and garbage at every door."""

import asyncio

import httpx
import pytest

from tests.support.house import PASSWORD, MakePerson, Served, serve, with_settings
from tests.support.mailbox import Mailbox
from tests.support.mailed import (
    LOGIN,
    MAGIC,
    NEW_PASSWORD,
    RESET,
    SIGNUP,
    UNUSABLE,
    VERIFY,
    ask,
    new_email,
    profile,
    signed_up,
)
from tests.support.problems import code_of


class TestVerify:
    async def test_link_confirms_and_signs_nobody_in(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """Sign up, read the mail, confirm; the answer sets no cookie."""
        email = await signed_up(nobody)
        assert (await profile(nobody, email))["email_verified"] is False
        token = await mailbox.token(email, "/verify")
        answer = await nobody.post(VERIFY, json={"token": token, "password": PASSWORD})
        assert (answer.status_code, answer.json()["done"]) == (200, "confirmed")
        assert "set-cookie" not in answer.headers
        assert (await profile(nobody, email))["email_verified"] is True

    async def test_v6_3_single_use(self, nobody: httpx.AsyncClient, mailbox: Mailbox) -> None:
        """A link works once, also when it is used twice at the same moment."""
        email = await signed_up(nobody)
        body = {"token": await mailbox.token(email, "/verify"), "password": PASSWORD}
        answers = await asyncio.gather(*(nobody.post(VERIFY, json=body) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
        assert code_of(await nobody.post(VERIFY, json=body)) == UNUSABLE

    async def test_asking_again_replaces_the_link(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """Only the newest mail counts."""
        email = await signed_up(nobody)
        first = await mailbox.token(email, "/verify")
        await ask(nobody, VERIFY, email)
        second = await mailbox.token(email, "/verify")
        assert code_of(await nobody.post(VERIFY, json={"token": first})) == UNUSABLE
        form = {"token": second, "password": PASSWORD}
        assert (await nobody.post(VERIFY, json=form)).status_code == 200

    async def test_confirmed_address_gets_no_second_mail(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """There is nothing to confirm any more."""
        someone = await person()
        before = len(await mailbox.to(someone.email))
        await ask(nobody, VERIFY, someone.email)
        assert len(await mailbox.to(someone.email)) == before

    async def test_expired_link(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, served: Served
    ) -> None:
        """After its end a link is worth nothing, and is forgotten."""
        email = await signed_up(nobody)
        token = await mailbox.token(email, "/verify")
        past = "UPDATE mail_tokens SET expires_at = now() - interval '1 s' WHERE email = $1"
        await served.house.db.execute(past, email)
        assert code_of(await nobody.post(VERIFY, json={"token": token})) == UNUSABLE
        await served.house.letterbox.trim()
        left = "SELECT count(*) FROM mail_tokens WHERE email = $1"
        assert await served.house.db.fetchval(left, email) == 0

    async def test_link_for_one_door_opens_no_other(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """A link to confirm signs nobody in, one to sign in confirms nothing and sets no password;
        trying does not use it up."""
        email = await signed_up(nobody)
        token = await mailbox.token(email, "/verify")
        assert code_of(await nobody.post(MAGIC, json={"token": token})) == UNUSABLE
        form = {"token": token, "password": PASSWORD}
        assert (await nobody.post(VERIFY, json=form)).status_code == 200
        await ask(nobody, MAGIC, email)
        token = await mailbox.token(email, "/sign-in")
        form = {"token": token, "password": NEW_PASSWORD}
        assert code_of(await nobody.post(RESET, json=form)) == UNUSABLE
        assert code_of(await nobody.post(VERIFY, json=form)) == UNUSABLE
        assert (await nobody.post(MAGIC, json={"token": token})).status_code == 200

    async def test_link_is_bound_to_its_address(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, served: Served
    ) -> None:
        """An account that has moved is not confirmed by the mail to its former address."""
        email = await signed_up(nobody)
        token = await mailbox.token(email, "/verify")
        await served.house.db.execute(
            "UPDATE users SET email = $2 WHERE email = $1", email, new_email()
        )
        assert code_of(await nobody.post(VERIFY, json={"token": token})) == UNUSABLE


@pytest.mark.parametrize("door", [VERIFY, RESET, MAGIC])
@pytest.mark.parametrize(
    "token", ["garbage", "A" * 43, "пароль", "💌", "' OR 1=1 --", "../../etc/passwd"]
)
async def test_garbage_token_is_one_clear_error(
    nobody: httpx.AsyncClient, door: str, token: str
) -> None:
    """Whatever comes, it is a link that cannot be used."""
    body = {"token": token} | ({"password": NEW_PASSWORD} if door == RESET else {})
    assert code_of(await nobody.post(door, json=body)) == UNUSABLE


@pytest.mark.parametrize("door", [VERIFY, RESET, MAGIC])
@pytest.mark.parametrize("token", ["", "x" * 4096, "nul\x00", 7, None])
async def test_token_that_is_none_is_invalid_input(
    nobody: httpx.AsyncClient, door: str, token: object
) -> None:
    """Empty, huge and foreign values are refused before anything is looked up."""
    body = {"token": token} | ({"password": NEW_PASSWORD} if door == RESET else {})
    assert code_of(await nobody.post(door, json=body)) == (400, "invalid-input")


@pytest.mark.parametrize("door", [VERIFY, RESET, MAGIC])
@pytest.mark.parametrize("email", ["nobody", "x" * 4096 + "@example.org", "a\r\nBcc: x@y.z@a.b"])
async def test_bad_address_is_refused(nobody: httpx.AsyncClient, door: str, email: str) -> None:
    """Asking needs an address of a known form; a header cannot travel in it."""
    answer = await nobody.post(f"{door}/send", json={"email": email})
    assert code_of(answer) == (400, "invalid-input")


class TestWhereMailMustBeVerified:
    async def test_whole_way_in(self, served: Served, mailbox: Mailbox) -> None:
        """202 for everybody; the login waits for the link; then the password opens."""
        strict = with_settings(served.settings, require_verified_email=True)
        email = new_email()
        form = {"email": email, "password": PASSWORD}
        async with serve(strict) as app, httpx.AsyncClient(base_url=app.url) as client:
            assert (await client.post(SIGNUP, json=form)).status_code == 202
            token = await mailbox.token(email, "/verify")
            assert code_of(await client.post(LOGIN, json=form)) == (401, "wrong-credentials")
            await client.post(VERIFY, json={"token": token, "password": PASSWORD})
            await profile(client, email)

    async def test_taken_address_is_told_by_mail_only(
        self, served: Served, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """The owner hears of it; the password of whoever tried counts for nothing."""
        someone = await person()
        strict = with_settings(served.settings, require_verified_email=True)
        form = {"email": someone.email, "password": NEW_PASSWORD}
        async with serve(strict) as app, httpx.AsyncClient(base_url=app.url) as client:
            answer = await client.post(SIGNUP, json=form)
            assert (answer.status_code, answer.json()) == (202, {})
            assert (await mailbox.newest(someone.email)).subject == "You have an account already"
            assert (await client.post(LOGIN, json=form)).status_code == 401

    async def test_link_to_sign_in_confirms_too(self, served: Served, mailbox: Mailbox) -> None:
        """Whoever reads the mail has the mailbox: there is nothing more to confirm."""
        strict = with_settings(served.settings, require_verified_email=True)
        email = new_email()
        async with serve(strict) as app, httpx.AsyncClient(base_url=app.url) as client:
            await client.post(SIGNUP, json={"email": email, "password": PASSWORD})
            await mailbox.token(email, "/verify")
            await ask(client, MAGIC, email)
            token = await mailbox.token(email, "/sign-in")
            answer = await client.post(MAGIC, json={"token": token})
            assert answer.json()["user"]["email_verified"] is True


async def test_mail_speaks_the_language_of_the_request(
    nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
) -> None:
    """Accept-Language decides; a notice without a request uses the language of the sign-up."""
    email = new_email()
    indonesian = {"accept-language": "id-ID,id;q=0.9,en;q=0.8"}
    form = {"email": email, "password": PASSWORD}
    await nobody.post(SIGNUP, json=form, headers=indonesian)
    assert (await mailbox.newest(email)).subject == "Konfirmasikan alamat Anda"
    await ask(nobody, RESET, email)
    assert (await mailbox.newest(email)).subject == "Set a new password"
    body = {"token": await mailbox.token(email, "/reset"), "password": NEW_PASSWORD}
    await nobody.post(RESET, json=body)
    assert (await mailbox.newest(email)).subject == "Kata sandi Anda diubah"
