"""S4: no other site changes anything with somebody's browser (ASVS 5.0, 3.5.1-3.5.3)."""

from collections.abc import Iterator

import pytest

from app.settings import Settings
from tests.security.matrix.calls import Call, allowed_call
from tests.support.routes import Address, all_addresses
from tests.support.state import state_of
from tests.support.world import World

EVIL = "https://evil.example"
SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "text/plain; a=application/json")
Attempt = tuple[dict[str, str], bytes | Iterator[bytes] | None]


@pytest.fixture(scope="module")
def table(settings: Settings) -> list[Address]:
    """Every route that changes something."""
    return [address for address in all_addresses(settings) if address.changes_something]


def chunked(body: bytes) -> Iterator[bytes]:
    """A body without a length, as `Transfer-Encoding: chunked`."""
    yield body


def attempts(own: str) -> list[tuple[str, Attempt]]:
    """What a page of another site can make a browser send; the cookie comes by itself."""
    return [
        ("foreign origin", ({"origin": EVIL}, None)),
        ("opaque origin", ({"origin": "null"}, None)),
        *((f"fetched {site}", ({"sec-fetch-site": site}, None)) for site in FETCHED),
        ("no sign at all", ({}, None)),
        *((f"form {kind}", ({"origin": own, "content-type": kind}, b"{}")) for kind in SIMPLE),
        ("form without a type", ({"origin": own}, b"{}")),
    ]


FETCHED = ("cross-site", "same-site", "none")


async def send(call: Call, attempt: Attempt, cookie: dict[str, str]) -> tuple[int, str]:
    """Status and code of one forged request with an otherwise good body."""
    headers, body = attempt
    request = call.scene.world.http.build_request(
        call.address.method,
        call.url,
        json=call.given.json if body is None and call.given.files is None else None,
        files=call.given.files if body is None else None,
        content=body,
        headers={**call.given.headers, **headers, **cookie},
    )
    answer = await call.scene.world.http.send(request)
    return answer.status_code, answer.json()["code"]


async def test_v3_5_1_no_route_is_reached_from_another_site(
    world: World, table: list[Address]
) -> None:
    """Every mutating route, every forgery, with the cookie of somebody who may: nothing changes."""
    for address in table:
        call = await allowed_call(world, address)
        who = call.scene.who or call.scene.owner
        before = await state_of(world.db)
        for name, attempt in attempts(world.served.url):
            told = await send(call, attempt, who.cookie)
            assert told in {(403, "foreign-origin"), (415, "unsupported-media-type")}, (
                address.name,
                name,
                told,
            )
        assert await state_of(world.db) == before, address.name


async def test_v3_5_1_nobody_is_signed_in_by_another_site(
    world: World, table: list[Address]
) -> None:
    """Login CSRF: without a cookie a page of another site is refused as well."""
    for address in table:
        call = await allowed_call(world, address)
        before = await state_of(world.db)
        for headers in ({"origin": EVIL}, {"sec-fetch-site": "cross-site"}):
            assert await send(call, (headers, None), {}) == (403, "foreign-origin"), address.name
        assert await state_of(world.db) == before, address.name


async def test_v3_5_2_a_chunked_body_is_a_body(world: World) -> None:
    """A body whose length is not told is held to the same kinds."""
    who = await world.someone()

    async def pieces():
        yield b'{"name": "taken over"}'

    for kind in SIMPLE:
        answer = await world.http.put(
            "/api/v1/users/me",
            content=pieces(),
            headers={**who.cookie, "origin": world.served.url, "content-type": kind},
        )
        assert answer.request.headers["transfer-encoding"] == "chunked"
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


async def test_v3_5_1_the_streams_upwards_are_closed_to_other_sites(world: World) -> None:
    """What sockets can do, `/emulation` can: the same rule for Origin."""
    for path in ("/emulation", "/connection/http_stream", "/connection/sse"):
        answer = await world.http.post(path, content=b"{}", headers={"origin": EVIL})
        assert answer.status_code == 403, path


async def test_v3_5_3_reading_changes_nothing(world: World, settings: Settings) -> None:
    """Safe methods are safe: every GET leaves the database as it was, whoever asks."""
    reads = [one for one in all_addresses(settings) if one.method == "GET" and not one.is_file]
    for address in reads:
        call = await allowed_call(world, address)
        who = call.scene.who.cookie if call.scene.who else {}
        before = await state_of(world.db)
        headers = {**call.given.headers, **who, "origin": EVIL}
        async with world.http.stream("GET", call.url, headers=headers) as answer:
            assert answer.status_code < 500, address.name
        assert await state_of(world.db) == before, address.name
