"""The unmodified `centrifuge-python` client against the open server, over its WebSocket."""

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
import uvicorn
from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    DeltaType,
    SubscriptionEventHandler,
    SubscriptionState,
)

from tests.realtime.open_server import API_KEY, SECRET, open_app, open_node
from tests.realtime.waiting import until

FAST = {"min_reconnect_delay": 0.02, "max_reconnect_delay": 0.1}


def token(user: str, channel: str = "") -> str:
    """Sign as the public test suites do, with their short secret."""
    claims = {"sub": user, **({"channel": channel} if channel else {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, SECRET, algorithm="HS256")


class Heard(SubscriptionEventHandler):
    """Notes what a subscription tells."""

    def __init__(self) -> None:
        self.data: list[Any] = []
        self.joined: list[str] = []
        self.left: list[str] = []
        self.subscribed: list[tuple[bool, bool]] = []
        self.ended: list[int] = []

    async def on_publication(self, ctx: Any) -> None:
        """Note data."""
        self.data.append(ctx.pub.data)

    async def on_join(self, ctx: Any) -> None:
        """Note who came."""
        self.joined.append(ctx.info.user)

    async def on_leave(self, ctx: Any) -> None:
        """Note who went."""
        self.left.append(ctx.info.user)

    async def on_subscribed(self, ctx: Any) -> None:
        """Note whether it recovered."""
        self.subscribed.append((ctx.was_recovering, ctx.recovered))

    async def on_unsubscribed(self, ctx: Any) -> None:
        """Note the code."""
        self.ended.append(ctx.code)


class Told(ClientEventHandler):
    """Notes what a connection tells."""

    def __init__(self) -> None:
        self.ended: list[int] = []
        self.channels: list[str] = []
        self.data: list[Any] = []

    async def on_disconnected(self, ctx: Any) -> None:
        """Note the code."""
        self.ended.append(ctx.code)

    async def on_subscribed(self, ctx: Any) -> None:
        """Note a channel of the server's choice."""
        self.channels.append(ctx.channel)

    async def on_publication(self, ctx: Any) -> None:
        """Note data of such a channel."""
        self.data.append(ctx.pub.data)


class House:
    """The open server, its API, and clients of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clients: list[Client] = []

    async def client(self, user: str = "42", events: ClientEventHandler | None = None) -> Client:
        async def get_token() -> str:
            return token(user)

        client = Client(self.url, get_token=get_token, events=events or Told(), **FAST)
        self.clients.append(client)
        await client.connect()
        await client.ready(5)
        return client

    async def api(self, method: str, **body: Any) -> Any:
        """Call the server API; returns the result."""
        url = f"http://{urlsplit(self.url).netloc}/api/{method}"
        async with httpx.AsyncClient() as http:
            answer = await http.post(url, json=body, headers={"X-API-Key": API_KEY})
        assert answer.status_code == 200, answer.text
        result = answer.json()
        assert "error" not in result, result
        return result["result"]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        open_app(open_node(personal=True)),
        ws="app.http.ws_protocol:SocketProtocol",
        http="app.http.http_protocol:HttpProtocol",
        ws_per_message_deflate=False,
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started or running.done())
        one = House(f"ws://127.0.0.1:{listener.getsockname()[1]}/connection/websocket")
        try:
            yield one
        finally:
            for client in one.clients:
                await client.disconnect()
            server.should_exit = True
            await running
            listener.close()


async def test_publishes_and_reads(house: House) -> None:
    """Publish, history in both directions, presence and its numbers."""
    client = await house.client()
    heard = Heard()
    sub = client.new_subscription("news", events=heard)
    await sub.subscribe()
    await sub.ready(5)
    for number in range(3):
        await sub.publish({"n": number})
    await until(lambda: heard.data == [{"n": 0}, {"n": 1}, {"n": 2}])
    backwards = await sub.history(limit=2, reverse=True)
    assert [p.data["n"] for p in backwards.publications] == [2, 1]
    everything = await client.history("news", limit=-1)
    assert (len(everything.publications), everything.offset) == (3, 3)
    presence = await client.presence("news")
    assert [info.user for info in presence.clients.values()] == ["42"]
    stats = await sub.presence_stats()
    assert (stats.num_clients, stats.num_users) == (1, 1)
    with pytest.raises(CentrifugeError) as refused:
        await client.rpc("method", {})
    assert getattr(refused.value, "code", 0) == 108


async def test_recovers_what_it_missed(house: House) -> None:
    """Also with deltas, which are applied to what came before."""
    client = await house.client()
    heard, delta = Heard(), Heard()
    for name, events, kind in (("recovery:1", heard, None), ("delta:1", delta, DeltaType.FOSSIL)):
        sub = client.new_subscription(name, events=events, delta=kind)
        await sub.subscribe()
        await sub.ready(5)
    body = "x" * 300
    channels = ["recovery:1", "delta:1"]
    await house.api("broadcast", channels=channels, data={"n": 1, "body": body})
    await until(lambda: len(heard.data) == len(delta.data) == 1)
    await client.disconnect()
    for number in (2, 3):
        await house.api("broadcast", channels=channels, data={"n": number, "body": body})
    await client.connect()
    await until(lambda: len(heard.data) == len(delta.data) == 3)
    await house.api("broadcast", channels=channels, data={"n": 4, "body": body})
    await until(lambda: len(heard.data) == len(delta.data) == 4)
    expected = [{"n": number, "body": body} for number in (1, 2, 3, 4)]
    assert heard.data == delta.data == expected
    assert heard.subscribed == delta.subscribed == [(False, False), (True, True)]


async def test_is_told_when_it_cannot_recover(house: House) -> None:
    """A history of two does not reach back over five."""
    client, heard = await house.client(), Heard()
    sub = client.new_subscription("smallhistory:1", events=heard)
    await sub.subscribe()
    await sub.ready(5)
    await house.api("publish", channel="smallhistory:1", data=0)
    await until(lambda: heard.data == [0])
    await client.disconnect()
    for number in range(5):
        await house.api("publish", channel="smallhistory:1", data=number)
    await client.connect()
    await until(lambda: len(heard.subscribed) == 2)
    assert heard.subscribed[1] == (True, False)


async def test_sees_who_comes_and_goes(house: House) -> None:
    """Joins and leaves of others."""
    client, heard = await house.client(), Heard()
    sub = client.new_subscription("news", events=heard)
    await sub.subscribe()
    await sub.ready(5)
    other = await house.client("43")
    visitor = other.new_subscription("news")
    await visitor.subscribe()
    await visitor.ready(5)
    await until(lambda: "43" in heard.joined)
    await other.disconnect()
    await until(lambda: "43" in heard.left)


async def test_the_server_moves_its_subscriptions(house: House) -> None:
    """A personal channel at connect, one more by the API, and both ends."""
    told = Told()
    await house.client(events=told)
    await until(lambda: told.channels == ["#42"])
    await house.api("subscribe", user="42", channel="more")
    await until(lambda: told.channels == ["#42", "more"])
    await house.api("publish", channel="more", data={"a": 1})
    await until(lambda: told.data == [{"a": 1}])
    await house.api("unsubscribe", user="42", channel="more")
    assert list((await house.api("presence", channel="more"))["presence"]) == []
    await house.api("disconnect", user="42")
    await until(lambda: told.ended == [3503])


async def test_an_unsubscribed_client_stays_away(house: House) -> None:
    """2000 ends the subscription; a token for another channel is 103."""
    client, heard = await house.client(), Heard()

    async def wrong(_channel: str) -> str:
        return token("42", "another")

    sub = client.new_subscription("news", events=heard)
    await sub.subscribe()
    await sub.ready(5)
    await house.api("unsubscribe", user="42", channel="news")
    await until(lambda: heard.ended == [2000])
    assert sub.state is SubscriptionState.UNSUBSCRIBED
    refused = Heard()
    await client.new_subscription("token", events=refused, get_token=wrong).subscribe()
    await until(lambda: refused.ended == [103])


async def test_the_api_wants_its_key_and_known_fields(house: House) -> None:
    """401 without key; errors have the protocol's codes."""
    base = f"http://{urlsplit(house.url).netloc}/api"
    async with httpx.AsyncClient(headers={"X-API-Key": API_KEY}) as http:
        other = {"X-API-Key": "x"}
        assert (await http.post(f"{base}/publish", json={}, headers=other)).status_code == 401
        for method, body, code in (
            ("publish", {"data": 1}, 107),
            ("teleport", {}, 104),
            ("history", {"channel": "a:b:c"}, 102),
            ("publish", {"channel": 1}, 107),
        ):
            answer = await http.post(f"{base}/{method}", json=body)
            assert answer.json()["error"]["code"] == code, method
    assert (await house.api("presence_stats", channel="a")) == {"num_clients": 0, "num_users": 0}
