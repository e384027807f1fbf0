"""Signing in through a certified provider on another site, in a real browser with real cookies."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from app.settings import Settings
from tests.browser.conftest import OpenWindow
from tests.browser.window import Window
from tests.support.factors import enrol
from tests.support.house import MakePerson, Person, Served, serve, with_settings
from tests.support.oidc_server import as_setting, provider_process

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The provider is `localhost`, we are `127.0.0.1`: to a browser these are two sites."""
    with provider_process() as address:
        yield address


@pytest.fixture(scope="module")
async def house(settings: Settings, issuer: str) -> AsyncIterator[Served]:
    """The app with that provider; the run's own has none."""
    async with serve(with_settings(settings, oidc_providers=(as_setting(issuer),))) as running:
        yield running


@pytest.fixture
def visits(window: OpenWindow, house: Served, issuer: str) -> OpenWindow:
    """Opens windows on that app; people may go on to the provider from there."""
    provider = urlsplit(issuer).netloc

    async def visit(path: str, who: Person | None = None, **options: Any) -> Window:
        opened = await window(who, path, at=house.url, **options)
        opened.friends.append(provider)
        return opened

    return visit


async def through_the_provider(visit: Window, button: str, login: str) -> None:
    """From the button over the provider's page and back."""
    await visit.page.get_by_role("button", name=button).click()
    await visit.page.get_by_label("Address", exact=True).fill(login)
    await visit.page.get_by_role("button", name="Continue", exact=True).click()


async def test_a_new_person_comes_in_and_stays(visits: OpenWindow) -> None:
    """One click, one page of the provider's, and one is where one wanted to go, live."""
    visit = await visits("/signup?next=/account")
    await through_the_provider(visit, "Continue with Local house", "browser.new@example.org")
    await expect(visit.page).to_have_url(f"{visit.url}/account")
    await expect(visit.page.get_by_text("browser.new@example.org").first).to_be_visible()
    await visit.is_live()
    await expect(visit.page.get_by_role("heading", name="Linked accounts")).to_be_visible()
    unlink = visit.page.get_by_role("button", name="Unlink Local house")
    visit.expected.append("/auth/identities/")
    await unlink.click()
    await expect(
        visit.page.get_by_text("This is the only way to log in to your account.")
    ).to_be_visible()
    await visit.page.reload()
    await visit.is_live()


async def test_saying_no_is_told_in_ones_language(visits: OpenWindow) -> None:
    """Back at the door, with a reason and the other way in."""
    visit = await visits("/login", locale="id-ID")
    await visit.page.get_by_role("button", name="Lanjutkan dengan Local house").click()
    await visit.page.get_by_role("button", name="Cancel").click()
    await expect(visit.page.get_by_role("alert")).to_have_text("Proses masuk dibatalkan.")
    await expect(visit.page.get_by_label("Kata sandi")).to_be_visible()


async def test_link_then_come_in_by_it_then_unlink(
    visits: OpenWindow, person: MakePerson, axe_script: str
) -> None:
    """The whole life of a link, on the account page."""
    owner = await person()
    visit = await visits("/account", owner)
    await through_the_provider(visit, "Link Local house", "?browser.link@example.org")
    await expect(visit.page.get_by_text("Local house is linked to your account.")).to_be_visible()
    await expect(visit.page).to_have_url(f"{visit.url}/account")
    assert await visit.axe(axe_script) == []
    await visit.page.get_by_role("button", name="Log out").first.click()
    await expect(visit.page.get_by_role("link", name="Log in")).to_be_visible()
    await visit.open("/login")
    assert await visit.axe(axe_script) == []
    await visit.page.get_by_role("button", name="Continue with Local house").click()
    await expect(visit.page.locator(".corner")).to_be_visible()
    await visit.open("/account")
    await expect(visit.page.get_by_text(owner.email).first).to_be_visible()
    await visit.page.get_by_role("button", name="Unlink Local house").click()
    await expect(visit.page.get_by_text("None is linked.")).to_be_visible()


async def test_second_step_after_the_provider(
    visits: OpenWindow, person: MakePerson, house: Served
) -> None:
    """The step travels in the fragment, is gone from the address at once, and leads on."""
    owner = await person()
    async with httpx.AsyncClient(base_url=house.url) as nobody:
        enrolled = await enrol(house, nobody, owner)
    visit = await visits("/login?next=/account")
    await through_the_provider(visit, "Continue with Local house", owner.email)
    await visit.page.get_by_label("Code").fill(enrolled.code())
    assert "#" not in visit.page.url
    await visit.page.get_by_role("main").get_by_role("button", name="Confirm").click()
    await expect(visit.page).to_have_url(f"{visit.url}/account")
    await expect(visit.page.get_by_text(owner.email).first).to_be_visible()


async def test_without_providers_there_is_no_button(window: OpenWindow) -> None:
    """The run's own app has none: its door looks as it always did."""
    visit = await window(path="/login")
    await expect(visit.page.get_by_label("Password")).to_be_visible()
    await expect(visit.page.get_by_role("button", name="Continue with")).to_have_count(0)


@pytest.mark.parametrize("code", ["stale-sign-in", "<img src=x onerror=alert(1)>", "constructor"])
async def test_the_address_says_no_words(window: OpenWindow, code: str) -> None:
    """A link to the door can show our own sentences and nothing else."""
    visit = await window(path=f"/login?error={code}")
    told = await visit.page.get_by_role("alert").inner_text()
    assert told in {
        "This sign-in has expired or was already used. Please start again.",
        "Something went wrong. Please try again.",
    }
