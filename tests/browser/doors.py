"""Windows with an authenticator, and the steps at the door that several tests take."""

from collections.abc import Awaitable, Callable

import pyotp
from playwright.async_api import Locator, expect

from app.kit.clock import now
from tests.browser.window import Window
from tests.support.house import PASSWORD

OpenNamed = Callable[..., Awaitable[Window]]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def button(visit: Window, name: str) -> Locator:
    """A button of the page itself."""
    return visit.page.get_by_role("main").get_by_role("button", name=name, exact=True)


async def log_out(visit: Window) -> None:
    """Out, and back to the door."""
    await visit.page.get_by_role("banner").get_by_role("button", name="Log out").click()
    await expect(visit.page.get_by_role("link", name="Log in")).to_be_visible()
    await visit.open("/login")


async def give_password(visit: Window, email: str) -> None:
    """The first step."""
    await visit.page.get_by_label("E-mail").fill(email)
    await visit.page.get_by_label("Password").fill(PASSWORD)
    await button(visit, "Log in").click()


async def set_up_app(visit: Window) -> str:
    """On the account page; the secret."""
    await button(visit, "Set up an authenticator app").click()
    await expect(visit.page.get_by_alt_text("QR code for your authenticator app")).to_be_visible()
    shown = await visit.page.locator(".factor__key").inner_text()
    secret = shown.replace(" ", "")
    await visit.page.get_by_label("Code from the app").fill(pyotp.TOTP(secret).at(now()))
    await button(visit, "Turn on").click()
    await expect(visit.page.get_by_text("Two-step sign-in is on.")).to_be_visible()
    return secret
