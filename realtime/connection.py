"""Drives one session: incoming frames, commands, what leaves, the end.

Knows nothing of WebSockets: what leaves goes through an `Outgoing`, the queue and task of a
`Writer` or a wire of `realtime.wire`, which needs neither.
"""

import asyncio
from typing import Protocol

from realtime import codes
from realtime.actions import Action, Authenticate, Close, Enrol, Expel, Join, Leave, Send, Work
from realtime.codes import Disconnect, RealtimeError
from realtime.deadlines import NEVER
from realtime.messages import SubscribeResult
from realtime.model import Limits
from realtime.phase import Phase
from realtime.protocol import Frame, PushWriter
from realtime.session import Session
from realtime.tasks import TaskGroup
from realtime.transport import Outgoing
from realtime.writer import Writer

ROOM_LOOK_S = 0.02
"""How often a crowded connection is looked at: the kernel takes what leaves it without a word."""


class Clock(Protocol):
    """Seconds that only go forward."""

    def __call__(self) -> float: ...


class Executor(Protocol):
    """Does the work a session cannot do itself; see `realtime.commands`."""

    async def run(self, connection: "Connection", work: Work) -> None:
        """Do the work and answer through the connection; raises RealtimeError to refuse."""

    def admit(self, connection: "Connection", work: Authenticate) -> bool:
        """Answer at once if that can be done; False: it is work as any. Raises RealtimeError."""

    def join(self, connection: "Connection", work: Join) -> bool:
        """Do the same for a `subscribe`. May raise whatever the application's rule raises."""

    def explain(self, error: Exception) -> RealtimeError:
        """Turn any failure into the refusal a client may see."""

    def arm(self, connection: "Connection") -> None:
        """Have `tick` called at the session's deadline, or a little later."""

    def ended(self, connection: "Connection") -> None:
        """Forget the connection everywhere."""


class Connection:
    """One client: its session, its way out, and the tasks that answer its commands."""

    __slots__ = (
        "_clock",
        "_close",
        "_executor",
        "_lanes",
        "_limits",
        "_lost",
        "_out",
        "_tasks",
        "armed",
        "checked_at",
        "memberships",
        "session",
    )

    def __init__(
        self,
        session: Session,
        out: Outgoing,
        executor: Executor,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self.session = session
        self._out = out
        self._executor = executor
        self._limits = limits
        self._clock = clock
        self._tasks: TaskGroup | None = None
        """Made with the first command that needs a task: many connections never send one."""
        self._lanes: dict[str, asyncio.Task[None]] = {}
        """The last unfinished subscribe or unsubscribe of each channel: they keep their order."""
        self.memberships: set[str] = set()
        """Channels whose publications reach this connection."""
        self.checked_at = clock()
        """When the preset identity was read."""
        self._close: Disconnect | None = None
        self._lost = False
        self.armed = NEVER
        """When the node looks at this connection: see `realtime.wheel`."""
        out.bind(self)

    # -- what the transport's shell calls ------------------------------------------------------

    def receive(self, frame: str | bytes) -> None:
        """Take one incoming frame."""
        self.perform(self.session.receive(frame, self._clock()))

    def lost(self) -> None:
        """Note that the client has gone."""
        self._lost = True
        self.session.lost()
        self._out.gone()

    def ended(self) -> None:
        """Leave nothing behind."""
        self._lost = True
        self.session.lost()
        self._executor.ended(self)
        if self._tasks is not None:
            self._tasks.cancel()

    async def run(self) -> None:
        """Write until the connection ends; only for one that was opened over a transport."""
        assert isinstance(self._out, Writer)
        try:
            await self._out.run()
        finally:
            self.ended()
            if self._tasks is not None:
                await self._tasks.stop()

    @property
    def slot(self) -> int:
        """The place in the process's fan-out, or -1: then every frame is pushed by itself."""
        return self._out.slot

    # -- what the hub and the executor call ------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Send one frame; an ended connection is deaf."""
        if self._close is None and not self._lost:
            self._out.push(frame)

    async def room(self) -> None:
        """Wait until the client has taken most of what it was sent.

        Whoever comes back to a hundred channels asks for more than may wait at once: what it asked
        for must not be what ends it. The command's own timeout ends the wait.
        """
        while self._out.is_crowded and self.session.phase is not Phase.CLOSED:  # noqa: ASYNC110
            await asyncio.sleep(ROOM_LOOK_S)

    def disconnect(self, disconnect: Disconnect) -> None:
        """End the connection with this code."""
        self.perform(self.session.close(disconnect))

    def tick(self) -> None:
        """Let the session look at the clock."""
        now = self._clock()
        if now >= self.session.deadline:
            self.perform(self.session.tick(now))
        self._executor.arm(self)

    def perform(self, actions: list[Action]) -> None:
        """Carry out what the session asks for."""
        for action in actions:
            match action:
                case Send(frame=frame):
                    self.push(frame)
                case Close(disconnect=disconnect):
                    self._close = disconnect
                    self._out.close(disconnect, flush=disconnect is not codes.SLOW)
                case _:
                    self._start(action)
        if self.session.deadlines.next < self.armed - 1:
            self._executor.arm(self)

    def subscribed(self, command_id: int, channel: str, result: SubscribeResult) -> None:
        """Answer a `subscribe`; publications pushed after this call follow the answer."""
        self.memberships.add(channel)
        self.perform(self.session.subscribed(command_id, channel, result))

    def unsubscribed(self, command_id: int, channel: str) -> None:
        """Answer an `unsubscribe`."""
        self.memberships.discard(channel)
        self.perform(self.session.unsubscribed(command_id, channel))

    def lose_channel(self, channel: str, reason: codes.Unsubscribed) -> None:
        """End one subscription from our side and say why."""
        self.memberships.discard(channel)
        if channel in self.session.server_side and reason is codes.INSUFFICIENT_STATE:
            # The client did not ask for this channel: it comes back and recovers all of them.
            self.disconnect(codes.STATE_LOST)
        self.session.left(channel)
        self.push(PushWriter(channel).unsubscribed(reason))
        if self.session.phase is not Phase.CLOSED:
            self._start(Expel(channel, expired=False))

    def enrol(self, work: Enrol) -> None:
        """Have the client subscribed from the server's side."""
        self._start(work)

    def too_slow(self) -> None:
        """Speak the verdict once; what waits would never be read."""
        self.perform(self.session.close(codes.SLOW))

    # -- inside ------------------------------------------------------------------------------

    def _start(self, work: Work) -> None:
        if self._answered_at_once(work):
            return
        channel = _lane(work)
        before = self._lanes.get(channel) if channel else None
        tasks = self._tasks = self._tasks or TaskGroup()
        task = tasks.start(self._answer(work, before), f"command {type(work).__name__}")
        if channel:
            self._lanes[channel] = task
            task.add_done_callback(lambda done: self._leave_lane(channel, done))

    def _answered_at_once(self, work: Work) -> bool:
        """Answer what nothing has to be asked for: most who come in need no task."""
        try:
            if isinstance(work, Join):
                # Behind an unfinished command for the same channel it must wait.
                return work.request.channel not in self._lanes and self._executor.join(self, work)
            return isinstance(work, Authenticate) and self._executor.admit(self, work)
        except Exception as error:  # noqa: BLE001  last resort, as in `_answer`
            self._refuse(work, self._executor.explain(error))
            return True

    @property
    def is_awaited(self) -> bool:
        """Tell whether an answer is on its way that the next step of the loop may bring."""
        return bool(self.session.in_flight)

    def _leave_lane(self, channel: str, done: asyncio.Task[None]) -> None:
        if self._lanes.get(channel) is done:
            del self._lanes[channel]

    async def _answer(self, work: Work, before: asyncio.Task[None] | None) -> None:
        """Run one command to its answer; whatever goes wrong is an answer too."""
        try:
            async with asyncio.timeout(self._limits.command_timeout_s):
                if before is not None:
                    await asyncio.wait({before})
                await self._executor.run(self, work)
        except Exception as error:  # noqa: BLE001  last resort: `explain` logs what it hides
            self._refuse(work, self._executor.explain(error))

    def _refuse(self, work: Work, refusal: RealtimeError) -> None:
        if not work.id:
            return
        if isinstance(work, Join):
            if work.request.channel in self.memberships:
                return  # answered already: only its presence failed
            self.session.left(work.request.channel)
        self.perform(self.session.refused(work.id, refusal, self._clock()))


def _lane(work: Work) -> str:
    match work:
        case Join(request=request):
            return request.channel
        case Leave(channel=channel) | Enrol(channel=channel) | Expel(channel=channel):
            return channel
    return ""
