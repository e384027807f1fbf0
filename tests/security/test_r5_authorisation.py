"""R5: every route, topic and rpc method against every role (ASVS 5.0, V8; API1, 3 and 5:2023)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.settings import Settings
from tests.security.matrix import ROWS, RPCS, TOPICS
from tests.security.matrix.calls import scene_for
from tests.security.matrix.rows import COLUMNS, Given, Row, Scene
from tests.story.wire import Wire, opened
from tests.support.routes import Address, all_addresses
from tests.support.world import World

HOW = (
    "Add it to the ROWS of your room in tests/security/matrix/: "
    '"operationId": Row(only("admin", status=200), arrange). See matrix/rows.py.'
)


@pytest.fixture(scope="module")
def table(settings: Settings) -> list[Address]:
    """Every address of the app but the files of the build."""
    return [address for address in all_addresses(settings) if not address.is_file]


def test_v8_1_1_every_route_has_a_row(table: list[Address]) -> None:
    """A new route says who may call it, or this fails; a route that went leaves no row behind."""
    there = {address.name for address in table}
    assert there - ROWS.keys() == set(), f"These routes have no row. {HOW}"
    assert ROWS.keys() - there == set(), "These rows belong to no route any more"


def test_v8_1_1_every_topic_and_rpc_has_a_row(world: World) -> None:
    """The same for what sockets may ask for."""
    node = world.house.node
    patterns = {family.pattern for family in node._channels._families}
    assert patterns == TOPICS.keys(), "tests/security/matrix/topics.py: TOPICS by pattern"
    assert set(node._commands._rpc) == RPCS.keys(), "tests/security/matrix/topics.py: RPCS by name"


def test_every_row_has_every_column() -> None:
    """No cell is left open."""
    for name, row in (ROWS | TOPICS | RPCS).items():
        assert row.cells.keys() == set(COLUMNS), name


async def status_of(scene: Scene, address: Address, given: Given) -> int:
    """The answer's status; an endless answer is left after its head."""
    who = scene.who.bearer if scene.who else {}
    async with scene.world.http.stream(
        "GET" if address.method == "ANY" else address.method,
        address.path.format(**given.path),
        json=given.json if address.changes_something else None,
        files=given.files,
        headers={**given.headers, **who},
    ) as answer:
        return answer.status_code


@pytest.mark.parametrize("column", COLUMNS)
async def test_v8_2_1_routes(world: World, table: list[Address], column: str) -> None:
    """Each role is answered on each route as its row says: allowed, refused, or as if absent."""
    wrong = {}
    for address in (one for one in table if one.name in ROWS):
        row = ROWS[address.name]
        scene = await scene_for(world, column)
        status = await status_of(scene, address, await row.arrange(scene))
        if status != row.cells[column]:
            wrong[address.name] = f"expected {row.cells[column]}, was {status}"
    assert wrong == {}


@pytest.mark.parametrize("column", COLUMNS)
async def test_v8_2_2_topics_and_rpcs(world: World, column: str) -> None:
    """The same verbs over the socket are under the same rules."""
    wrong = {}
    for name, row in (TOPICS | RPCS).items():
        code = await code_of(world, column, name, row)
        if code != row.cells[column]:
            wrong[name] = f"expected {row.cells[column]}, was {code}"
    assert wrong == {}


async def code_of(world: World, column: str, name: str, row: Row) -> int:
    """The error code of one subscription or call; 0 without an error."""
    scene = await scene_for(world, column)
    given = await row.arrange(scene)
    async with connected_as(scene) as wire:
        command: dict[str, Any] = (
            {"subscribe": {"channel": name.format(**given.path)}}
            if name in TOPICS
            else {"rpc": {"method": name, "data": given.json}}
        )
        reply = await wire.command(**command)
    return int(reply.get("error", {}).get("code", 0))


@asynccontextmanager
async def connected_as(scene: Scene) -> AsyncIterator[Wire]:
    """A socket of this person, or of nobody."""
    said: dict[str, Any] = {}
    if scene.who:
        answer = await scene.world.http.get("/api/v1/realtime/token", headers=scene.who.bearer)
        said["token"] = answer.raise_for_status().json()["token"]
    async with opened(scene.world.served.url) as wire:
        assert "connect" in await wire.command(connect=said)
        yield wire
