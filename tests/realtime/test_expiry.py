"""A token's end on every transport: told with the answer, closed with 3005, or renewed in time."""

import json
import time
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from realtime import Identity, Limits
from realtime.testing import Kit
from tests.realtime.families import FAMILIES, NO_PINGS
from tests.realtime.streams import House, running, speak, stream

LIMITS = Limits(expiry_grace_s=1, ping_interval_s=NO_PINGS)
TOKENS = {"short": 2.0, "long": 3600.0}


async def verify(token: str) -> Identity:
    """Tokens say how long they last."""
    return Identity(user="7", session="s7", expires_at=time.time() + TOKENS[token])


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with running(Kit(FAMILIES, limits=LIMITS, verify_token=verify)) as one:
        yield one


@pytest.mark.parametrize("path", ["/connection/sse", "/connection/http_stream"])
@pytest.mark.parametrize("renews", [True, False])
async def test_a_stream_ends_with_its_token_unless_it_is_renewed(
    house: House, path: str, *, renews: bool
) -> None:
    """The goodbye is a push; the renewal comes through `/emulation`."""
    async with stream(house, path, {"id": 1, "connect": {"token": "short"}}) as down:
        welcome = (await down.next())["connect"]
        assert (welcome["expires"], welcome["ttl"]) == (True, 1)
        if renews:
            assert await speak(house, welcome, {"id": 2, "refresh": {"token": "long"}}) == 204
            assert (await down.next())["refresh"]["ttl"] > 3000
            return
        assert (await down.next())["push"]["disconnect"]["code"] == 3005
        assert await down.next() is None


async def test_a_listening_stream_ends_with_its_token(house: House) -> None:
    """It cannot renew: it comes back with another token."""
    async with stream(house, "/connection/uni_sse", {"token": "short"}) as down:
        assert (await down.next())["connect"]["expires"] is True
        assert (await down.next())["disconnect"]["code"] == 3005


@pytest.mark.parametrize("path", ["websocket", "uni_websocket"])
async def test_a_socket_ends_with_its_token(house: House, path: str) -> None:
    """By its close code."""
    address = house.base.replace("http", "ws") + f"/connection/{path}"
    first = (
        {"token": "short"} if path.startswith("uni") else {"id": 1, "connect": {"token": "short"}}
    )
    async with connect(address) as socket:
        await socket.send(json.dumps(first))
        assert json.loads(await socket.recv())["connect"]["expires"] is True
        await socket.wait_closed()
        assert socket.close_code == 3005


async def test_the_server_moves_the_end_on_every_transport(house: House) -> None:
    """`api.refresh` is told as a push, wrapped or bare."""
    async with (
        stream(house, "/connection/sse", {"id": 1, "connect": {"token": "long"}}) as full,
        stream(house, "/connection/uni_sse", {"token": "long"}) as bare,
    ):
        for down in (full, bare):
            await down.next()
        await house.kit.node.api.refresh(time.time() + 50, user="7")
        assert (await full.next())["push"]["refresh"]["expires"] is True
        assert (await bare.next())["refresh"]["expires"] is True
