"""The main story on two API processes and a worker, all on one Redis, as a program of its own."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack

import pytest

from app.catalog.service import Imports
from app.house import House
from app.sample import collection
from app.sample.loader import ACCOUNTS, PASSWORD
from app.settings import Settings
from tests.support.fake_llm import FakeLLM, Script
from tests.support.processes import PROJECT, AppProcess
from tests.support.servers import Database

STORY_TIMEOUT_S = 50
COURSE = "en-biology"


@pytest.fixture
async def town(
    settings: Settings, app_environment: dict[str, str], new_database: Callable[[], Database]
) -> AsyncIterator[list[str]]:
    """Two APIs and a worker on a database with the demo accounts and one course book."""
    database = new_database()
    env = {
        **app_environment,
        "DATABASE_URL": database.app_url,
        "DATABASE_OWNER_URL": database.owner_url,
        "SICERDAS_REDIS_PREFIX": f"{database.name}:",
    }
    async with House(Settings.from_env(env)).running() as house:
        await settle(house)
    with ExitStack() as stack:
        apis = [stack.enter_context(AppProcess.serve(env)) for _ in range(2)]
        stack.enter_context(AppProcess(env, "worker"))
        for api in apis:
            api.wait_ready()
        yield [api.url for api in apis]


async def settle(house: House) -> None:
    """The demo accounts and one course book of the sample library."""
    imports = Imports(house.db, house.media)
    for category in collection.taxonomy():
        await imports.ensure_places(category.name, category.description, category.groups)
    for book in collection.books():
        if book.slug == COURSE:
            await imports.import_book(book)
    for name, (full_name, role) in ACCOUNTS.items():
        await house.accounts.ensure_account(f"{name}@example.org", full_name, PASSWORD, role)


async def test_story_holds_over_two_processes(town: list[str], fake_llm: FakeLLM) -> None:
    """Tokens grow in five steps or more; report and counter cross the processes within a second."""
    words = [f"word{n} " for n in range(40)]
    with fake_llm.script("mitochondria", Script(words, delay_s=0.03)):
        command = (sys.executable, "-m", "tests.story", *town)
        story = await asyncio.create_subprocess_exec(
            *command, cwd=PROJECT, stdout=PIPE, stderr=STDOUT
        )
        told, _ = await asyncio.wait_for(story.communicate(), STORY_TIMEOUT_S)
    assert story.returncode == 0, told.decode()
    measured = json.loads(told)
    assert measured["processes"] == 2
    assert measured["sources"] > 0
