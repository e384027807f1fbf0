"""A scripted OpenAI-compatible server on loopback, in a thread of its own.

A test registers what to answer to messages that contain a word of its choice, so that tests do not
disturb each other: `with fake_llm.script("zebra", Script(["Ze", "bras"])): ...`.
"""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

START_TIMEOUT_S = 10
OBEY = "REPEAT AFTER ME:"
"""The malicious model `obey` says whatever follows these words anywhere in its prompt."""


@dataclass(frozen=True)
class Script:
    """What to say, and what goes wrong.

    `hang_after` and `break_after` count pieces; 0 means before the first one.
    """

    pieces: Sequence[str] = ("A ", "scripted ", "answer.")
    delay_s: float = 0.0
    status: int = 200
    hang_after: int | None = None
    break_after: int | None = None
    error_after: int | None = None
    times: int | None = None
    """Only so many requests meet this script, later ones the next that fits."""

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


DEFAULT = Script()


@dataclass
class _Entry:
    word: str
    script: Script
    left: int | None


@dataclass
class FakeLLM:
    """The server's address, its scripts, and every request body it has seen."""

    base_url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    """The questions whose reader went away in the middle."""
    _entries: list[_Entry] = field(default_factory=list)

    @contextmanager
    def script(self, word: str, script: Script) -> Iterator[Script]:
        """Answer like this to every message that contains the word; the newest script wins."""
        entry = _Entry(word, script, script.times)
        self._entries.insert(0, entry)
        try:
            yield script
        finally:
            self._entries.remove(entry)

    def prompts_with(self, word: str) -> list[dict[str, Any]]:
        """The requests whose last message contains the word."""
        return [body for body in list(self.requests) if word in body["messages"][-1]["content"]]

    def choose(self, body: dict[str, Any]) -> Script:
        """The script for a request."""
        everything = "\n".join(message["content"] for message in body["messages"])
        if body["model"] == "obey" and OBEY in everything:
            return Script(everything.split(OBEY, 1)[1].strip().split(" "))
        for entry in self._entries:
            if entry.word in body["messages"][-1]["content"] and entry.left != 0:
                if entry.left is not None:
                    entry.left -= 1
                return entry.script
        return DEFAULT


class _Server:
    """Speaks just enough HTTP/1.1: one request per connection."""

    def __init__(self, fake: FakeLLM) -> None:
        self.fake = fake
        self.ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.done = asyncio.Event()
        self.handlers: set[asyncio.Task[Any]] = set()

    def run(self) -> None:
        """Serve until stopped; the body of the thread."""
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.loop.close()

    def stop(self) -> None:
        """From another thread."""
        self.loop.call_soon_threadsafe(self.done.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.fake.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self.ready.set()
        await self.done.wait()
        server.close()
        for task in list(self.handlers):
            task.cancel()
        await asyncio.gather(*self.handlers, return_exceptions=True)
        await server.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                body = json.loads(await reader.readexactly(length))
                self.fake.requests.append(body)
                await self._answer(reader, writer, body)
        finally:
            self.handlers.discard(task)
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: dict[str, Any]
    ) -> None:
        script = self.fake.choose(body)
        if script.status != 200:
            fault = json.dumps({"error": {"message": "scripted"}}).encode()
            head = f"HTTP/1.1 {script.status} Scripted\r\ncontent-type: application/json\r\n"
            writer.write(f"{head}content-length: {len(fault)}\r\n\r\n".encode() + fault)
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        gone = asyncio.ensure_future(reader.read(1))  # nothing more comes but the end
        try:
            if await self._speak(writer, script, gone):
                _event(writer, _chunk({}, "stop"))
                _chunked(writer, b"data: [DONE]\n\n")
                writer.write(b"0\r\n\r\n")
                await writer.drain()
            elif gone.done():
                self.fake.cut.append(body["messages"][-1]["content"])
        finally:
            gone.cancel()

    async def _speak(
        self, writer: asyncio.StreamWriter, script: Script, gone: asyncio.Future[bytes]
    ) -> bool:
        """Whether the script came to its good end."""
        for number, piece in enumerate([*script.pieces, ""]):
            if script.error_after == number:
                _event(writer, {"error": {"message": "scripted"}})
                return False
            if script.hang_after == number:
                await gone
            if gone.done() or script.break_after == number:
                return False
            _event(writer, _chunk({"content": piece}, None))
            await writer.drain()
            if script.delay_s:
                await asyncio.wait({gone}, timeout=script.delay_s)
        return True


def _chunk(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "x", "object": "chat.completion.chunk", "choices": [choice]}


def _event(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    _chunked(writer, b"data: " + json.dumps(event).encode() + b"\n\n")


def _chunked(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@pytest.fixture(scope="session")
def fake_llm() -> Iterator[FakeLLM]:
    """The scripted model server of the run."""
    with scripted_model() as fake:
        yield fake


@contextmanager
def scripted_model() -> Iterator[FakeLLM]:
    """Serve in a thread of its own."""
    fake = FakeLLM()
    server = _Server(fake)
    thread = threading.Thread(target=server.run, name="fake-llm", daemon=True)
    thread.start()
    assert server.ready.wait(START_TIMEOUT_S)
    yield fake
    server.stop()
    thread.join(START_TIMEOUT_S)
