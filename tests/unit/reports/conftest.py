"""The services of reports and people around them, once per module."""

from collections.abc import AsyncIterator, Callable

import pytest

from app.kit.principal import Principal, Role
from tests.support.rooms import Rooms, add_person, open_rooms
from tests.support.servers import Database


@pytest.fixture(scope="module")
async def rooms(new_database: Callable[[], Database]) -> AsyncIterator[Rooms]:
    async with open_rooms(new_database().app_url) as opened:
        yield opened


@pytest.fixture(scope="module")
async def learner(rooms: Rooms) -> Principal:
    return await add_person(rooms.db, name="Lea")


@pytest.fixture(scope="module")
async def stranger(rooms: Rooms) -> Principal:
    return await add_person(rooms.db, name="Sam")


@pytest.fixture(scope="module")
async def moderator(rooms: Rooms) -> Principal:
    return await add_person(rooms.db, Role.MODERATOR, "Mo")


@pytest.fixture(scope="module")
async def rival(rooms: Rooms) -> Principal:
    return await add_person(rooms.db, Role.MODERATOR, "Ria")


@pytest.fixture(scope="module")
async def admin(rooms: Rooms) -> Principal:
    return await add_person(rooms.db, Role.ADMIN, "Ada")
