"""A public test kit: clients without sockets, a clock of one's own, a log without a database.

async with Kit(families=[...], rpc={...}) as kit:
    client = await kit.connected(Identity(user="7"))
    await client.subscribe("book:1")
    await kit.push("book:1", {"likes": 1})
    assert (await client.assert_push("book:1"))["data"] == {"likes": 1}

README.md holds a whole test.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self

from realtime.broker import Broker
from realtime.broker_memory import MemoryBroker
from realtime.codes import InvalidToken, RealtimeError
from realtime.model import (
    ChannelFamily,
    Delivery,
    DurableLog,
    Hooks,
    Identity,
    Limits,
    Publication,
    RpcMethod,
    VerifyToken,
)
from realtime.node import Node
from realtime.protocol import Frame

DEADLINE_S = 5.0
"""How long the kit waits for something that must happen."""


class ManualClock:
    """Time that moves only when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class MemoryLog:
    """A durable log in memory: what is committed here is the truth of the test."""

    def __init__(self, epoch: str = "log1") -> None:
        self.epoch = epoch
        self.rows: dict[str, list[Publication]] = {}
        self.trimmed: dict[str, int] = {}
        self.reads = 0

    def commit(self, channel: str, data: object) -> Publication:
        """Add an entry, as a transaction would."""
        rows = self.rows.setdefault(channel, [])
        rows.append(Publication(json.dumps(data).encode(), len(rows) + 1))
        return rows[-1]

    async def head(self, channel: str) -> tuple[int, str]:
        """Return the newest offset and the epoch."""
        return len(self.rows.get(channel, ())), self.epoch

    async def heads(self, channels: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Return several heads."""
        return {channel: await self.head(channel) for channel in channels}

    async def read(self, channel: str, after: int, limit: int) -> list[Publication]:
        """Return entries after an offset that were not trimmed."""
        self.reads += 1
        start = max(after, self.trimmed.get(channel, 0))
        return self.rows.get(channel, [])[start : start + limit]


class MemoryTransport:
    """Keeps what a connection sends; `stall` plays a client that stops reading."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.aborted = False
        self.stall = False
        self.changed = asyncio.Event()

    async def send(self, frames: Sequence[Frame]) -> None:
        """Take frames, unless the client does not read."""
        if self.stall:
            await asyncio.get_running_loop().create_future()
        self.frames += [json.loads(line) for f in frames for line in f.text.splitlines()]
        self.changed.set()

    async def close(self, code: int, reason: str) -> None:
        """Note the close."""
        if self.stall:
            await asyncio.get_running_loop().create_future()
        self.closed = (code, reason)
        self.changed.set()

    def abort(self) -> None:
        """Note that the connection was dropped."""
        self.aborted = True
        self.changed.set()


class Client:
    """A client in the same process; answers and pushes are plain dictionaries."""

    def __init__(self, node: Node, identity: Identity | None, *, token_required: bool) -> None:
        self.transport = MemoryTransport()
        self.connection = node.open(
            self.transport, identity=identity, token_required=token_required
        )
        self._node = node
        self._last_id = 0
        self._runner = asyncio.create_task(self.connection.run())

    def send(self, frame: str | bytes) -> None:
        """Send a raw frame."""
        self.connection.receive(frame)

    async def command(self, verb: str, /, **body: Any) -> dict[str, Any]:
        """Send one command; returns the result. Raises RealtimeError for an error reply."""
        self._last_id += 1
        mine = self._last_id
        self.send(json.dumps({"id": mine, verb: body}))
        reply = await self._find(lambda f: f.get("id") == mine, f"a reply to {verb}")
        if "error" in reply:
            error = reply["error"]
            temporary = error.get("temporary", False)
            raise RealtimeError(error["code"], error["message"], temporary=temporary)
        result: dict[str, Any] = reply[verb]
        return result

    async def connect(self, token: str = "") -> dict[str, Any]:
        """Connect."""
        return await self.command("connect", **({"token": token} if token else {}))

    async def subscribe(self, channel: str, **options: Any) -> dict[str, Any]:
        """Subscribe; options are `recover`, `offset`, `epoch`."""
        return await self.command("subscribe", channel=channel, **options)

    async def unsubscribe(self, channel: str) -> dict[str, Any]:
        """Unsubscribe."""
        return await self.command("unsubscribe", channel=channel)

    async def rpc(self, method: str, data: object = None) -> Any:
        """Call a method; returns its decoded result."""
        return (await self.command("rpc", method=method, data=data))["data"]

    async def assert_push(self, channel: str, kind: str = "pub") -> dict[str, Any]:
        """Take the next push of this kind on this channel, waiting for it."""
        frame = await self._find(lambda f: _fits(f, channel, kind), f"{kind} on {channel}")
        push: dict[str, Any] = frame["push"][kind]
        return push

    async def assert_closed(self) -> tuple[int, str]:
        """Wait for the close; returns code and reason."""
        async with asyncio.timeout(DEADLINE_S):
            await self._runner
        assert self.transport.closed is not None, "the connection ended without a close"
        return self.transport.closed

    async def assert_no_push(self, channel: str, kind: str = "pub") -> None:
        """Check that no push of this kind has come; a ping round trip comes first."""
        await self.command("ping")
        found = [f for f in self.transport.frames if _fits(f, channel, kind)]
        assert not found, found

    async def cut(self) -> None:
        """Lose the connection without a goodbye."""
        self.connection.lost()
        await self._runner

    async def _find(self, fits: Any, what: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    for frame in self.transport.frames:
                        if fits(frame):
                            self.transport.frames.remove(frame)
                            return frame
                    self.transport.changed.clear()
                    await self.transport.changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {what}; waiting: {self.transport.frames}") from None


def _fits(frame: dict[str, Any], channel: str, kind: str) -> bool:
    push = frame.get("push", {})
    return push.get("channel") == channel and kind in push


async def token_is_user(token: str) -> Identity:
    """Accept any token as the user's name, but not `bad`."""
    if token == "bad":  # noqa: S105  no secret
        raise InvalidToken
    return Identity(user=token, session=f"session of {token}")


class Kit:
    """A node with everything in memory; use it as an async context."""

    def __init__(
        self,
        families: Sequence[ChannelFamily],
        *,
        rpc: Mapping[str, RpcMethod] | None = None,
        log: DurableLog | None = None,
        broker: Broker | None = None,
        limits: Limits | None = None,
        verify_token: VerifyToken = token_is_user,
        clock: ManualClock | None = None,
        hooks: Hooks | None = None,
        open_to_all: bool = False,
        name: str = "",
    ) -> None:
        self.log = log or MemoryLog()
        self.clock = clock
        self._versions = count(1)
        self.node = Node(
            broker=broker or MemoryBroker(),
            families=families,
            rpc=rpc or {},
            log=self.log,
            verify_token=verify_token,
            map_error=lambda _: None,
            limits=limits,
            clock=clock or time.monotonic,
            wall_clock=clock or time.time,
            hooks=hooks,
            open_to_all=open_to_all,
            name=name,
        )

    async def push(self, channel: str, data: object) -> None:
        """Publish to a channel as its class asks; an entry of a LOG is committed first.

        Raises BrokerUnavailable for a TAIL, RealtimeError 102.
        """
        text = json.dumps(data).encode()
        match self.node.family(channel).delivery:
            case Delivery.LOG:
                assert isinstance(self.log, MemoryLog), "commit to the log by yourself"
                await self.node.publish_log(channel, self.log.commit(channel, data))
            case Delivery.VALUE:
                await self.node.publish_value(channel, text, next(self._versions))
            case _:
                await self.node.publish_tail(channel, text)

    async def pass_s(self, seconds: float) -> None:
        """Let time pass on the kit's own clock, and the node look at it."""
        assert self.clock is not None, "give the kit a ManualClock"
        self.clock.advance(seconds)
        await self.node.tick()

    def client(self, identity: Identity | None = None, *, token_required: bool = False) -> Client:
        """Open a connection that has said nothing yet."""
        return Client(self.node, identity, token_required=token_required)

    async def connected(self, identity: Identity | None = None) -> Client:
        """Open a connection and connect it under this identity."""
        client = self.client(identity)
        await client.connect()
        return client

    async def __aenter__(self) -> Self:
        await self.node.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.node.stop()
