"""A process that is told to end: not ready, clients sent elsewhere, nothing lost (R9, small)."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.broker_redis import RedisBroker
from tests.load.harness import free_port, redis_server, wait_for_port
from tests.realtime.waiting import until

ROOT = Path(__file__).parent.parent.parent
CLIENTS = 40
CHANNEL = "tail:drain"
END_S = 10.0


class Server:
    """One process of the service."""

    def __init__(self, redis: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "tests.load.server", "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--redis", redis], cwd=ROOT, env=os.environ)
        wait_for_port(self.port, self.process)

    def end(self) -> None:
        """Do not outlive the test."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as port:
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture
def servers(redis_url: str) -> Iterator[list[Server]]:
    started: list[Server] = []
    try:
        started += [Server(redis_url), Server(redis_url)]
        yield started
    finally:
        for server in started:
            server.end()


class Client:
    """Comes back elsewhere, as every client library does, and asks for what it missed."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.seen: list[int] = []
        self.closes: list[int] = []
        self.unrecovered = 0
        self.live = asyncio.Event()
        self.epoch = ""

    async def run(self) -> None:
        """Live until cancelled."""
        attempt = 0
        while True:
            port = self.ports[attempt % len(self.ports)]
            attempt += 1
            with contextlib.suppress(OSError):
                await self._live_once(f"ws://127.0.0.1:{port}/connection/websocket")
            self.live.clear()
            await asyncio.sleep(0.01)

    async def _live_once(self, url: str) -> None:
        async with connect(url) as socket:
            recover = {"recover": True, "epoch": self.epoch, "offset": self.last}
            subscribe = {"channel": CHANNEL, **(recover if self.epoch else {})}
            commands = [{"id": 1, "connect": {}}, {"id": 2, "subscribe": subscribe}]
            await socket.send("\n".join(json.dumps(command) for command in commands))
            try:
                async for text in socket:
                    for line in str(text).splitlines():
                        self._take(json.loads(line))
            except ConnectionClosed:
                pass
            self.closes.append(socket.close_code or 0)

    @property
    def last(self) -> int:
        return self.seen[-1] if self.seen else 0

    def _take(self, frame: dict[str, Any]) -> None:
        if "subscribe" in frame:
            result = frame["subscribe"]
            if self.epoch and not result.get("recovered"):
                self.unrecovered += 1
            self.epoch = result["epoch"]
            self.seen += [p["offset"] for p in result.get("publications", [])]
            self.live.set()
        elif "push" in frame:
            self.seen.append(frame["push"]["pub"]["offset"])


@pytest.fixture
async def broker(redis_url: str) -> AsyncIterator[RedisBroker]:
    class Nobody:
        def on_message(self, *_: object) -> None: ...
        def on_control(self, *_: object) -> None: ...
        def on_restored(self) -> None: ...

    broker = RedisBroker(redis_url)
    await broker.start(Nobody(), "publisher")  # type: ignore[arg-type]
    yield broker
    await broker.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_r9_a_process_that_ends_loses_nothing(
    servers: list[Server], broker: RedisBroker, number: signal.Signals
) -> None:
    """Readiness off, 3001 to everybody, gone within 10 s; each client has all, once, in order."""
    first, second = servers
    clients = [Client([first.port, second.port]) for _ in range(CLIENTS)]
    running = [asyncio.create_task(client.run()) for client in clients]
    published = 0
    try:
        async with asyncio.timeout(10):
            await asyncio.gather(*(client.live.wait() for client in clients))
        statuses = set[int]()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{first.port}") as http:
            # Connected before: a drain of so few clients is shorter than a busy machine's connect.
            assert (await http.get("/health/ready")).status_code == 200
            told_at = time.monotonic()
            first.process.send_signal(number)
            while first.process.poll() is None and time.monotonic() - told_at < END_S:
                published, _ = await broker.append(CHANNEL, b'{"n":%d}' % published)
                with contextlib.suppress(httpx.HTTPError):
                    statuses.add((await http.get("/health/ready")).status_code)
        assert time.monotonic() - told_at < END_S
        assert 503 in statuses
        async with asyncio.timeout(10):
            await asyncio.gather(*(client.live.wait() for client in clients))
            published, _ = await broker.append(CHANNEL, b'"last"')
            await until(lambda: all(client.last == published for client in clients))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert all(client.closes[0] == 3001 for client in clients), [c.closes for c in clients]
    assert all(client.seen == list(range(1, published + 1)) for client in clients)
    assert not any(client.unrecovered for client in clients)
