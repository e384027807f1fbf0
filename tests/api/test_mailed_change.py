"""Another address: confirmed by the new mailbox, undone by the old one."""

from uuid import uuid4

import httpx
import pytest

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
    VERIFY,
    ask,
    new_email,
    profile,
)
from tests.support.problems import code_of


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
        answer = await someone.http.post(VERIFY, json={"token": token})
        assert answer.json()["done"] == "changed"
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
            await someone.http.post(VERIFY, json={"token": await mailbox.token(address, "/verify")})
        undo = await mailbox.token(someone.email, "/verify")
        answer = await nobody.post(VERIFY, json={"token": undo})
        assert answer.json()["done"] == "restored"
        assert (await someone.http.get(ME)).status_code == 401
        body = {"token": await mailbox.token(someone.email, "/reset"), "password": NEW_PASSWORD}
        assert (await nobody.post(RESET, json=body)).status_code == 204
        await profile(nobody, someone.email, NEW_PASSWORD)
        for address in (thief, again):
            form = {"email": address, "password": PASSWORD}
            assert code_of(await nobody.post(LOGIN, json=form)) == (401, "wrong-credentials")

    async def test_thief_cannot_sign_up_what_the_owner_takes_back(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Who moved an account away and opens another at its former address has not won it."""
        someone, thief = await person(), new_email()
        await someone.http.post(CHANGE, json={"email": thief})
        await someone.http.post(VERIFY, json={"token": await mailbox.token(thief, "/verify")})
        form = {"email": someone.email, "password": NEW_PASSWORD}
        assert code_of(await nobody.post(SIGNUP, json=form)) == (409, "email-taken")
        undo = await mailbox.token(someone.email, "/verify")
        answer = await nobody.post(VERIFY, json={"token": undo})
        assert answer.json()["done"] == "restored"

    async def test_former_address_is_free_when_it_cannot_be_taken_back(
        self, served: Served, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """The way back ends with its link; then anybody may have the address."""
        someone, address = await person(), new_email()
        await someone.http.post(CHANGE, json={"email": address})
        await someone.http.post(VERIFY, json={"token": await mailbox.token(address, "/verify")})
        sql = "UPDATE mail_tokens SET expires_at = now() WHERE user_id = $1"
        await served.house.db.execute(sql, someone.id)
        form = {"email": someone.email, "password": NEW_PASSWORD}
        assert (await nobody.post(SIGNUP, json=form)).status_code == 201

    @pytest.mark.parametrize("door", [RESET, MAGIC])
    async def test_links_to_the_former_address_are_worth_nothing(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson, door: str
    ) -> None:
        """Whoever left a mailbox leaves its reader nothing but the way back."""
        someone, address = await person(), new_email()
        await ask(nobody, door, someone.email)
        token = await mailbox.token(someone.email, "/reset" if door == RESET else "/sign-in")
        await someone.http.post(CHANGE, json={"email": address})
        await someone.http.post(VERIFY, json={"token": await mailbox.token(address, "/verify")})
        body = {"token": token, **({"password": NEW_PASSWORD} if door == RESET else {})}
        assert code_of(await nobody.post(door, json=body)) == UNUSABLE

    async def test_v7_4_3_thief_s_request_ends_with_the_thief_s_session(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """A request that still waits when the password is reset mails nothing afterwards."""
        someone, thief = await person(), new_email()
        await ask(nobody, RESET, someone.email)
        token = await mailbox.token(someone.email, "/reset")
        await someone.http.post(CHANGE, json={"email": thief})
        body = {"token": token, "password": NEW_PASSWORD}
        assert (await nobody.post(RESET, json=body)).status_code == 204
        assert await mailbox.to(thief) == []

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
        answer = await someone.http.post(VERIFY, json={"token": token})
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

    @pytest.mark.parametrize("email", ["me@bücher.example", "я@почта.рф"])
    async def test_domain_has_one_spelling(
        self, nobody: httpx.AsyncClient, learner: Person, email: str
    ) -> None:
        """Else one mailbox would have two accounts, or two mailboxes one: in ASCII."""
        answer = await learner.http.post(CHANGE, json={"email": email})
        assert code_of(answer) == (400, "domain-not-ascii")
        assert answer.json()["errors"][0]["field"] == "email"
        answer = await nobody.post(SIGNUP, json={"email": email, "password": PASSWORD})
        assert code_of(answer) == (400, "domain-not-ascii")
        plain = f"{uuid4().hex[:8]}@{email.partition('@')[2].encode('idna').decode()}"
        answer = await nobody.post(SIGNUP, json={"email": plain, "password": PASSWORD})
        assert answer.status_code == 201

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
