"""R2: whatever arrives, the core answers with documented codes, and neighbours do not notice."""

import asyncio
import json
import resource
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from realtime import DISCONNECTS, ERRORS, Identity, Limits
from realtime.actions import Action, Authenticate, Close, Expel, Join, Leave, Renew, Send
from realtime.messages import Empty, Reply, SubscribeResult
from realtime.phase import Phase
from realtime.session import Session
from realtime.testing import Kit
from tests.realtime.families import FAMILIES, RPC
from tests.realtime.served import served
from tests.support.audience import Listener, listening
from tests.support.hostile import Dice, close_codes
from tests.support.report import SEED, Report, p99_ms, sized

pytestmark = pytest.mark.chaos

FRAMES = sized(20_000, 2_000_000)
ATTACKS = sized(2_000, 50_000)
FRAMES_PER_LIFE = 12
ATTACKERS = 20
PATIENCE_S = 0.15
"""An attack that the server rightly waits behind, such as half a frame, is given up then."""
SOCKET_CODES = {1000, 1001, 1002, 1003, 1007, 1009}
"""RFC 6455's own, for what is wrong below the protocol."""
DOCUMENTED = {d.code for d in DISCONNECTS} | SOCKET_CODES
REFUSALS = {e.code for e in ERRORS}
RSS_MORE_MIB = 20
NEIGHBOUR_FACTOR = sized(10, 2)
NEIGHBOUR_FLOOR_MS = sized(500, 50)
"""Below this a ratio says nothing on a shared machine."""


class Life:
    """One session under fire; its work is answered, refused or forgotten by dice."""

    def __init__(self, dice: Dice, report: Report) -> None:
        self.dice = dice
        self.report = report
        self.now = 0.0
        preset = dice.random.choice((None, Identity(user="7", session="s")))
        self.session = Session("c", Limits(), now=0, preset=preset)

    def fire(self) -> None:
        """Send frames until the session is closed or has seen enough."""
        if self.dice.random.random() < 0.8:
            self.take(self.session.receive('{"id":1,"connect":{}}', 0))
        for _ in range(FRAMES_PER_LIFE):
            self.now += self.dice.random.choice((0, 0.001, 1, 30))
            self.report.events += 1
            self.take(self.session.receive(self.dice.frame(), self.now))
            if self.dice.random.random() < 0.1:
                self.take(self.session.tick(self.now))
        if self.session.phase is Phase.CLOSED:
            late = self.session.receive('{"id":1,"ping":{}}', self.now)
            self.report.demand("a closed session is deaf", not late)

    def take(self, actions: Iterable[Action]) -> None:
        """Check every action, and play the world that carries it out."""
        for action in actions:
            match action:
                case Send(frame=frame):
                    self._check(frame.data)
                case Close(disconnect=disconnect):
                    self.report.demand("closed by a code", disconnect in DISCONNECTS)
                    self.report.demand("closed", self.session.phase is Phase.CLOSED)
                case _:
                    self._work(action)
        self.report.demand("nothing is owed", self.session.in_flight >= 0)

    def _check(self, data: bytes) -> None:
        for line in data.splitlines():
            message = json.loads(line)
            if "error" in message:
                self.report.demand("a documented error", message["error"]["code"] in REFUSALS)

    def _work(self, action: Action) -> None:
        fate = self.dice.random.random()
        if not getattr(action, "id", 0) or fate < 0.1:
            return
        if fate < 0.3 and not isinstance(action, Leave):
            self._refuse(action)
            return
        match action:
            case Authenticate(id=number):
                self.take(
                    self.session.connected(
                        number, self.session.preset, expires_in=None, now=self.now
                    )
                )
            case Renew(id=number):
                who = self.session.identity
                self.take(self.session.refreshed(number, who, expires_in=60, now=self.now))
            case Join(id=number, request=request):
                result = SubscribeResult()
                self.take(self.session.subscribed(number, request.channel, result))
            case Leave(id=number, channel=channel):
                self.take(self.session.unsubscribed(number, channel))
            case Expel():
                pass
            case _:
                self.take(self.session.answered(Reply(action.id, ping=Empty())))

    def _refuse(self, action: Action) -> None:
        refusal = ERRORS[0].error()
        match action:
            case Join(id=number, request=request):
                self.take(self.session.join_refused(number, request.channel, refusal))
            case Send() | Close():
                pass
            case _:
                self.take(self.session.refused(action.id, refusal))


@pytest.mark.timeout(sized(60, 7200))
def test_r2_generated_frames_never_hurt_a_session() -> None:
    """0 exceptions, 0 wrong states, only documented codes."""
    report, dice = Report("R2-session"), Dice(SEED)
    while report.events < FRAMES:
        report.clients += 1
        Life(dice, report).fire()
    report.faults = sorted(set(report.faults))
    report.conclude()


def rss_mib() -> float:
    """What the process holds now, in MiB."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize() / 2**20


async def neighbour_ms(kit: Kit, listener: Listener, number: int) -> float:
    """The 99th percentile of so many deliveries to somebody who did nothing."""
    listener.latencies.clear()
    for _ in range(number):
        await kit.node.publish_tail("tail:1", str(time.monotonic()).encode())
        await asyncio.sleep(0.01)
    return p99_ms(listener.latencies)


async def attack(port: int, dice: Dice) -> list[int]:
    """Open a socket, misbehave, read the answer to its end; returns the close codes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    handshake, frames = dice.attack()
    try:
        with suppress(OSError, TimeoutError):
            writer.write(handshake)
            async with asyncio.timeout(PATIENCE_S):
                if frames:
                    answer = await reader.readuntil(b"\r\n\r\n")
                    writer.write(frames)
                if dice.random.random() < 0.2:
                    writer.write_eof()
                while not close_codes(answer) and (more := await reader.read(65_536)):
                    answer += more
    finally:
        writer.transport.abort()
    return close_codes(answer)


@pytest.mark.timeout(sized(60, 7200))
async def test_r2_raw_attacks_hurt_no_neighbour(caplog: pytest.LogCaptureFixture) -> None:
    """Broken handshakes and frames over real sockets: documented codes, no leak, no slowness."""
    report = Report("R2-sockets", events=ATTACKS, clients=ATTACKERS)
    kit = Kit(FAMILIES, rpc=RPC)
    async with served(kit) as door:
        port = urlsplit(door.url).port or 0
        healthy = Listener(door.url, "tail:1", "7")
        async with listening([healthy]):
            before_ms = await neighbour_ms(kit, healthy, 100)
            rss = rss_mib()
            codes: set[int] = set()

            async def keep_on(number: int) -> None:
                dice = Dice(SEED + number)
                for _ in range(ATTACKS // ATTACKERS):
                    codes.update(await attack(port, dice))

            attackers = asyncio.gather(*(keep_on(n) for n in range(ATTACKERS)))
            during: list[float] = []
            while not attackers.done():
                during.append(await neighbour_ms(kit, healthy, 100))
                report.latencies += healthy.latencies
            await attackers
            more = rss_mib() - rss
            report.extra = {
                "before_ms": round(before_ms, 1),
                "during_ms": round(max(during), 1),
                "rss_more_mib": round(more, 1),
                "codes": ",".join(map(str, sorted(codes))),
            }
            report.demand("the neighbour stayed", healthy.connects == 1 and not healthy.gaps)
            report.demand("only documented codes", codes <= DOCUMENTED)
            report.demand("the memory stays", more <= RSS_MORE_MIB)
            allowed_ms = max(NEIGHBOUR_FACTOR * before_ms, NEIGHBOUR_FLOOR_MS)
            report.demand("the neighbour's p99", max(during) <= allowed_ms)
            errors = [r for r in caplog.records if r.levelname == "ERROR"]
            report.demand(f"no unhandled exception {errors[:3]}", not errors)
    report.conclude()
