"""Unlinking accounts at other providers: the owner's alone, and never the last way in."""

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
from tests.support.house import MakePerson, Served, serve, with_settings
from tests.support.linking import IDENTITIES, actions_on, arrive, link, links_of, signed_in
from tests.support.scripted_idp import ScriptedOidc
from tests.support.traveller import Traveller


@pytest.fixture(scope="module")
async def house(settings: Settings, script: ScriptedOidc) -> AsyncIterator[Served]:
    """The app with that provider under two names."""
    providers = (script.setting(), script.setting("second"))
    async with serve(with_settings(settings, oidc_providers=providers)) as running:
        yield running


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
