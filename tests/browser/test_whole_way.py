"""The whole way of an account in one browser: from signing up to signing another window out."""

import time
from uuid import uuid4

import pyotp
import pytest
from playwright.async_api import expect

from app.kit.clock import now
from tests.browser.doors import OpenNamed, button, give_password, log_out, set_up_app
from tests.browser.test_mailed import read_mail
from tests.support.factors import forget_steps
from tests.support.house import PASSWORD, Served

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("worker")]
GONE_WITHIN_S = 1.0
ENDED = "Your session has ended. Please log in again."


async def test_sign_up_secure_sign_in_and_revoke(named: OpenNamed, served: Served) -> None:
    """Sign up, verify by the mail page, set up an app and a passkey, come in with each; then end
    the session of another window and see its page say so within a second."""
    email = f"{uuid4().hex[:10]}@example.org"
    visit = await named()
    await visit.open("/signup")
    await visit.page.get_by_label("Name").fill("Rani")
    await visit.page.get_by_label("E-mail").fill(email)
    await visit.page.get_by_label("Password").fill(PASSWORD)
    await visit.page.get_by_role("button", name="Create an account").click()
    await expect(visit.page.locator(".avatar")).to_have_text("R")
    await read_mail(visit, "Confirm your address", email)
    await button(visit, "Confirm").click()
    await expect(visit.page.get_by_text("Your address is confirmed.")).to_be_visible()

    await visit.open("/account")
    secret = await set_up_app(visit)
    await button(visit, "I have kept them").click()
    await visit.page.get_by_label("Name of the passkey").fill("This device")
    await button(visit, "Add a passkey").click()
    await expect(visit.page.locator(".passkey__name")).to_have_text("This device")

    await log_out(visit)
    await button(visit, "Use a passkey").click()
    await expect(visit.page.locator(".avatar")).to_have_text("R")

    there = await named()
    await there.open("/login")
    await give_password(there, email)
    query = "SELECT id FROM users WHERE email = $1"
    user_id = await served.house.db.fetchval(query, email)
    await forget_steps(served, user_id)
    code = pyotp.TOTP(secret).at(now())
    await there.page.get_by_label("Code from your authenticator app").fill(code)
    await button(there, "Confirm").click()
    await there.is_live()
    await expect(there.page.locator(".avatar")).to_have_text("R")

    await visit.open("/account")
    await expect(visit.page.locator(".device")).to_have_count(2)
    await button(visit, "Sign out Chrome, Linux").click()
    ended = time.monotonic()
    await expect(there.page.get_by_text(ENDED)).to_be_visible()
    assert time.monotonic() - ended < GONE_WITHIN_S
    await visit.is_live()
