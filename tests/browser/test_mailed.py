"""The doors that mail opens, from the page that asks to the page that the mail leads to."""

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.window import Window
from tests.support.house import PASSWORD, MakePerson

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("worker")]
NEW_PASSWORD = "another-horse-battery"


async def read_mail(visit: Window, subject: str, email: str) -> None:
    """Find the mail in the outbox, whose page looks again by itself, and follow its link."""
    await visit.open("/dev/mail")
    entry = visit.page.get_by_role("listitem").filter(has_text=email).filter(has_text=subject)
    await entry.first.get_by_role("link").click()
    link = await visit.page.locator("pre a[href*='#token=']").get_attribute("href")
    address = urlsplit(link or "")  # its host is the installation's, which a test has not
    await visit.open(f"{address.path}#{address.fragment}")


async def log_in(visit: Window, email: str, password: str) -> None:
    """Through the door with a password."""
    await visit.page.get_by_label("E-mail").fill(email)
    await visit.page.get_by_label("Password").fill(password)
    await visit.page.get_by_role("main").get_by_role("button", name="Log in").click()
    await expect(visit.page.locator(".corner")).to_be_visible()


async def test_sign_up_read_the_mail_click_and_be_confirmed(window: OpenWindow) -> None:
    """The reminder stands on every page until the link was used; one stays signed in."""
    email = f"{uuid4().hex[:10]}@example.org"
    visit = await window(path="/signup")
    await visit.page.get_by_label("Name").fill("Dewi")
    await visit.page.get_by_label("E-mail").fill(email)
    await visit.page.get_by_label("Password").fill(PASSWORD)
    await visit.page.get_by_role("button", name="Create an account").click()
    reminder = visit.page.get_by_role("complementary", name="Confirm your address")
    await expect(reminder).to_contain_text(email)
    await read_mail(visit, "Confirm your address", email)
    await visit.page.get_by_role("button", name="Confirm").click()
    await expect(visit.page.get_by_text("Your address is confirmed.")).to_be_visible()
    assert "token" not in visit.page.url
    await visit.page.get_by_role("link", name="To the library").click()
    await expect(visit.page.locator(".avatar")).to_have_text("D")
    await expect(reminder).to_have_count(0)


async def test_stranger_who_used_my_address_keeps_nothing(window: OpenWindow) -> None:
    """On another device the link asks for the password of the sign-up; whoever did not sign up
    sets their own with it, and the stranger's counts no more."""
    email = f"{uuid4().hex[:10]}@example.org"
    there, visit = await window(path="/signup"), await window()
    await there.page.get_by_label("Name").fill("Stranger")
    await there.page.get_by_label("E-mail").fill(email)
    await there.page.get_by_label("Password").fill(PASSWORD)
    await there.page.get_by_role("button", name="Create an account").click()
    await expect(there.page.locator(".avatar")).to_be_visible()
    visit.expected += ["/auth/verify-email", "/auth/login"]
    there.expected.append("401")
    await read_mail(visit, "Confirm your address", email)
    await visit.page.get_by_role("button", name="Confirm").click()
    chosen = visit.page.get_by_label("The password you chose")
    await chosen.fill(NEW_PASSWORD)
    await visit.page.get_by_role("button", name="Confirm").click()
    await expect(visit.page.get_by_text("The current password is not right.")).to_be_visible()
    await visit.page.get_by_role("button", name="I do not know it: set a new one").click()
    await visit.page.get_by_label("New password").fill(NEW_PASSWORD)
    await visit.page.get_by_role("button", name="Set the password").click()
    await expect(visit.page).to_have_url(f"{visit.url}/login")
    await log_in(visit, email, NEW_PASSWORD)
    await expect(there.page.get_by_text("Your session has ended.")).to_be_visible()


async def test_sign_up_on_one_device_and_confirm_on_another(window: OpenWindow) -> None:
    """The password of the sign-up is enough."""
    email = f"{uuid4().hex[:10]}@example.org"
    there, visit = await window(path="/signup"), await window()
    await there.page.get_by_label("Name").fill("Sari")
    await there.page.get_by_label("E-mail").fill(email)
    await there.page.get_by_label("Password").fill(PASSWORD)
    await there.page.get_by_role("button", name="Create an account").click()
    await expect(there.page.locator(".avatar")).to_be_visible()
    visit.expected.append("/auth/verify-email")
    await read_mail(visit, "Confirm your address", email)
    await visit.page.get_by_role("button", name="Confirm").click()
    await visit.page.get_by_label("The password you chose").fill(PASSWORD)
    await visit.page.get_by_role("button", name="Confirm").click()
    await expect(visit.page.get_by_text("Your address is confirmed.")).to_be_visible()


async def test_forgotten_password(window: OpenWindow, person: MakePerson) -> None:
    """Ask, read, set, log in; the same link a second time is refused in words."""
    someone = await person()
    visit = await window(path="/login")
    await visit.page.get_by_role("link", name="Forgot your password?").click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Set a new password")
    await visit.page.get_by_label("E-mail").fill(someone.email)
    await visit.page.get_by_role("button", name="Send the link").click()
    await expect(visit.page.get_by_text("If " + someone.email)).to_be_visible()
    await read_mail(visit, "Set a new password", someone.email)
    await visit.page.get_by_label("New password").fill(NEW_PASSWORD)
    await visit.page.get_by_role("button", name="Set the password").click()
    await expect(visit.page).to_have_url(f"{visit.url}/login")
    await log_in(visit, someone.email, NEW_PASSWORD)
    visit.expected.append("/auth/password-reset")
    await read_mail(visit, "Set a new password", someone.email)
    await visit.page.get_by_label("New password").fill(PASSWORD)
    await visit.page.get_by_role("button", name="Set the password").click()
    await expect(visit.page.get_by_role("alert")).to_contain_text("This link was used")


async def test_log_in_by_mail_in_indonesian(window: OpenWindow, person: MakePerson) -> None:
    """The mail speaks the language of the page that asked."""
    someone = await person(name="Ketut")
    visit = await window(path="/login", locale="id-ID")
    await visit.page.get_by_role("link", name="Masuk lewat surel").click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Masuk lewat surel")
    await visit.page.get_by_label("Surel").fill(someone.email)
    await visit.page.get_by_role("button", name="Kirim tautan").click()
    await read_mail(visit, "Tautan masuk Anda", someone.email)
    await visit.page.get_by_role("main").get_by_role("button", name="Masuk").click()
    await expect(visit.page.locator(".avatar")).to_have_text("K")


async def test_another_address(window: OpenWindow, person: MakePerson) -> None:
    """The account page asks, the new mailbox confirms."""
    someone, email = await person(), f"{uuid4().hex[:10]}@example.org"
    visit = await window(someone, "/account")
    await visit.page.get_by_label("New address").fill(email)
    await visit.page.get_by_role("button", name="Change the address").click()
    await expect(visit.page.get_by_text("a link is on its way to it")).to_be_visible()
    await read_mail(visit, "Confirm your new address", email)
    await visit.page.get_by_role("button", name="Confirm").click()
    await expect(visit.page.get_by_text("uses this address from now on")).to_be_visible()
    await visit.open("/account")
    await expect(visit.page.get_by_text(f"Your account uses {email}.")).to_be_visible()


async def test_stranger_who_wants_my_address_for_theirs(
    window: OpenWindow, person: MakePerson
) -> None:
    """The page says that an account would move to my mailbox, and my click moves nothing; whoever
    asked finishes it on this device with their password."""
    stranger, email = await person(), f"{uuid4().hex[:10]}@example.org"
    there, visit = await window(stranger, "/account"), await window(path="/")
    await there.page.get_by_label("New address").fill(email)
    await there.page.get_by_role("button", name="Change the address").click()
    await expect(there.page.get_by_text("a link is on its way to it")).to_be_visible()
    visit.expected.append("/auth/verify-email")
    await read_mail(visit, "Confirm your new address", email)
    await visit.page.get_by_role("button", name="Confirm").click()
    await expect(visit.page.get_by_text("somebody else wants your address")).to_be_visible()
    await expect(visit.page.get_by_role("button", name="set a new one")).to_have_count(0)
    await visit.page.get_by_label("Password of the account").fill(PASSWORD)
    await visit.page.get_by_role("button", name="Confirm").click()
    await expect(visit.page.get_by_text("uses this address from now on")).to_be_visible()
