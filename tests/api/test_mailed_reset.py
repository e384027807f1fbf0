"""A new password by mail, and signing in by mail."""

import httpx

from app.http.sessions import COOKIE_NAME
from tests.support.house import PASSWORD, MakePerson, Person, Served
from tests.support.mailbox import Mailbox
from tests.support.mailed import (
    CHANGE,
    LOGIN,
    MAGIC,
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
