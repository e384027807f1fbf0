"""Linking and unlinking accounts at other providers, from one's own account."""

from collections.abc import AsyncIterator

import pytest

from app.http.sessions import COOKIE_NAME
from app.settings import Settings
from tests.support.factors import make_stale
from tests.support.house import MakePerson, Served, serve, with_settings
from tests.support.linking import IDENTITIES, actions_on, arrive, link, links_of, signed_in
from tests.support.mailbox import Mailbox
from tests.support.scripted_idp import ScriptedOidc
from tests.support.traveller import Traveller


@pytest.fixture(scope="module")
async def house(settings: Settings, script: ScriptedOidc) -> AsyncIterator[Served]:
    """The app with that provider under two names."""
    providers = (script.setting(), script.setting("second"))
    async with serve(with_settings(settings, oidc_providers=providers)) as running:
        yield running


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
