"""Thousands of listeners in one process of their own: `python -m tests.support.ears`.

They come back from where they were, as SDKs do, and count on every channel what is missing, doubled
or out of order. Orders come as JSON lines and each is answered by one; the end of the input is the
end. Publications carry the moment at which they were made.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from tests.support.hostile import HANDSHAKE, masked_text

PUBLICATION = re.compile(
    rb'\{"push":\{"channel":"([^"]+)","pub":\{"data":([0-9.e+]+) *,"offset":(\d+)\}\}\}'
)
PONG = masked_text("{}")
AT_ONCE = 200
"""Handshakes on the way: SDKs spread theirs by jitter."""
CLOSE, PING = 0x88, 0x89
COME_BACK_S = 0.05


@dataclass
class Tally:
    """What all of them heard."""

    heard: int = 0
    missing: int = 0
    duplicated: int = 0
    gaps: int = 0
    """How often a listener was told that something is lost."""
    recovered: int = 0
    connects: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


class Ear(asyncio.Protocol):
    """One listener of some channels; its positions outlive its connections."""

    def __init__(self, crowd: "Crowd", user: str, header: str, channels: list[str]) -> None:
        self.crowd = crowd
        self.tally = crowd.tally
        self.handshake = HANDSHAKE[:-2] + header.encode() + b"\r\n"
        self.user = user
        self.channels = channels
        self.positions: dict[str, tuple[int, str]] = {}
        self.joined: set[str] = set()
        self.is_open = False
        self.transport: asyncio.Transport | None = None
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self.transport = cast("asyncio.Transport", transport)
        self.is_open, self.rest = False, b""
        self.transport.write(self.handshake)

    def connection_lost(self, _error: Exception | None) -> None:
        """Come back, unless it is the end."""
        self.transport = None
        self.joined.clear()
        self.crowd.lost(self)

    def data_received(self, data: bytes) -> None:
        """The answer to the handshake, then frames."""
        data = self.rest + data
        if not self.is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self.rest = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._abort()
                return
            self._greet()
        self.rest = self._frames(data)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def drop(self) -> None:
        """Lose the line without a goodbye."""
        self._abort()

    def _greet(self) -> None:
        self.is_open = True
        self.tally.connects += 1
        connect = {"token": self.user} if self.user else {}
        lines = [json.dumps({"id": 1, "connect": connect})]
        lines += [self._subscribe(channel) for channel in self.channels]
        self._say("\n".join(lines))

    def _say(self, text: str) -> None:
        if self.transport is not None:
            self.transport.write(masked_text(text))

    def _subscribe(self, channel: str) -> str:
        body: dict[str, Any] = {"channel": channel}
        offset, epoch = self.positions.get(channel, (0, ""))
        if epoch:
            body |= {"recover": True, "offset": offset, "epoch": epoch}
        return json.dumps({"id": 2 + self.channels.index(channel), "subscribe": body})

    def _frames(self, data: bytes) -> bytes:
        """Take whole frames; the rest waits."""
        at, now = 0, time.monotonic()
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : start], "big")
            if len(data) < start + size:
                break
            self._frame(data[at], data[start : start + size], now)
            at = start + size
        return data[at:]

    def _frame(self, first: int, payload: bytes, now: float) -> None:
        if first == CLOSE:
            self.tally.codes[int.from_bytes(payload[:2], "big")] += 1
            self._abort()
        elif first != PING:
            for line in payload.split(b"\n"):
                self._line(line, now)

    def _line(self, line: bytes, now: float) -> None:
        found = PUBLICATION.fullmatch(line)
        if found is not None:
            channel, made, offset = found.groups()
            self._hear(channel.decode(), int(offset))
            self.tally.latencies.append(now - float(made))
        elif line == b"{}":
            if self.transport is not None:
                self.transport.write(PONG)
        elif line:
            self._answer(json.loads(line))

    def _answer(self, message: dict[str, Any]) -> None:
        push = message.get("push", {})
        if "pub" in push:
            self._hear(push["channel"], push["pub"]["offset"])
        elif "unsubscribe" in push:
            self._say(self._subscribe(push["channel"]))
        elif message.get("id", 0) >= 2:
            channel = self.channels[message["id"] - 2]
            if "error" not in message:
                self._join(channel, message["subscribe"])
            elif message["error"].get("temporary"):
                self._say(self._subscribe(channel))

    def _join(self, channel: str, result: dict[str, Any]) -> None:
        known = bool(self.positions.get(channel, (0, ""))[1])
        self.tally.recovered += bool(known and result.get("recovered"))
        self.tally.gaps += known and not result.get("recovered")
        if known and result.get("recovered"):
            for publication in result.get("publications") or []:
                self._hear(channel, publication["offset"])
        self.positions[channel] = (result.get("offset", 0), result.get("epoch", ""))
        self.joined.add(channel)
        if len(self.joined) == len(self.channels):
            self.crowd.arrived(self)

    def _hear(self, channel: str, offset: int) -> None:
        """Offsets have no holes: what is not the next one is missing, or heard already."""
        last, epoch = self.positions[channel]
        self.tally.heard += 1
        if offset <= last:
            self.tally.duplicated += 1
            return
        self.tally.missing += offset - last - 1
        self.positions[channel] = (offset, epoch)


class Crowd:
    """All listeners of the process."""

    def __init__(self, host: str, port: int) -> None:
        self.address = host, port
        self.tally = Tally()
        self.ears: list[Ear] = []
        self.away: set[Ear] = set()
        self.all_here = asyncio.Event()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._dice = random.Random(1)

    def add(self, user: str, header: str, channels: list[str]) -> None:
        """Have one more."""
        ear = Ear(self, user, header, channels)
        self.ears.append(ear)
        self.lost(ear)

    def lost(self, ear: Ear) -> None:
        """Have it come back."""
        self.away.add(ear)
        self.all_here.clear()
        task = asyncio.get_running_loop().create_task(self._come(ear))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def arrived(self, ear: Ear) -> None:
        """It is subscribed to everything."""
        self.away.discard(ear)
        if not self.away:
            self.all_here.set()

    async def _come(self, ear: Ear) -> None:
        await asyncio.sleep(COME_BACK_S * self._dice.random())
        async with self._gate:
            with suppress(OSError):
                await asyncio.get_running_loop().create_connection(lambda: ear, *self.address)
                return
        self.lost(ear)

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order."""
        match order.pop("do"):
            case "wait":
                begun = time.monotonic()
                with suppress(TimeoutError):
                    async with asyncio.timeout(order["within_s"]):
                        await self.all_here.wait()
                return {"away": len(self.away), "seconds": time.monotonic() - begun}
            case "drop":
                for ear in self.ears:
                    ear.drop()
                return {}
            case "level":
                return {"behind": await self._behind(order["heads"], order["within_s"])}
        return self.report()

    async def _behind(self, heads: dict[str, int], within_s: float) -> int:
        """Wait until everybody has heard up to these offsets; how many have not."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and self._late(heads):  # noqa: ASYNC110  many places
            await asyncio.sleep(0.02)
        return self._late(heads)

    def _late(self, heads: dict[str, int]) -> int:
        return sum(
            ear.positions[channel][0] != heads[channel]
            for ear in self.ears
            for channel in ear.channels
            if channel in heads
        )

    def report(self) -> dict[str, Any]:
        """What was heard since the last report."""
        tally = self.tally
        latencies = sorted(tally.latencies)
        nearly_last = int(len(latencies) * 0.99)
        found = {
            "heard": tally.heard,
            "missing": tally.missing,
            "duplicated": tally.duplicated,
            "gaps": tally.gaps,
            "recovered": tally.recovered,
            "connects": tally.connects,
            "codes": dict(tally.codes),
            "p99_ms": round(latencies[nearly_last] * 1000, 2) if latencies else 0,
        }
        fresh = Tally()
        vars(tally).update(vars(fresh))
        return found


async def main() -> None:
    """Obey until the input ends."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    first = json.loads(await orders.readline())
    crowd = Crowd(first["host"], first["port"])
    for ear in first["ears"]:
        crowd.add(ear["user"], ear["header"], ear["channels"])
    while line := await orders.readline():
        print(json.dumps(await crowd.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
