"""Passkeys among what the browser fills in: picked at the address, without a button."""

import pytest
from playwright.async_api import expect

from tests.browser.doors import OpenNamed, button, log_out
from tests.support.house import MakePerson

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("worker")]


async def test_passkey_is_offered_at_the_address(named: OpenNamed, person: MakePerson) -> None:
    """Chromium's virtual authenticator picks what is offered; then nobody presses anything. A
    passkey that was removed here is still on the device, and the page says that it is refused."""
    someone = await person(name="Wayan")
    visit = await named(offers=True)
    visit.expected.append("/auth/passkeys/sign-in")
    await visit.sign_in(someone, "/account")
    await visit.page.get_by_label("Name of the passkey").fill("This device")
    await button(visit, "Add a passkey").click()
    await button(visit, "I have kept them").click()
    await log_out(visit)
    await expect(visit.page.locator(".avatar")).to_have_text("W")

    await visit.open("/account")
    await button(visit, "Remove This device").click()
    dialog = visit.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Remove", exact=True).click()
    await expect(visit.page.locator(".passkey")).to_have_count(0)
    await log_out(visit)
    await expect(visit.page.get_by_text("This passkey was not accepted.")).to_be_visible()


async def test_offer_makes_way_for_the_button(named: OpenNamed) -> None:
    """Without a passkey the offer waits unseen; the button's own request takes its place."""
    visit = await named(offers=True)
    async with visit.page.expect_response("**/auth/passkeys/sign-in/options"):
        await visit.open("/login")
    address = visit.page.get_by_label("E-mail")
    await expect(address).to_have_attribute("autocomplete", "username webauthn")
    await expect(visit.page.get_by_role("alert")).to_have_count(0)
    async with visit.page.expect_response("**/auth/passkeys/sign-in/options"):
        await button(visit, "Use a passkey").click()
