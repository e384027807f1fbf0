"""What mail has to do with second factors: owners are told, and mailboxes cannot go around them."""

import httpx
import pytest

from app.kit.ids import new_id
from app.kit.principal import Role
from tests.support.authenticator import Authenticator
from tests.support.factors import V1, Enrolled, enrol, first_step, second_step, step_token
from tests.support.house import MakePerson, Person, Served
from tests.support.mailbox import Mailbox
from tests.support.mailed import (
    CHANGE,
    MAGIC,
    NEW_PASSWORD,
    RESET,
    SIGNUP,
    VERIFY,
    ask,
    new_email,
)
from tests.support.passkeys import add

ADDED = "Your two-step sign-in has changed"
FACTOR_TABLES = ("totp_secrets", "passkeys", "recovery_codes")
REMOVED = "A second step of your sign-in was removed"


@pytest.fixture
async def enrolled(served: Served, nobody: httpx.AsyncClient, person: MakePerson) -> Enrolled:
    """A new person with an authenticator app."""
    return await enrol(served, nobody, await person())


async def subjects(mailbox: Mailbox, person: Person) -> list[str]:
    """What came, the oldest first."""
    return [mail.subject for mail in reversed(await mailbox.to(person.email))]


class TestOwnerIsTold:
    async def test_v6_3_7_app_added_and_removed(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, enrolled: Enrolled
    ) -> None:
        """Each change of a factor is a mail."""
        await nobody.post(f"{V1}/auth/recovery-codes", headers=enrolled.headers)
        await nobody.delete(f"{V1}/auth/totp", headers=enrolled.headers)
        assert await subjects(mailbox, enrolled.person) == [ADDED, ADDED, REMOVED]

    async def test_v6_3_7_passkey_added_and_removed(
        self, served: Served, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """Of passkeys as well."""
        someone = await person()
        answer = await add(someone, Authenticator(served.url))
        await someone.http.delete(f"{V1}/auth/passkeys/{answer.json()['passkey']['id']}")
        assert await subjects(mailbox, someone) == [ADDED, REMOVED]

    async def test_v6_3_7_reset_by_an_admin(
        self, mailbox: Mailbox, enrolled: Enrolled, person: MakePerson
    ) -> None:
        """Whoever the admin is, the owner hears of it."""
        admin = await person(Role.ADMIN)
        await admin.http.post(f"{V1}/users/{enrolled.person.id}/factors/reset")
        assert (await subjects(mailbox, enrolled.person))[1:] == ["Your two-step sign-in was reset"]

    async def test_recovery_code_used(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, enrolled: Enrolled
    ) -> None:
        """The code that somebody found is worth one mail."""
        token = await step_token(nobody, enrolled.person)
        await second_step(nobody, token, "recovery", code=enrolled.recovery_codes[0])
        assert (await subjects(mailbox, enrolled.person))[1:] == ["A recovery code was used"]


class TestMailbox:
    async def test_new_password_does_not_go_around_the_second_step(
        self, nobody: httpx.AsyncClient, mailbox: Mailbox, enrolled: Enrolled
    ) -> None:
        """Whoever has the mailbox has one proof, not two."""
        email = enrolled.person.email
        await ask(nobody, RESET, email)
        body = {"token": await mailbox.token(email, "/reset"), "password": NEW_PASSWORD}
        assert (await nobody.post(RESET, json=body)).is_success
        form = {"email": email, "password": NEW_PASSWORD}
        answer = await nobody.post(f"{V1}/auth/login", json=form)
        assert answer.json().keys() == {"second_factor"}

    async def test_thief_s_factors_go_with_the_undone_address(
        self, served: Served, nobody: httpx.AsyncClient, mailbox: Mailbox, person: MakePerson
    ) -> None:
        """What was set up after the account was moved neither opens it nor keeps its owner out."""
        someone, thief = await person(), new_email()
        await someone.http.post(CHANGE, json={"email": thief})
        await someone.http.post(VERIFY, json={"token": await mailbox.token(thief, "/verify")})
        await add(someone, Authenticator(served.url))
        await enrol(served, nobody, someone)
        await leave_other_ways_in(served, someone)
        undo = await mailbox.token(someone.email, "/verify")
        assert (await nobody.post(VERIFY, json={"token": undo})).json()["done"] == "restored"
        assert await factors_of(served, someone) == (0, 0, 0)
        assert await other_ways_in(served, someone) == 0

    async def test_owner_s_factors_stay_when_the_address_is_undone(
        self,
        served: Served,
        nobody: httpx.AsyncClient,
        mailbox: Mailbox,
        enrolled: Enrolled,
    ) -> None:
        """Else whoever finds an old mailbox would get around them; codes may be the thief's, and of
        the other ways in an API key goes while a linked account stays."""
        owner, thief = enrolled.person, new_email()
        await leave_other_ways_in(served, owner)
        await nobody.post(CHANGE, json={"email": thief}, headers=enrolled.headers)
        move = {"token": await mailbox.token(thief, "/verify")}
        await nobody.post(VERIFY, json=move, headers=enrolled.headers)
        await nobody.post(f"{V1}/auth/recovery-codes", headers=enrolled.headers)
        undo = await mailbox.token(owner.email, "/verify")
        assert (await nobody.post(VERIFY, json={"token": undo})).json()["done"] == "restored"
        assert await factors_of(served, owner) == (1, 0, 0)
        assert await other_ways_in(served, owner) == 1

    @pytest.mark.parametrize(("way", "page"), [(RESET, "/reset"), (MAGIC, "/sign-in")])
    async def test_stranger_s_factors_go_with_the_first_proof_of_the_mailbox(
        self, served: Served, nobody: httpx.AsyncClient, mailbox: Mailbox, way: str, page: str
    ) -> None:
        """Whoever signs up with another's address and waits keeps nothing once its owner comes."""
        email = new_email()
        form = {"email": email, "password": NEW_PASSWORD}
        await nobody.post(SIGNUP, json=form)
        login = await nobody.post(f"{V1}/auth/login", json=form | {"transport": "bearer"})
        headers = {"authorization": f"Bearer {login.json()['token']}"}
        async with httpx.AsyncClient(base_url=served.url, headers=headers) as http:
            user_id = login.json()["user"]["id"]
            stranger = Person(user_id, email, Role.USER, login.json()["token"], http)
            await add(stranger, Authenticator(served.url))
            await leave_other_ways_in(served, stranger)
        await ask(nobody, way, email)
        body = {"token": await mailbox.token(email, page)}
        if way == RESET:
            body["password"] = "the owner's own password"
        assert (await nobody.post(way, json=body)).is_success
        assert await factors_of(served, stranger) == (0, 0, 0)
        assert await other_ways_in(served, stranger) == 0


async def factors_of(served: Served, person: Person) -> tuple[int, int, int]:
    """How many apps, passkeys and recovery codes somebody has."""
    counts = [
        await served.house.db.fetchval(
            f"SELECT count(*) FROM {table} WHERE user_id = $1", person.id
        )
        for table in ("totp_secrets", "passkeys", "recovery_codes")
    ]
    return (counts[0], counts[1], counts[2])


async def leave_other_ways_in(served: Served, person: Person) -> None:
    """An API key, and an account at another provider."""
    await served.house.db.execute(
        """
        WITH made AS (
            INSERT INTO identities (id, user_id, provider, subject)
            VALUES ($2 || '', $1, 'elsewhere', $2)
        )
        INSERT INTO api_keys (id, user_id, name, hint, token_hash, scopes)
        VALUES ($2, $1, 'Key', 'sic_', convert_to($2, 'UTF8'), '{chat:use}')
        """,
        person.id,
        new_id(),
    )


async def other_ways_in(served: Served, person: Person) -> int:
    """How many of them are left."""
    query = """
        SELECT (SELECT count(*) FROM identities WHERE user_id = $1)
            + (SELECT count(*) FROM api_keys WHERE user_id = $1)
    """
    left: int = await served.house.db.fetchval(query, person.id)
    return left


async def test_first_step_is_still_one_for_others(
    nobody: httpx.AsyncClient, person: MakePerson
) -> None:
    """Without a factor a password is enough."""
    assert "token" in (await first_step(nobody, await person())).json()
