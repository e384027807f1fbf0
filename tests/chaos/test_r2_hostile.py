"""R2: whatever arrives, the core answers with documented codes, and neighbours do not notice."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from realtime import DISCONNECTS, ERRORS, Identity, Limits
from realtime.actions import Action, Authenticate, Close, Expel, Join, Leave, Renew, Send
from realtime.messages import Empty, Reply, SubscribeResult
from realtime.phase import Phase
from realtime.session import Session
from tests.support.hostile import Dice, close_codes
from tests.support.neighbours import neighbourhood
from tests.support.report import SEED, Report, sized

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
            case Send() | Close():
                return
            case Join(request=request):
                self.session.left(request.channel)
        self.take(self.session.refused(action.id, refusal, self.now))


@pytest.mark.timeout(sized(60, 7200))
def test_r2_generated_frames_never_hurt_a_session() -> None:
    """0 exceptions, 0 wrong states, only documented codes."""
    report, dice = Report("R2-session"), Dice(SEED)
    while report.events < FRAMES:
        report.clients += 1
        Life(dice, report).fire()
    report.faults = sorted(set(report.faults))
    report.conclude()


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
async def test_r2_raw_attacks_hurt_no_neighbour() -> None:
    """Broken handshakes and frames over real sockets: documented codes, no leak, no slowness."""
    report = Report("R2-sockets", clients=ATTACKERS)
    codes: set[int] = set()

    async def keep_on(port: int, number: int) -> None:
        dice = Dice(SEED + number)
        for _ in range(ATTACKS // ATTACKERS):
            codes.update(await attack(port, dice))

    async with neighbourhood() as (neighbours, url):
        port = urlsplit(url).port or 0
        await asyncio.gather(*(keep_on(port, ATTACKS + n) for n in range(ATTACKERS)))
        before = await neighbours.server()
        neighbours.before_ms = (await neighbours.listen(100))["p99_ms"]
        attackers = asyncio.gather(*(keep_on(port, n) for n in range(ATTACKERS)))
        while not attackers.done():
            await neighbours.hear(100)
        await attackers
        await neighbours.judge(report, await neighbours.listen(100))
        after = await neighbours.server()
    more_mib = (after["rss_kib"] - before["rss_kib"]) / 1024
    report.events = ATTACKS
    report.extra |= {"rss_more_mib": round(more_mib, 1), "codes": ",".join(map(str, sorted(codes)))}
    report.demand("only documented codes", codes <= DOCUMENTED)
    report.demand("all kinds of ends were met", len(codes) > 2)
    report.demand("the memory stays", more_mib <= RSS_MORE_MIB)
    report.demand(f"no unhandled exception {after['errors']}", not after["errors"])
    report.conclude()
