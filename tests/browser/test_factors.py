"""Two-step sign-in in the browser: an authenticator app, recovery codes, and passkeys."""

import pyotp
import pytest
from playwright.async_api import expect

from app.kit.clock import now
from app.kit.principal import Role
from app.settings import Settings
from tests.browser.doors import OpenNamed, button, give_password, log_out, set_up_app
from tests.support.factors import forget_steps, make_stale
from tests.support.house import PASSWORD, MakePerson, Served, serve, with_settings

pytestmark = pytest.mark.browser


async def test_app_recovery_code_and_passkey(
    named: OpenNamed, person: MakePerson, served: Served
) -> None:
    """Set up each, and come in with each."""
    someone = await person()
    visit = await named()
    visit.expected += ["/auth/second-factor"]
    await visit.sign_in(someone, "/account")
    secret = await set_up_app(visit)
    codes = await visit.page.locator(".codes__list code").all_inner_texts()
    assert len(codes) == 10
    await button(visit, "I have kept them").click()
    await expect(visit.page.locator(".codes__list")).to_have_count(0)

    await visit.page.get_by_label("Name of the passkey").fill("Test device")
    await button(visit, "Add a passkey").click()
    await expect(visit.page.locator(".passkey__name")).to_have_text("Test device")
    await visit.page.reload()
    await expect(visit.page.locator(".passkey__facts")).to_contain_text("never used")

    await log_out(visit)
    await give_password(visit, someone.email)
    await expect(visit.page.get_by_role("heading", name="One more step")).to_be_visible()
    await visit.page.get_by_label("Code from your authenticator app").fill("000000")
    await button(visit, "Confirm").click()
    await expect(visit.page.get_by_text("This code is wrong")).to_be_visible()
    await forget_steps(served, someone.id)
    code = pyotp.TOTP(secret).at(now())
    await visit.page.get_by_label("Code from your authenticator app").fill(code)
    await button(visit, "Confirm").click()
    await visit.is_live()
    await expect(visit.page.locator(".corner")).to_be_visible()

    await log_out(visit)
    await give_password(visit, someone.email)
    await button(visit, "Recovery code").click()
    await visit.page.get_by_label("Recovery code").fill(codes[0])
    await button(visit, "Confirm").click()
    await expect(visit.page.locator(".corner")).to_be_visible()

    await log_out(visit)
    await give_password(visit, someone.email)
    await button(visit, "Passkey").click()
    await button(visit, "Use a passkey").click()
    await expect(visit.page.locator(".corner")).to_be_visible()

    await log_out(visit)
    await button(visit, "Use a passkey").click()
    await expect(visit.page.locator(".corner")).to_be_visible()
    await visit.is_live()


async def test_dangerous_act_asks_and_goes_on(
    named: OpenNamed, person: MakePerson, served: Served
) -> None:
    """The dialog opens by itself; after the password the act is done without another click."""
    someone = await person()
    visit = await named()
    visit.expected += ["/auth/totp", "/auth/confirm"]
    await visit.sign_in(someone, "/account")
    await make_stale(served, someone)
    await button(visit, "Set up an authenticator app").click()
    dialog = visit.page.get_by_role("dialog", name="Confirm that it is you")
    await dialog.get_by_label("Password").fill("not the password")
    await dialog.get_by_role("button", name="Confirm", exact=True).click()
    await expect(dialog.get_by_text("The current password is not right.")).to_be_visible()
    await dialog.get_by_label("Password").fill(PASSWORD)
    await dialog.get_by_role("button", name="Confirm", exact=True).click()
    await expect(dialog).to_have_count(0)
    await expect(visit.page.get_by_alt_text("QR code for your authenticator app")).to_be_visible()
    await visit.is_live()


async def test_declined_proof_leaves_everything(
    named: OpenNamed, person: MakePerson, served: Served
) -> None:
    """Closing the dialog is an answer, and the page says so."""
    someone = await person()
    visit = await named()
    visit.expected += ["/auth/totp"]
    await visit.sign_in(someone, "/account")
    await make_stale(served, someone)
    await button(visit, "Set up an authenticator app").click()
    await visit.page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await expect(visit.page.get_by_text("Please confirm first that it is you.")).to_be_visible()
    await expect(button(visit, "Set up an authenticator app")).to_be_visible()


async def test_passkey_renamed_removed_and_refused(named: OpenNamed, person: MakePerson) -> None:
    """A removed passkey is still on the device, and the door says that it is not accepted."""
    someone = await person()
    visit = await named()
    visit.expected += ["/auth/passkeys/sign-in"]
    await visit.sign_in(someone, "/account")
    await visit.page.get_by_label("Name of the passkey").fill("Old device")
    await button(visit, "Add a passkey").click()
    await button(visit, "I have kept them").click()
    await button(visit, "Rename Old device").click()
    await visit.page.locator(".passkey__rename input").fill("New name")
    await visit.page.locator(".passkey__rename button").click()
    await expect(visit.page.locator(".passkey__name")).to_have_text("New name")
    await button(visit, "Remove New name").click()
    dialog = visit.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Remove", exact=True).click()
    await expect(visit.page.locator(".passkey")).to_have_count(0)
    await log_out(visit)
    await button(visit, "Use a passkey").click()
    refusal = visit.page.get_by_text("This passkey was not accepted.")
    await expect(refusal).to_be_visible()


async def test_office_awakes_in_the_same_window(
    named: OpenNamed, person: MakePerson, settings: Settings
) -> None:
    """A moderator is told what is missing, sets it up, and the queue opens."""
    moderator = await person(Role.MODERATOR)
    strict = with_settings(settings, require_staff_second_factor=True)
    async with serve(strict) as house:
        visit = await named(house.url)
        await visit.sign_in(moderator, "/moderation")
        await visit.page.get_by_role("link", name="Set it up").click()
        await expect(visit.page.get_by_text("Your role needs two-step sign-in.")).to_be_visible()
        await set_up_app(visit)
        warning = visit.page.get_by_text("Your role needs two-step sign-in.")
        await expect(warning).to_have_count(0)
        await visit.is_live()
        await visit.page.get_by_role("link", name="Moderation").first.click()
        await expect(visit.page.get_by_role("heading", name="Moderation")).to_be_visible()
        await expect(visit.page.locator(".desk__count")).to_be_visible()


@pytest.mark.parametrize("locale", ["en", "id-ID"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_are_accessible(
    named: OpenNamed, person: MakePerson, axe_script: str, locale: str, scheme: str
) -> None:
    """The account page with everything open, and the second step, in both languages and themes."""
    someone = await person()
    visit = await named(locale=locale, color_scheme=scheme, viewport={"width": 390, "height": 844})
    await visit.open("/login?next=/account")
    assert await visit.axe(axe_script) == []
    await visit.page.locator("input[name=email]").fill(someone.email)
    await visit.page.locator("input[name=password]").fill(PASSWORD)
    await visit.page.locator("main button[type=submit]").click()
    await visit.page.locator(".factor .form__actions button").first.click()
    await visit.page.locator(".factor__picture").wait_for()
    assert await visit.axe(axe_script) == []
    secret = (await visit.page.locator(".factor__key").inner_text()).replace(" ", "")
    await visit.page.locator("input[name=code]").fill(pyotp.TOTP(secret).at(now()))
    await visit.page.locator(".factor button[type=submit]").first.click()
    await visit.page.locator(".codes__list").wait_for()
    assert await visit.axe(axe_script) == []
    await visit.open("/")
    await visit.context.clear_cookies()
    await visit.open("/login")
    await visit.page.locator("input[name=email]").fill(someone.email)
    await visit.page.locator("input[name=password]").fill(PASSWORD)
    await visit.page.locator("main button[type=submit]").click()
    await visit.page.locator("input[name=proof]").wait_for()
    assert await visit.axe(axe_script) == []
