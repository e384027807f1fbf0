"""Clients that only listen, over SSE and WebSocket: bare pushes, no answers, no pongs."""

import json
from collections.abc import AsyncIterator

import pytest
import websockets

from realtime import Identity, Limits, TokenExpired
from realtime.codes import INTERNAL
from realtime.model import Hooks, Welcome
from realtime.testing import Kit, token_is_user
from tests.realtime.families import FAMILIES
from tests.realtime.served import COOKIE, ORIGIN
from tests.realtime.streams import House, running, stream


async def greet(_identity: Identity, _data: bytes) -> Welcome:
    """Subscribe everybody to one channel."""
    return Welcome(("value:1",))


async def verify(token: str) -> Identity:
    """Tokens are users; some have a story."""
    match token:
        case "expired":
            raise TokenExpired
        case "broken":
            raise INTERNAL.error()
    return await token_is_user(token)


async def everything(socket: websockets.ClientConnection) -> None:
    """Read to the end; nothing but pings may come."""
    while True:
        assert await socket.recv() == "{}"


class TestListening:
    """Clients that only listen: bare pushes, no answers, no pongs."""

    @pytest.fixture
    async def greeting(self) -> AsyncIterator[House]:
        limits = Limits(ping_interval_s=1, pong_timeout_s=0.1)
        kit = Kit(FAMILIES, limits=limits, hooks=Hooks(greet), verify_token=verify)
        async with running(kit) as one:
            yield one

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_uni_sse(self, greeting: House, method: str) -> None:
        """The connect push tells the channels; publications follow; pings need no pong."""
        async with stream(greeting, "/connection/uni_sse", {"token": "7"}, method=method) as down:
            welcome = (await down.next())["connect"]
            assert "value:1" in welcome["subs"]
            assert "session" not in welcome
            assert "pong" not in welcome
            await greeting.kit.node.publish_value("value:1", b"5", 1)
            assert await down.next() == {"channel": "value:1", "pub": {"data": 5}}
            assert await down.next() == {}
            assert await down.next() == {}
            await greeting.kit.node.disconnect_user("7")
            assert (await down.next())["disconnect"]["code"] == 3503
            assert await down.next() is None

    async def test_uni_websocket(self, greeting: House) -> None:
        """The same as messages of a socket, closed with the code."""
        address = greeting.base.replace("http", "ws") + "/connection/uni_websocket"
        async with websockets.connect(address) as socket:
            await socket.send(json.dumps({"token": "7"}))
            welcome = json.loads(await socket.recv())["connect"]
            assert "value:1" in welcome["subs"]
            await socket.send(json.dumps({"id": 2, "ping": {}}))
            await greeting.kit.node.publish_value("value:1", b"5", 1)
            assert json.loads(await socket.recv()) == {"channel": "value:1", "pub": {"data": 5}}
            await greeting.kit.node.disconnect_user("7")
            with pytest.raises(websockets.ConnectionClosed):
                await everything(socket)
            assert socket.close_code == 3503

    async def test_a_refusal_is_a_goodbye(self, greeting: House) -> None:
        """A client that cannot ask again is told whether to come again."""
        async with stream(greeting, "/connection/uni_sse", {"token": "bad"}) as down:
            assert (await down.next())["disconnect"]["code"] == 3500
        for token, code in (("expired", 3005), ("broken", 3004)):
            async with stream(greeting, "/connection/uni_sse", {"token": token}) as down:
                assert (await down.next())["disconnect"]["code"] == code
        async with stream(greeting, "/connection/uni_sse", {}, cookie=COOKIE) as down:
            refusal = (await down.next())["disconnect"]
            assert refusal == {"code": 3507, "reason": "unauthorized"}

    async def test_nonsense_is_refused(self, greeting: House) -> None:
        """400 on a stream, 3501 on a socket, 403 for a foreign origin."""
        answer = await greeting.http.post("/connection/uni_sse", content=b"[]")
        assert answer.status_code == 400
        address = greeting.base.replace("http", "ws") + "/connection/uni_websocket"
        async with websockets.connect(address) as socket:
            await socket.send("nonsense")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 3501
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(address, origin="https://evil.example")  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
        headers = {"cookie": "session=broken", "origin": ORIGIN}
        async with websockets.connect(address, additional_headers=headers) as socket:
            with pytest.raises(websockets.ConnectionClosed) as away:
                await socket.recv()
            assert away.value.rcvd is not None
            assert away.value.rcvd.code == 3004
