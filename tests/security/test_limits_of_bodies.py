"""Bodies: how large, and from whom one is read at all (ASVS 5.0, 5.2.1, 4.2; API4:2023)."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.kit.principal import Role
from app.settings import Settings
from tests.security.matrix.calls import allowed_call
from tests.support.routes import all_addresses
from tests.support.world import Actor, World

BOUNDARY = "sicerdas"
HEAD = (
    f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n'
    "content-type: image/png\r\n\r\n"
).encode()
WITHIN_S = 5


async def answer_to_the_beginning(world: World, book_id: int, who: Actor, *headers: str) -> bytes:
    """The status line given after the first kilobyte of an upload whose rest never comes."""
    host, port = world.served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [
        f"PUT /api/v1/books/{book_id}/cover HTTP/1.1",
        f"host: {host}:{port}",
        f"authorization: Bearer {who.token}",
        f"content-type: multipart/form-data; boundary={BOUNDARY}",
        *headers,
    ]
    try:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        chunk = HEAD + b"x" * 1000
        writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        async with asyncio.timeout(WITHIN_S):
            return await reader.readline()
    finally:
        writer.close()


@pytest.mark.parametrize("key", [(), ("idempotency-key: early",)], ids=["bare", "with a key"])
async def test_v5_2_1_nobody_elses_upload_is_read(world: World, key: tuple[str, ...]) -> None:
    """Who may not change the catalogue is told so at once, and no megabytes are taken in."""
    book, learner = await world.book(), await world.someone()
    said = await answer_to_the_beginning(
        world, book.id, learner, "transfer-encoding: chunked", *key
    )
    assert b" 403 " in said


async def test_v5_2_1_a_cover_beyond_the_limit_is_refused(world: World) -> None:
    """The limit of the settings, told as the reason."""
    book, teacher = await world.book(), await world.someone(Role.TEACHER)
    files = {"file": ("a.png", b"x" * (world.served.settings.max_upload_bytes + 1), "image/png")}
    answer = await world.http.put(
        f"/api/v1/books/{book.id}/cover", files=files, headers=teacher.bearer
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "large"}], ids=["bare", "with a key"])
async def test_every_route_bounds_its_body(
    world: World, settings: Settings, key: dict[str, str]
) -> None:
    """No mutating route takes more than the limit, however the body is sent."""
    size = settings.max_body_bytes + 1

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 65_536 + 1):
            yield b" " * 65_536

    for address in all_addresses(settings):
        takes = address.changes_something and "data" in address.handler.fn.__annotations__
        if not takes or address.name == "replaceCover":
            continue
        call = await allowed_call(world, address)
        who = call.scene.who.bearer if call.scene.who else {}
        for content in (b" " * size, pieces()):
            answer: httpx.Response = await world.http.request(
                address.method,
                call.url,
                content=content,
                headers={**who, **key, "content-type": "application/json"},
            )
            assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large"), (
                address.name
            )
