"""What is left of an account that its owner takes back: by a new password, by undoing a move."""

from typing import Any

import httpx

from tests.support.factors import enrol
from tests.support.house import PASSWORD, MakePerson, Person, Served
from tests.support.mailbox import Mailbox
from tests.support.mailed import CHANGE, NEW_PASSWORD, RESET, V1, VERIFY, ask, new_email

TALKS, KEYS = f"{V1}/chat/conversations", f"{V1}/auth/api-keys"
LINK = """
INSERT INTO identities (id, user_id, provider, subject, created_at)
VALUES ($1, $2, 'google', $1, now() + make_interval(secs => $3::float8))
"""


async def key_of(person: Person) -> dict[str, str]:
    """The headers of a program with a new key of this person."""
    form = {"name": "Script", "scopes": ["chat:use"]}
    made = (await person.http.post(KEYS, json=form)).raise_for_status().json()
    return {"authorization": f"Bearer {made['key']}"}


def bearer(person: Person) -> dict[str, str]:
    """The headers of the session that this person began with."""
    return {"authorization": f"Bearer {person.token}"}


async def moved(nobody: httpx.AsyncClient, mailbox: Mailbox, headers: dict[str, str]) -> None:
    """The account of this session goes to another mailbox."""
    thief = new_email()
    (await nobody.post(CHANGE, json={"email": thief}, headers=headers)).raise_for_status()
    token = await mailbox.token(thief, "/verify")
    (await nobody.post(VERIFY, json={"token": token}, headers=headers)).raise_for_status()


async def taken_back(nobody: httpx.AsyncClient, mailbox: Mailbox, person: Person) -> Any:
    """What the first mailbox is answered when it undoes that."""
    token = await mailbox.token(person.email, "/verify")
    return (await nobody.post(VERIFY, json={"token": token})).raise_for_status().json()


class TestResetByMail:
    async def test_v7_4_3_api_keys_end(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """A reset is how an account is taken from a thief, who may have made a key; the mails
        before and after it say so."""
        someone = await person()
        program = await key_of(someone)
        await ask(nobody, RESET, someone.email)
        assert "API keys end" in (await mailbox.newest(someone.email)).text
        token = await mailbox.token(someone.email, "/reset")
        assert (await nobody.get(TALKS, headers=program)).status_code == 200
        await nobody.post(RESET, json={"token": token, "password": NEW_PASSWORD})
        assert (await nobody.get(TALKS, headers=program)).status_code == 401
        assert "all API keys have ended" in (await mailbox.newest(someone.email)).text

    async def test_change_of_a_known_password_leaves_them(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Who knows the password has lost nothing; programs go on, and the mail says where to end
        them."""
        someone = await person()
        program = await key_of(someone)
        form = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        (await someone.http.put(f"{V1}/auth/password", json=form)).raise_for_status()
        assert (await nobody.get(TALKS, headers=program)).status_code == 200
        assert "API keys go on working" in (await mailbox.newest(someone.email)).text


class TestUndoneMove:
    async def test_api_keys_end_whenever_they_were_made(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """A thief who had a session makes a key first and moves the account then."""
        someone = await person()
        program = await key_of(someone)
        await moved(nobody, mailbox, bearer(someone))
        assert (await taken_back(nobody, mailbox, someone))["done"] == "restored"
        assert (await nobody.get(TALKS, headers=program)).status_code == 401

    async def test_owner_is_told_what_stays(
        self, served: Served, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Ways in from before the move stay, for the mailbox alone does not go around them; page
        and mail say which, and not those of after it."""
        someone = await person()
        session = (await enrol(served, nobody, someone)).headers
        db, before, after = served.house.db, f"b{someone.id}", f"a{someone.id}"
        await db.execute(LINK, before, someone.id, 0)
        await moved(nobody, mailbox, session)
        await db.execute(LINK, after, someone.id, 60)
        answer = await taken_back(nobody, mailbox, someone)
        kept = [(way["kind"], way["name"]) for way in answer["kept"]]
        assert kept == [("totp", ""), ("identity", "google")]
        mail = await mailbox.newest(someone.email)
        assert mail.subject == "Your account is back"
        assert "Authenticator app: 1. Passkeys: 0. Linked accounts: 1." in mail.text
        assert "/account" in mail.text
        assert await mailbox.token(someone.email, "/reset")

    async def test_confirmation_of_an_address_keeps_quiet(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Only the mailbox that an account comes back to is told how it is secured."""
        someone, email = await person(), new_email()
        await someone.http.post(CHANGE, json={"email": email})
        token = await mailbox.token(email, "/verify")
        answer = await nobody.post(VERIFY, json={"token": token}, headers=bearer(someone))
        assert answer.json() == {"done": "changed", "kept": []}
