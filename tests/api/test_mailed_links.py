"""The doors that mail opens: confirming, resetting, signing in, and another address."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from tests.support.house import PASSWORD, MakePerson, Person, Served, serve, with_settings
from tests.support.mailbox import Mailbox

V1 = "/api/v1"
VERIFY, RESET, MAGIC = (
    f"{V1}/auth/verify-email",
    f"{V1}/auth/password-reset",
    f"{V1}/auth/magic-link",
)
LOGIN, SIGNUP, ME, CHANGE = (
    f"{V1}/auth/login",
    f"{V1}/auth/signup",
    f"{V1}/users/me",
    f"{V1}/users/me/email",
)
NEW_PASSWORD = "another-horse-battery"
UNUSABLE = (400, "link-unusable")


def new_email() -> str:
    """An address that nobody has."""
    return f"{uuid4().hex[:12]}@example.org"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and stable code of a problem document."""
    return answer.status_code, answer.json()["code"]


async def signed_up(nobody: httpx.AsyncClient) -> str:
    """The address of somebody who has not confirmed it."""
    email = new_email()
    answer = await nobody.post(SIGNUP, json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201
    return email


async def profile(
    client: httpx.AsyncClient, email: str, password: str = PASSWORD
) -> dict[str, object]:
    """The account after a sign-in with the password."""
    answer = await client.post(LOGIN, json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    user: dict[str, object] = answer.json()["user"]
    return user


async def ask(client: httpx.AsyncClient, address: str, email: str) -> None:
    """Ask for a mail."""
    answer = await client.post(f"{address}/send", json={"email": email})
    assert (answer.status_code, answer.json()) == (202, {})


class TestVerify:
    async def test_link_confirms_and_signs_nobody_in(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """Sign up, read the mail, confirm; the answer sets no cookie."""
        email = await signed_up(nobody)
        assert (await profile(nobody, email))["email_verified"] is False
        token = await mailbox.token(email, "/verify")
        answer = await nobody.post(VERIFY, json={"token": token})
        assert (answer.status_code, answer.json()) == (200, {"done": "confirmed"})
        assert "set-cookie" not in answer.headers
        assert (await profile(nobody, email))["email_verified"] is True

    async def test_v6_3_single_use(self, nobody: httpx.AsyncClient, mailbox: Mailbox) -> None:
        """A link works once, also when it is used twice at the same moment."""
        email = await signed_up(nobody)
        body = {"token": await mailbox.token(email, "/verify")}
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
        assert (await nobody.post(VERIFY, json={"token": second})).status_code == 200

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
        """A link to confirm neither sets a password nor signs in; trying does not use it up."""
        email = await signed_up(nobody)
        token = await mailbox.token(email, "/verify")
        reset = await nobody.post(RESET, json={"token": token, "password": NEW_PASSWORD})
        assert code_of(reset) == UNUSABLE
        assert code_of(await nobody.post(MAGIC, json={"token": token})) == UNUSABLE
        assert (await nobody.post(VERIFY, json={"token": token})).status_code == 200

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


class TestReset:
    async def test_v6_4_3_reset_ends_everything_and_tells_the_owner(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """The old password and all sessions end; the answer itself signs nobody in."""
        someone = await person()
        await ask(nobody, RESET, someone.email)
        body = {"token": await mailbox.token(someone.email, "/reset"), "password": NEW_PASSWORD}
        answer = await nobody.post(RESET, json=body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "set-cookie" not in answer.headers
        assert (await someone.http.get(ME)).status_code == 401
        old = await nobody.post(LOGIN, json={"email": someone.email, "password": PASSWORD})
        assert code_of(old) == (401, "wrong-credentials")
        await profile(nobody, someone.email, NEW_PASSWORD)
        notice = await mailbox.newest(someone.email)
        assert notice.subject == "Your password was changed"
        assert NEW_PASSWORD not in notice.text
        assert code_of(await nobody.post(RESET, json=body)) == UNUSABLE

    async def test_reset_confirms_the_address(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """Whoever read the mail has the mailbox."""
        email = await signed_up(nobody)
        await ask(nobody, RESET, email)
        body = {"token": await mailbox.token(email, "/reset"), "password": NEW_PASSWORD}
        await nobody.post(RESET, json=body)
        assert (await profile(nobody, email, NEW_PASSWORD))["email_verified"] is True

    async def test_s6_owner_of_an_attacked_account_gets_in(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """After many wrong guesses the login waits; a reset lets its owner in at once."""
        someone = await person()
        wrong = {"email": someone.email, "password": "wrong-password"}
        answers = [await nobody.post(LOGIN, json=wrong) for _ in range(8)]
        assert answers[-1].status_code == 429
        await ask(nobody, RESET, someone.email)
        body = {"token": await mailbox.token(someone.email, "/reset"), "password": NEW_PASSWORD}
        await nobody.post(RESET, json=body)
        await profile(nobody, someone.email, NEW_PASSWORD)

    async def test_weak_password_does_not_use_the_link_up(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """The person tries another password with the same mail."""
        someone = await person()
        await ask(nobody, RESET, someone.email)
        token = await mailbox.token(someone.email, "/reset")
        for weak in ("password123", someone.email):
            answer = await nobody.post(RESET, json={"token": token, "password": weak})
            assert code_of(answer) == (400, "password-too-common")
        answer = await nobody.post(RESET, json={"token": token, "password": NEW_PASSWORD})
        assert answer.status_code == 204

    async def test_other_links_end_with_it(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """A thief's link to sign in or to move the account away is worth nothing afterwards."""
        someone, thief = await person(), new_email()
        await ask(nobody, MAGIC, someone.email)
        magic = await mailbox.token(someone.email, "/sign-in")
        await someone.http.post(CHANGE, json={"email": thief})
        move = await mailbox.token(thief, "/verify")
        await ask(nobody, RESET, someone.email)
        body = {"token": await mailbox.token(someone.email, "/reset"), "password": NEW_PASSWORD}
        assert (await nobody.post(RESET, json=body)).status_code == 204
        assert code_of(await nobody.post(MAGIC, json={"token": magic})) == UNUSABLE
        assert code_of(await nobody.post(VERIFY, json={"token": move})) == UNUSABLE

    async def test_any_password_is_taken(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Unicode and blanks are kept as they are; over the limit is a clear error (V6.2.8)."""
        someone, password = await person(), " päss 🦉\x00 wort " * 10
        await ask(nobody, RESET, someone.email)
        token = await mailbox.token(someone.email, "/reset")
        huge = await nobody.post(RESET, json={"token": token, "password": "x" * 4096})
        assert code_of(huge) == (400, "invalid-input")
        answer = await nobody.post(RESET, json={"token": token, "password": password})
        assert answer.status_code == 204
        await profile(nobody, someone.email, password)

    async def test_closed_account_gets_no_link(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson, admin: Person
    ) -> None:
        """A link from before does not open it either."""
        someone = await person()
        await ask(nobody, RESET, someone.email)
        token = await mailbox.token(someone.email, "/reset")
        await admin.http.post(f"{V1}/users/{someone.id}/deactivate", json={"reason": "spam"})
        before = len(await mailbox.to(someone.email))
        await ask(nobody, RESET, someone.email)
        assert len(await mailbox.to(someone.email)) == before
        body = {"token": token, "password": NEW_PASSWORD}
        assert code_of(await nobody.post(RESET, json=body)) == UNUSABLE

    async def test_reset_is_one_audit_row(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson, served: Served
    ) -> None:
        """What happened to the account stands in the chain."""
        someone = await person()
        await ask(nobody, RESET, someone.email)
        body = {"token": await mailbox.token(someone.email, "/reset"), "password": NEW_PASSWORD}
        await nobody.post(RESET, json=body)
        rows = await served.house.db.fetch(
            "SELECT action FROM audit_log WHERE target_type = 'user' AND target_id = $1",
            str(someone.id),
        )
        assert [row["action"] for row in rows] == ["user.password-reset"]


class TestSignIn:
    async def test_link_signs_in_once(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson, served: Served
    ) -> None:
        """A cookie for a browser; the session says that it was proved by mail."""
        someone = await person()
        await ask(nobody, MAGIC, someone.email)
        body = {"token": await mailbox.token(someone.email, "/sign-in")}
        answer = await nobody.post(MAGIC, json=body)
        assert answer.status_code == 200
        assert answer.json()["user"]["id"] == someone.id
        assert answer.headers["set-cookie"].startswith(f"{COOKIE_NAME}=")
        assert code_of(await nobody.post(MAGIC, json=body)) == UNUSABLE
        methods = await served.house.db.fetchval(
            "SELECT methods FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1", someone.id
        )
        assert methods == ["mail"]

    async def test_bearer_client_gets_the_token(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """As at the login."""
        someone = await person()
        await ask(nobody, MAGIC, someone.email)
        token = await mailbox.token(someone.email, "/sign-in")
        answer = await nobody.post(MAGIC, json={"token": token, "transport": "bearer"})
        assert "set-cookie" not in answer.headers
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        assert (await nobody.get(ME, headers=headers)).json()["id"] == someone.id

    async def test_stranger_who_signed_up_with_my_address_is_put_out(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        """Their password and their sessions end with the first proof of the mailbox."""
        email = new_email()
        squat = {"email": email, "password": PASSWORD}
        await nobody.post(SIGNUP, json=squat)
        waiting = (await nobody.post(LOGIN, json=squat | {"transport": "bearer"})).json()["token"]
        await ask(nobody, MAGIC, email)
        token = await mailbox.token(email, "/sign-in")
        answer = await nobody.post(MAGIC, json={"token": token})
        assert answer.json()["user"]["email_verified"] is True
        headers = {"authorization": f"Bearer {waiting}"}
        assert (await nobody.get(ME, headers=headers)).status_code == 401
        assert code_of(await nobody.post(LOGIN, json=squat)) == (401, "wrong-credentials")

    async def test_unknown_address_gets_neither_mail_nor_account(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, served: Served
    ) -> None:
        """Nobody can make us write to strangers."""
        email = new_email()
        for door in (MAGIC, RESET, VERIFY):
            await ask(nobody, door, email)
        assert await mailbox.to(email) == []
        found = "SELECT count(*) FROM users WHERE email = $1"
        assert await served.house.db.fetchval(found, email) == 0


class TestChangeEmail:
    async def test_nobody_logged_in(self, nobody: httpx.AsyncClient) -> None:
        """Only one's own address can be changed."""
        answer = await nobody.post(CHANGE, json={"email": new_email()})
        assert code_of(answer) == (401, "unauthorized")

    async def test_new_mailbox_confirms_and_the_old_one_is_told(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """The address stays until the new one has answered; both times the old one hears of it."""
        someone, address = await person(), new_email()
        answer = await someone.http.post(CHANGE, json={"email": address.upper()})
        assert (answer.status_code, answer.json()) == (202, {})
        asked = await mailbox.newest(someone.email)
        assert asked.subject == "Somebody wants to change your address"
        assert (await someone.http.get(ME)).json()["email"] == someone.email
        token = await mailbox.token(address, "/verify")
        answer = await nobody.post(VERIFY, json={"token": token})
        assert answer.json() == {"done": "changed"}
        me = (await someone.http.get(ME)).json()
        assert (me["email"], me["email_verified"]) == (address, True)
        assert (await mailbox.newest(someone.email)).subject == "Your address was changed"

    async def test_owner_of_the_old_mailbox_takes_the_account_back(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """A thief moves the account twice; the first mailbox undoes all of it."""
        someone, thief, again = await person(), new_email(), new_email()
        for address in (thief, again):
            await someone.http.post(CHANGE, json={"email": address})
            await nobody.post(VERIFY, json={"token": await mailbox.token(address, "/verify")})
        undo = await mailbox.token(someone.email, "/verify")
        answer = await nobody.post(VERIFY, json={"token": undo})
        assert answer.json() == {"done": "restored"}
        assert (await someone.http.get(ME)).status_code == 401
        body = {"token": await mailbox.token(someone.email, "/reset"), "password": NEW_PASSWORD}
        assert (await nobody.post(RESET, json=body)).status_code == 204
        await profile(nobody, someone.email, NEW_PASSWORD)
        for address in (thief, again):
            form = {"email": address, "password": PASSWORD}
            assert code_of(await nobody.post(LOGIN, json=form)) == (401, "wrong-credentials")

    async def test_taken_address_looks_like_a_free_one(
        self, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Its owner gets no link, only a hint; whoever asked learns nothing."""
        someone, other = await person(), await person()
        answer = await someone.http.post(CHANGE, json={"email": other.email})
        assert (answer.status_code, answer.json()) == (202, {})
        mail = await mailbox.newest(other.email)
        assert (mail.subject, "#token" in mail.text) == ("You have an account already", False)

    async def test_address_that_was_taken_meanwhile(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Two may wait for the same address; the second is told, and keeps the link's mailbox."""
        someone, address = await person(), new_email()
        await someone.http.post(CHANGE, json={"email": address})
        token = await mailbox.token(address, "/verify")
        await nobody.post(SIGNUP, json={"email": address, "password": PASSWORD})
        answer = await nobody.post(VERIFY, json={"token": token})
        assert code_of(answer) == (409, "email-taken")

    @pytest.mark.parametrize(
        "email",
        ["p\u0430ypal@example.org", "me@ex\u0430mple.org", "a,b@example.org", '"a"@example.org'],
    )
    async def test_look_alike_addresses_are_refused(
        self, nobody: httpx.AsyncClient, learner: Person, email: str
    ) -> None:
        """Mixed scripts (a Cyrillic letter among Latin ones) and signs that no address has."""
        answer = await learner.http.post(CHANGE, json={"email": email})
        assert code_of(answer) == (400, "deceptive-address")
        answer = await nobody.post(SIGNUP, json={"email": email, "password": PASSWORD})
        assert code_of(answer) == (400, "deceptive-address")

    async def test_reset_mail_goes_to_the_stored_address_only(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """U+212A folds into `k`: the typed address is another mailbox, and gets nothing."""
        name = f"kim{uuid4().hex[:8]}"
        await nobody.post(SIGNUP, json={"email": f"{name}@example.org", "password": PASSWORD})
        typed = f"\u212a{name[1:]}@example.org"
        await ask(nobody, RESET, typed)
        assert await mailbox.to(typed) == []
        assert (await mailbox.newest(f"{name}@example.org")).subject == "Set a new password"


class TestWhereMailMustBeVerified:
    async def test_whole_way_in(self, served: Served, mailbox: Mailbox) -> None:
        """202 for everybody; the login waits for the link; then the password opens."""
        strict = with_settings(served.settings, require_verified_email=True)
        email = new_email()
        form = {"email": email, "password": PASSWORD}
        async with serve(strict) as app, httpx.AsyncClient(base_url=app.url) as client:
            assert (await client.post(SIGNUP, json=form)).status_code == 202
            assert code_of(await client.post(LOGIN, json=form)) == (403, "email-not-verified")
            token = await mailbox.token(email, "/verify")
            await client.post(VERIFY, json={"token": token})
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
