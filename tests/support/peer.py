"""Programs of the tests that obey JSON lines: a server of a crowd, and the crowd itself."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parents[2]
LINE_MAX = 2**26
Ears = Iterable[tuple[str, str, Sequence[str]]]
"""User (the token), a header line or nothing, and the channels of each."""


class Peer:
    """A process that answers every order with one line; it ends with its input."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def tell(self, what: object) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self) -> dict[str, Any]:
        """Read one line. Raises ConnectionError when the process has ended."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise ConnectionError("the test's program has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """Give an order; its answer."""
        await self.tell({"do": do, **what})
        return await self.hear()


@asynccontextmanager
async def _program(module: str) -> AsyncIterator[Peer]:
    command = [sys.executable, "-m", module]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=PROJECT, stdin=PIPE, stdout=PIPE, limit=LINE_MAX
    )
    try:
        yield Peer(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def crowd_server(**limits: float) -> AsyncIterator[tuple[Peer, str]]:
    """The library in a process of its own, and its address."""
    async with _program("tests.support.crowd_server") as server:
        await server.tell(limits)
        yield server, (await server.hear())["url"]


@asynccontextmanager
async def crowd(url: str, ears: Ears, within_s: float = 60) -> AsyncIterator[Peer]:
    """Listeners in a process of their own; all are subscribed inside the block."""
    address = urlsplit(url)
    async with _program("tests.support.ears") as listeners:
        wanted = [{"user": u, "header": h, "channels": list(c)} for u, h, c in ears]
        await listeners.tell({"host": address.hostname, "port": address.port, "ears": wanted})
        here = await listeners.ask("wait", within_s=within_s)
        assert not here["away"], f"{here['away']} never came"
        yield listeners
