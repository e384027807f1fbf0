"""S13: floods: too many commands, half handshakes, sockets that say nothing; neighbours go on."""

import asyncio
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.support.hostile import HANDSHAKE, close_codes, masked_text
from tests.support.neighbours import neighbourhood
from tests.support.report import Report, sized

pytestmark = pytest.mark.chaos

FLOODERS, FLOOD_S = sized((1, 3), (10, 30))
FRAMES_PER_S = 1_000
ENOUGH = 1_000
"""Frames after which nobody is heard any more: burst, as many refusals, and the line's length."""
HALF_OPEN, OPENED_PER_S = sized((500, 1_000), (5_000, 1_000))
HEAD_S, CONNECT_S = sized((4.0, 1.0), (10.0, 8.0))
"""A server that stands still for the time of a head takes a waiting one for half of one."""
LATE_S = sized(10.0, 2.0)
"""Eight seconds and these two are the ten after which nobody is left who says nothing; five times
as generous beside other tests, whose process may stand still itself."""
GONE_S = HALF_OPEN / OPENED_PER_S + CONNECT_S + 10


@dataclass
class Flooder:
    """One user who sends a thousand commands a second, and comes back when sent away."""

    url: str
    sent: int = 0
    codes: set[int] = field(default_factory=set)
    errors: set[int] = field(default_factory=set)

    async def live(self, seconds: float) -> "Flooder":
        """Flood one connection after another."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = await self._flood(end)
            self.codes |= set(close_codes(answer))
            found = re.findall(rb'"error":\{"code":(\d+)', answer)
            self.errors |= {int(code) for code in found}
        return self

    async def _flood(self, end: float) -> bytes:
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(HANDSHAKE)
            opened = await reader.readuntil(b"\r\n\r\n")
            heard = asyncio.create_task(to_the_end(reader, opened))
            writer.write(masked_text('{"id":1,"connect":{"token":"flood"}}'))
            with suppress(OSError):
                await self._send(writer, heard, end)
            async with asyncio.timeout(10):
                return await heard
        finally:
            writer.transport.abort()

    async def _send(
        self, writer: asyncio.StreamWriter, heard: asyncio.Task[bytes], end: float
    ) -> None:
        begun, sent = time.monotonic(), 0
        # Never fewer than it takes to be sent away: the last connection ends by 3013 as well.
        while not heard.done() and (time.monotonic() < end or sent < ENOUGH):
            while sent < (time.monotonic() - begun) * FRAMES_PER_S:
                sent += 1
                command = {"id": sent + 1, "rpc": {"method": "echo", "data": 1}}
                writer.write(masked_text(json.dumps(command)))
            await writer.drain()
            await asyncio.sleep(0.01)
        self.sent += sent


async def to_the_end(reader: asyncio.StreamReader, answer: bytes = b"") -> bytes:
    """Everything until the close frame.

    Begin at once: what lies in the reader is lost when a reset follows, and a server resets
    whoever leaves its goodbye without an answer.
    """
    with suppress(ConnectionError):
        while not close_codes(answer) and (more := await reader.read(65_536)):
            answer += more
    return answer


@pytest.mark.timeout(sized(60, 300))
async def test_s13_a_flood_ends_its_own_connection_only() -> None:
    """A thousand frames a second: error 111, then 3013; the neighbours hear all in time."""
    report = Report("S13-flood", clients=FLOODERS)
    async with neighbourhood() as (neighbours, url):
        neighbours.before_ms = (await neighbours.listen(100))["p99_ms"]
        flooding = [asyncio.create_task(Flooder(url).live(FLOOD_S)) for _ in range(FLOODERS)]
        during = await neighbours.listen(FLOOD_S * 100)
        ends = await asyncio.gather(*flooding)
        await neighbours.judge(report, during)
    report.events = sum(one.sent for one in ends)
    report.extra["codes"] = sorted(set().union(*(one.codes for one in ends)))
    report.demand("limited by code", all(one.errors == {111} for one in ends))
    report.demand("closed by code", all(one.codes == {3013} for one in ends))
    report.conclude()


@pytest.mark.timeout(sized(60, 300))
async def test_s13_half_open_handshakes_hurt_nobody() -> None:
    """Half a handshake is dropped, a socket without `connect` is closed by 3502 in time, others go
    on."""
    report = Report("S13-half-open", clients=HALF_OPEN)
    limits = {"connect_timeout_s": CONNECT_S, "head_timeout_s": HEAD_S}
    async with neighbourhood(**limits) as (neighbours, url):
        neighbours.before_ms = (await neighbours.listen(100))["p99_ms"]
        address = urlsplit(url)

        async def live(number: int) -> tuple[bytes, float]:
            await asyncio.sleep(number / OPENED_PER_S)
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                begun = time.monotonic()
                writer.write(HANDSHAKE if number % 2 else HANDSHAKE[:60])
                return await to_the_end(reader), time.monotonic() - begun
            finally:
                writer.transport.abort()

        lives = [asyncio.create_task(live(n)) for n in range(HALF_OPEN)]
        during = await neighbours.listen(int(100 * (GONE_S - 8)))
        async with asyncio.timeout(GONE_S):
            ends = await asyncio.gather(*lives)
        await neighbours.judge(report, during)
    answers, silences = [answer for answer, _ in ends], [lasted for _, lasted in ends[1::2]]
    report.extra |= {"soonest_s": round(min(silences), 2), "latest_s": round(max(silences), 2)}
    report.demand("not before its time", min(silences) >= CONNECT_S)
    report.demand("soon after it", max(silences) <= CONNECT_S + LATE_S)
    codes = {(close_codes(answer) or [0])[0] for answer in answers[1::2]}
    report.extra["codes"] = sorted(codes)
    report.demand("closed by code", codes == {3502})
    report.demand("half a handshake is dropped", not any(answers[0::2]))
    report.conclude()
