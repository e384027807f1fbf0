"""One's own data in the browser: gathered, downloaded, and gone with the account."""

import json
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenWindow
from tests.support.house import PASSWORD, MakePerson

pytestmark = pytest.mark.browser


@pytest.mark.usefixtures("worker")
async def test_data_is_gathered_and_downloaded(window: OpenWindow, person: MakePerson) -> None:
    """One click gathers, the page sees by itself when it is ready, another click downloads."""
    someone = await person()
    here = await window(someone, "/account")
    await here.page.get_by_role("button", name="Gather my data").click()
    await expect(here.page.get_by_text("It is removed on")).to_be_visible(timeout=15_000)
    async with here.page.expect_download() as started:
        await here.page.get_by_role("button", name="Download", exact=True).click()
    download = await started.value
    assert download.suggested_filename == "my-data.json"
    told = json.loads(Path(await download.path()).read_text())  # noqa: ASYNC240  # small, once
    assert told["profile"][0]["email"] == someone.email


async def test_account_is_deleted(
    window: OpenWindow, person: MakePerson, nobody: httpx.AsyncClient
) -> None:
    """Asked once more, then gone: the page is nobody's, and so is the account."""
    someone = await person()
    here = await window(someone, "/account")
    await here.page.get_by_role("button", name="Delete my account").click()
    dialog = here.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Cancel").click()
    await here.page.get_by_role("button", name="Delete my account").click()
    await dialog.get_by_role("button", name="Delete my account").click()
    await expect(here.page.get_by_text("Your account is deleted. Farewell!")).to_be_visible()
    await expect(here.page.get_by_role("link", name="Log in")).to_be_visible()
    form = {"email": someone.email, "password": PASSWORD}
    assert (await nobody.post("/api/v1/auth/login", json=form)).status_code == 401
