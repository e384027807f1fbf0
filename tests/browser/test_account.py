"""One's own account in the browser: where one is signed in, and another password."""

import time

import httpx
import pytest
from playwright.async_api import expect

from app.kit.principal import Role
from tests.browser.conftest import OpenWindow
from tests.support.house import PASSWORD, MakePerson, Person

pytestmark = pytest.mark.browser
GONE_WITHIN_S = 1.0
ENDED = "Your session has ended. Please log in again."
NEW = "another-good-password"


async def test_the_other_browser_signs_itself_out(window: OpenWindow, person: MakePerson) -> None:
    """Ended here, the page there says so within a second, without anybody touching it."""
    someone = await person()
    here, there = await window(someone, "/account"), await window(someone, "/")
    await here.page.reload()
    await expect(here.page.get_by_text("this browser")).to_be_visible()
    await here.is_live()
    await expect(here.page.locator(".device")).to_have_count(3)
    await here.page.get_by_role("button", name="Sign out Chrome, Linux").click()
    ended = time.monotonic()
    await expect(there.page.get_by_text(ENDED)).to_be_visible()
    assert time.monotonic() - ended < GONE_WITHIN_S
    await expect(there.page.get_by_role("link", name="Log in")).to_be_visible()
    await expect(here.page.locator(".device")).to_have_count(2)
    await here.page.get_by_role("button", name="Sign out everywhere else").click()
    await expect(here.page.locator(".device")).to_have_count(1)
    await here.is_live()


async def test_another_password(
    window: OpenWindow, person: MakePerson, nobody: httpx.AsyncClient
) -> None:
    """Weak and wrong ones are told at their fields; then this window stays and the other goes."""
    someone = await person()
    here, there = await window(someone, "/account"), await window(someone, "/")
    here.expected.append("/auth/password")
    old, new = here.page.get_by_label("Current password"), here.page.get_by_label("New password")
    change = here.page.get_by_role("button", name="Change password")
    await old.fill(PASSWORD)
    await new.fill("password123")
    await change.click()
    await expect(here.page.get_by_text("This password is easy to guess.")).to_be_visible()
    await new.fill(NEW)
    await old.fill("not the password")
    await change.click()
    await expect(here.page.get_by_text("The current password is not right.")).to_be_visible()
    await old.fill(PASSWORD)
    await change.click()
    await expect(here.page.get_by_text("Your password is changed.")).to_be_visible()
    await expect(there.page.get_by_text(ENDED)).to_be_visible()
    await expect(here.page.locator(".device")).to_have_count(1)
    await here.is_live()
    form = {"email": someone.email, "password": NEW}
    assert (await nobody.post("/api/v1/auth/login", json=form)).status_code == 200


async def test_admin_signs_somebody_out(
    window: OpenWindow, person: MakePerson, admin: Person
) -> None:
    """The button in the list ends every browser of that person."""
    someone = await person(Role.USER, name="Budi Keluar")
    there, desk = await window(someone, "/"), await window(admin, "/admin/users")
    await desk.page.get_by_label("Search by name or e-mail").fill("Budi Keluar")
    await desk.page.get_by_label("Search by name or e-mail").press("Enter")
    await expect(desk.page.locator(".person")).to_have_count(1)
    await desk.page.get_by_role("button", name="Sign out").click()
    await expect(desk.page.get_by_text("Budi Keluar is signed out everywhere.")).to_be_visible()
    await expect(there.page.get_by_text(ENDED)).to_be_visible()


async def test_weak_password_at_sign_up_in_indonesian(window: OpenWindow) -> None:
    """The refusal speaks the reader's language, at the field."""
    visit = await window(path="/signup", locale="id-ID")
    visit.expected.append("/auth/signup")
    await visit.page.get_by_label("Nama").fill("Sari")
    await visit.page.locator("input[name=email]").fill("sari.lemah@example.org")
    await visit.page.locator("input[name=password]").fill("qwertyuiop")
    await visit.page.get_by_role("main").get_by_role("button").last.click()
    await expect(visit.page.get_by_text("Kata sandi ini mudah ditebak.")).to_be_visible()
