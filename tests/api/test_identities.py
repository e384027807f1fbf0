"""Linking and unlinking accounts at other providers, from one's own account."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context
from typing import Any

import httpx
import pytest

from app.accounts.queries.identities import delete_identity
from app.accounts.queries.users import lock_user
from app.http.sessions import COOKIE_NAME
from app.settings import Settings
from tests.realtime.waiting import until
from tests.support.factors import make_stale
from tests.support.house import MakePerson, Person, Served, serve, with_settings
from tests.support.mailbox import Mailbox
from tests.support.scripted_idp import ScriptedOidc, listening
from tests.support.traveller import Traveller, query

IDENTITIES = "/api/v1/auth/identities"


@pytest.fixture(scope="module")
async def script() -> AsyncIterator[ScriptedOidc]:
    """A provider that says what a test wants."""
    script = ScriptedOidc()
    async with listening(script):
        yield script


@pytest.fixture(scope="module")
async def house(settings: Settings, script: ScriptedOidc) -> AsyncIterator[Served]:
    """The app with that provider under two names."""
    providers = (script.setting(), script.setting("second"))
    async with serve(with_settings(settings, oidc_providers=providers)) as running:
        yield running


@pytest.fixture
async def browser(house: Served) -> AsyncIterator[Traveller]:
    """A browser in which nobody is signed in."""
    async with httpx.AsyncClient() as http:
        yield Traveller(house.url, http)


def signed_in(browser: Traveller, who: Person) -> Traveller:
    """The same browser with somebody's session."""
    browser.own[COOKIE_NAME] = who.token
    return browser


async def arrive(
    browser: Traveller, script: ScriptedOidc, url: str, slug: str = "scripted", **claims: Any
) -> str:
    """Come back from the provider as somebody; where one lands."""
    wish = query(url)
    script.codes[wish["state"]] = script.token(wish["nonce"], **claims)
    path = f"/api/v1/auth/federated/{slug}/callback?code={wish['state']}&state={wish['state']}"
    return str((await browser.send("GET", path)).headers["location"])


async def link(
    browser: Traveller, script: ScriptedOidc, subject: str, slug: str = "scripted"
) -> str:
    """The whole way of linking; where one lands."""
    answer = await browser.send("POST", f"{IDENTITIES}/{slug}/link", json={})
    url = answer.raise_for_status().json()["url"]
    email = f"{subject}@elsewhere.example"
    return await arrive(browser, script, url, slug, sub=subject, email=email, email_verified=False)


async def links_of(browser: Traveller) -> list[dict[str, Any]]:
    """The list as its owner sees it."""
    items: list[dict[str, Any]] = (await browser.send("GET", IDENTITIES)).json()["items"]
    return items


async def actions_on(house: Served, user_id: int) -> list[str]:
    """What the audit log says of an account, in order."""
    rows = await house.house.db.fetch(
        "SELECT action FROM audit_log WHERE target_type = 'user' AND target_id = $1 ORDER BY id",
        str(user_id),
    )
    return [row["action"] for row in rows]


class TestLink:
    """`POST /auth/identities/<provider>/link`"""

    async def test_nobody_is_refused(self, browser: Traveller) -> None:
        """There is nothing to link to."""
        answer = await browser.send("POST", f"{IDENTITIES}/scripted/link", json={})
        assert answer.status_code == 401

    async def test_somebody_elses_identity_is_theirs(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc, house: Served
    ) -> None:
        """What lets one in cannot be taken by another."""
        owner, other = await person(), await person()
        await link(signed_in(browser, owner), script, "theirs")
        landed = await link(signed_in(browser, other), script, "theirs")
        assert landed == "/account?error=identity-taken"
        assert await links_of(browser) == []
        assert await actions_on(house, other.id) == []

    async def test_linked_identity_lets_its_owner_in(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc, house: Served
    ) -> None:
        """Whatever its address; one entry in the audit log."""
        owner = await person()
        landed = await link(signed_in(browser, owner), script, "mine")
        assert landed == "/account?linked=scripted"
        assert [(one["provider"], one["email"]) for one in await links_of(browser)] == [
            ("scripted", "mine@elsewhere.example")
        ]
        assert await actions_on(house, owner.id) == ["user.identity-linked"]
        browser.own.pop(COOKIE_NAME)
        url = await browser.depart("scripted")
        script.info = {"sub": "mine"}
        assert await arrive(browser, script, url, sub="mine", email=None) == "/"
        me = await browser.me()
        assert me is not None
        assert me["id"] == owner.id

    async def test_v6_3_7_owner_is_told_by_mail(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc, mailbox: Mailbox
    ) -> None:
        """Of a link and of its end, at their own address and not at the provider's."""
        owner = await person()
        await link(signed_in(browser, owner), script, "mailed")
        assert (await mailbox.newest(owner.email)).subject == "Scripted now lets you in"
        identity_id = (await links_of(browser))[0]["id"]
        await browser.send("DELETE", f"{IDENTITIES}/{identity_id}")
        assert (await mailbox.newest(owner.email)).subject == "Scripted no longer lets you in"
        assert await mailbox.to("mailed@elsewhere.example") == []

    async def test_again_is_no_fault(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc, house: Served
    ) -> None:
        """One link, one entry."""
        owner = await person()
        for _ in range(2):
            landed = await link(signed_in(browser, owner), script, "twice-mine")
            assert landed == "/account?linked=scripted"
        assert len(await links_of(browser)) == 1
        assert await actions_on(house, owner.id) == ["user.identity-linked"]

    async def test_another_session_does_not_get_the_link(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc
    ) -> None:
        """Somebody else signed in in between: the link would be theirs."""
        owner, other = await person(), await person()
        answer = await signed_in(browser, owner).send(
            "POST", f"{IDENTITIES}/scripted/link", json={}
        )
        url = answer.json()["url"]
        landed = await arrive(signed_in(browser, other), script, url, sub="between")
        assert landed == "/account?error=foreign-sign-in"
        assert await links_of(browser) == []

    async def test_after_signing_out_nothing_is_linked(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc
    ) -> None:
        """The journey ends with the session that began it."""
        owner = await person()
        answer = await signed_in(browser, owner).send(
            "POST", f"{IDENTITIES}/scripted/link", json={}
        )
        await browser.send("POST", "/api/v1/auth/logout", json={})
        browser.own.pop(COOKIE_NAME)
        landed = await arrive(browser, script, answer.json()["url"], sub="gone")
        assert landed == "/account?error=foreign-sign-in"
        assert browser.session is None

    async def test_unknown_provider_is_absent(self, browser: Traveller, person: MakePerson) -> None:
        """404, as for signing in."""
        answer = await signed_in(browser, await person()).send(
            "POST", f"{IDENTITIES}/absent/link", json={}
        )
        assert answer.status_code == 404

    async def test_v7_5_1_old_proof_is_asked_anew(
        self, browser: Traveller, person: MakePerson, house: Served
    ) -> None:
        """A browser that somebody left open adds no way in for a passer-by."""
        owner = await person()
        await make_stale(house, owner)
        answer = await signed_in(browser, owner).send(
            "POST", f"{IDENTITIES}/scripted/link", json={}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "fresh-proof-required")


class TestList:
    """`GET /auth/identities`"""

    async def test_nobody_is_refused(self, browser: Traveller) -> None:
        """Sign in first."""
        assert (await browser.send("GET", IDENTITIES)).status_code == 401

    async def test_only_ones_own(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc
    ) -> None:
        """Somebody else's links are not shown."""
        await link(signed_in(browser, await person()), script, "list-other")
        owner = await person()
        await link(signed_in(browser, owner), script, "list-mine")
        assert [one["email"] for one in await links_of(browser)] == ["list-mine@elsewhere.example"]


class TestUnlink:
    """`DELETE /auth/identities/<id>`"""

    async def test_nobody_is_refused(self, browser: Traveller) -> None:
        """Sign in first."""
        assert (await browser.send("DELETE", f"{IDENTITIES}/x")).status_code == 401

    async def test_somebody_elses_link_is_absent(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc
    ) -> None:
        """It stays, and the answer does not tell that it exists."""
        owner, other = await person(), await person()
        await link(signed_in(browser, owner), script, "not-yours")
        identity_id = (await links_of(browser))[0]["id"]
        answer = await signed_in(browser, other).send("DELETE", f"{IDENTITIES}/{identity_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert len(await links_of(signed_in(browser, owner))) == 1

    async def test_unlinked_identity_lets_nobody_in_here(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc, house: Served
    ) -> None:
        """One entry in the audit log; the identity may open an account of its own then."""
        owner = await person()
        await link(signed_in(browser, owner), script, "leaving")
        identity_id = (await links_of(browser))[0]["id"]
        answer = await browser.send("DELETE", f"{IDENTITIES}/{identity_id}")
        assert answer.status_code == 204
        assert (await actions_on(house, owner.id))[-1] == "user.identity-unlinked"
        browser.own.pop(COOKIE_NAME)
        url = await browser.depart("scripted")
        await arrive(browser, script, url, sub="leaving", email="leaving@elsewhere.example")
        me = await browser.me()
        assert me is not None
        assert me["id"] != owner.id

    async def test_v7_4_3_whoever_came_in_by_it_is_signed_out(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc, house: Served
    ) -> None:
        """Somebody else's link on one's account lets them stay no longer than the link."""
        owner = await person()
        await link(signed_in(browser, owner), script, "intruder")
        async with httpx.AsyncClient() as http:
            intruder = Traveller(house.url, http)
            url = await intruder.depart("scripted")
            assert await arrive(intruder, script, url, sub="intruder") == "/"
            assert await intruder.me() is not None
            identity_id = (await links_of(browser))[0]["id"]
            await browser.send("DELETE", f"{IDENTITIES}/{identity_id}")
            assert await intruder.me() is None
        assert await browser.me() is not None

    async def test_last_way_in_stays(
        self, browser: Traveller, script: ScriptedOidc, house: Served
    ) -> None:
        """An account without a password keeps one link."""
        url = await browser.depart("scripted")
        await arrive(browser, script, url, sub="only", email="only@elsewhere.example")
        first = (await links_of(browser))[0]["id"]
        answer = await browser.send("DELETE", f"{IDENTITIES}/{first}")
        assert (answer.status_code, answer.json()["code"]) == (409, "last-way-in")
        await link(browser, script, "only-second", "second")
        second = next(one["id"] for one in await links_of(browser) if one["id"] != first)
        assert (await browser.send("DELETE", f"{IDENTITIES}/{first}")).status_code == 204
        assert (await browser.send("DELETE", f"{IDENTITIES}/{second}")).status_code == 409

    async def test_two_at_once_leave_a_way_in(
        self, browser: Traveller, script: ScriptedOidc, house: Served
    ) -> None:
        """The second waits for the first, and sees what is left then."""
        url = await browser.depart("scripted")
        await arrive(browser, script, url, sub="race", email="race@elsewhere.example")
        await link(browser, script, "race-second", "second")
        first, second = [one["id"] for one in await links_of(browser)]
        me = await browser.me()
        assert me is not None
        async with house.house.db.transaction() as tx:
            await lock_user(tx, me["id"])
            cutting = asyncio.create_task(
                browser.send("DELETE", f"{IDENTITIES}/{second}"), context=Context()
            )
            await until(lambda: waits_or_is_done(house, cutting))
            await delete_identity(tx, me["id"], first)
        assert (await cutting).status_code == 409
        assert [one["id"] for one in await links_of(browser)] == [second]

    async def test_link_to_a_provider_that_went_is_no_way_in(
        self, browser: Traveller, script: ScriptedOidc, house: Served
    ) -> None:
        """The operator took it out of the settings: it does not count any more."""
        url = await browser.depart("scripted")
        await arrive(browser, script, url, sub="stays", email="stays@elsewhere.example")
        await link(browser, script, "went", "second")
        await house.house.db.execute(
            "UPDATE identities SET provider = 'closed' WHERE subject = 'went'"
        )
        keep = next(one["id"] for one in await links_of(browser) if one["provider"] == "scripted")
        answer = await browser.send("DELETE", f"{IDENTITIES}/{keep}")
        assert answer.json()["code"] == "last-way-in"

    async def test_v7_5_1_old_proof_is_asked_anew(
        self, browser: Traveller, person: MakePerson, script: ScriptedOidc, house: Served
    ) -> None:
        """As for linking."""
        owner = await person()
        await link(signed_in(browser, owner), script, "aged")
        identity_id = (await links_of(browser))[0]["id"]
        await make_stale(house, owner)
        answer = await browser.send("DELETE", f"{IDENTITIES}/{identity_id}")
        assert (answer.status_code, answer.json()["code"]) == (403, "fresh-proof-required")


async def waits_or_is_done(house: Served, task: asyncio.Task[Any]) -> bool:
    """Whether it stands before a lock, or did not care for any."""
    async with house.house.db.pool.acquire() as connection:
        waiting = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        )
    return task.done() or bool(waiting)
