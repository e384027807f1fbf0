"""Whose account another provider opens: by subject, by a confirmed address, and by nothing else."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.kit.principal import Role
from app.settings import Settings
from tests.support.house import MakePerson, Served, serve, with_settings
from tests.support.oidc_server import as_setting
from tests.support.traveller import Traveller


@pytest.fixture(scope="module")
async def house(settings: Settings, issuer: str) -> AsyncIterator[Served]:
    """The app that trusts it."""
    async with serve(with_settings(settings, oidc_providers=(as_setting(issuer),))) as running:
        yield running


async def test_confirmed_address_links_by_itself(
    browser: Traveller, person: MakePerson, house: Served
) -> None:
    """Confirmed on both sides: the same person, told by an entry in the audit log."""
    owner = await person()
    await browser.travel(await browser.depart("local"), owner.email)
    me = await browser.me()
    assert me is not None
    assert me["id"] == owner.id
    action = await house.house.db.fetchval(
        "SELECT action FROM audit_log WHERE target_type = 'user' AND target_id = $1",
        str(owner.id),
    )
    assert action == "user.identity-linked"


async def test_v6_8_1_unconfirmed_address_here_is_not_linked(
    browser: Traveller, nobody: httpx.AsyncClient
) -> None:
    """Whoever opened an account in somebody's name beforehand does not share it with them."""
    form = {"email": "squatted@example.org", "password": "a-squatter-s-password"}
    (await nobody.post("/api/v1/auth/signup", json=form)).raise_for_status()
    landed = await browser.travel(await browser.depart("local"), "squatted@example.org")
    assert landed.headers["location"] == "/login?error=link-by-sign-in"
    assert browser.session is None


@pytest.mark.parametrize("is_known", [True, False])
async def test_v6_3_8_unconfirmed_address_there_lets_nobody_in(
    browser: Traveller, person: MakePerson, is_known: bool
) -> None:
    """The answer does not tell whether the address has an account here."""
    email = (await person()).email if is_known else "unheard-of@example.org"
    landed = await browser.travel(await browser.depart("local"), f"?{email}")
    assert landed.headers["location"] == "/login?error=provider-email-unverified"


async def test_address_with_a_second_spelling_lets_nobody_in(browser: Traveller) -> None:
    """A domain in letters of its own is vouched for, but whose ASCII form it is nobody says."""
    landed = await browser.travel(await browser.depart("local"), "me@bücher.example")
    assert landed.headers["location"] == "/login?error=provider-email-unverified"


@pytest.mark.parametrize("letter", ["\u212a", "\uff4b", "\u043a"])
async def test_look_alike_address_is_somebody_else(
    browser: Traveller, person: MakePerson, house: Served, letter: str
) -> None:
    """The Kelvin sign, a wide and a Cyrillic k: none of them is the owner's address."""
    owner = await person(name="Kiki")
    await house.house.db.execute("DELETE FROM users WHERE email = 'kiki@example.org'")
    await house.house.db.execute(
        "UPDATE users SET email = 'kiki@example.org' WHERE id = $1", owner.id
    )
    await browser.travel(await browser.depart("local"), f"{letter}iki@example.org")
    me = await browser.me()
    assert me is None or me["id"] != owner.id


async def test_v7_4_2_closed_account_stays_closed(
    browser: Traveller, person: MakePerson, admin: object, house: Served
) -> None:
    """A provider's word does not open what an admin closed, nor is it linked."""
    owner = await person(Role.USER)
    await house.house.db.execute("UPDATE users SET deactivated_at = now() WHERE id = $1", owner.id)
    landed = await browser.travel(await browser.depart("local"), owner.email)
    assert landed.headers["location"] == "/login?error=account-deactivated"
    assert browser.session is None
    links = await house.house.db.fetchval(
        "SELECT count(*) FROM identities WHERE user_id = $1", owner.id
    )
    assert links == 0
