"""What a node does without being asked: ticks, sweeps, renewals, repair after outages."""

import asyncio
from collections import deque
from collections.abc import Callable

from realtime.broker import Broker, Message
from realtime.channels import Channels
from realtime.fanout import Fanout
from realtime.hub import Hub
from realtime.model import NODE, Delivery, DurableLog, Limits, Publication, StillValid
from realtime.presence import Presence
from realtime.protocol import one_line
from realtime.rounds import Round
from realtime.tasks import TaskGroup
from realtime.validity import Validity

TICK_S = 1.0
"""How late a deadline may be noticed."""
LEAST_TICK_S = 0.05
STANDSTILL_S = 3.0
"""Between two looks; longer is a machine that was asleep, or work that left no room."""
AT_ONCE = 256
"""Connections that are looked at before others may run."""


class Upkeep:
    """What a node looks at every second, and what it compares with the truth."""

    def __init__(
        self,
        *,
        broker: Broker,
        hub: Hub,
        fanout: Fanout,
        clock: Callable[[], float],
        channels: Channels,
        presence: Presence,
        durable_log: DurableLog | None,
        still_valid: StillValid | None,
        limits: Limits,
    ) -> None:
        self._broker = broker
        self._hub = hub
        self._fanout = fanout
        self._clock = clock
        self._channels = channels
        self._presence = presence
        self._log = durable_log
        self._limits = limits
        self.validity = Validity(still_valid, broker=broker, hub=hub, limits=limits, clock=clock)
        self._restored = False
        self._looked_at = clock()
        self._was_excused = False
        self._controls: deque[bytes] = deque(maxlen=limits.pending_controls)
        self._values: dict[str, Message] = {}
        self._ticks = [
            Round("deadlines", self._look, self._until_next_second),
            Round("leases", presence.renew, self._until_next_second),
            Round("partings", presence.settle, self._until_next_second),
            Round("idle channels", channels.close_idle, self._until_next_second),
        ]
        self._sweeps = [
            Round("log heads", self._announce_heads, self._pause_s),
            Round("repair", self._repair, self._pause_s),
            Round("kept", self._send_kept, self._pause_s),
        ]

    def start(self, tasks: TaskGroup) -> None:
        """Begin to look after everything."""
        for work in (*self._ticks, *self._sweeps, self.validity.round):
            tasks.start(work.go_on_for_ever(), work.name)

    # -- what could not be sent ------------------------------------------------------------------

    def keep_control(self, data: bytes) -> None:
        """Send this order to the other processes as soon as the broker is back."""
        self._controls.append(data)

    def keep_value(self, channel: str, message: Message) -> None:
        """Send this value as soon as the broker is back; only the newest of a channel counts."""
        if channel in self._values or len(self._values) < self._limits.pending_controls:
            self._values[channel] = message

    def restored(self) -> None:
        """Messages may have been missed: compare everything with its truth, now."""
        self._restored = True
        for work in self._sweeps:
            work.hurry()
        self.validity.restored()

    # -- by hand -----------------------------------------------------------------------------

    async def tick(self) -> None:
        """One look at deadlines, leases and idle channels."""
        await self._keep_deadlines()
        for work in self._ticks[1:]:
            await work.once()

    async def sweep(self) -> None:
        """One comparison with the truth."""
        for work in self._sweeps:
            await work.once()

    # -- inside ------------------------------------------------------------------------------

    def _pause_s(self) -> float:
        """Compare sooner while the broker is away."""
        limits, flows = self._limits, self._broker.state.connected
        return limits.sweep_interval_s if flows else limits.outage_sweep_interval_s

    def _until_next_second(self) -> float:
        """Look when a second of the wheel has just come: a deadline waits for no second tick.

        All ticks come together then: an idle process is woken once a second, not by each.
        """
        return max(LEAST_TICK_S, TICK_S - self._clock() % TICK_S)

    async def _look(self) -> None:
        """Keep the deadlines, but not in the first moment after a standstill of this process.

        What clients said meanwhile has not been read then, and some loops run timers first.
        """
        now, before = self._clock(), self._looked_at
        self._looked_at = now
        self._was_excused = now - before > STANDSTILL_S and not self._was_excused
        if not self._was_excused:
            await self._keep_deadlines()

    async def _keep_deadlines(self) -> None:
        for count, _ in enumerate(self._hub.ticking()):
            if count % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
        self._fanout.tick(self._clock())

    async def _repair(self) -> None:
        """After an outage: streams are compared, values read again, leases taken again."""
        if not self._restored:
            return
        self._restored = False
        try:
            for tail in self._channels.ordered(Delivery.TAIL).values():
                tail.suspect()
            for name in self._channels.values():
                await self._refresh_value(name)
            await self._presence.renew_now()
        except BaseException:
            self._restored = True
            raise

    async def _refresh_value(self, name: str) -> None:
        channel = self._channels.get(name)
        take = self._channels.family(name).snapshot
        if channel is None or channel.idle or take is None:
            return
        async with asyncio.timeout(self._limits.command_timeout_s):
            snapshot = await take(NODE, name)
        if snapshot is not None:
            value = Publication(one_line(snapshot.data), version=snapshot.version)
            self._channels.receive(name, Message.of(value))

    async def _send_kept(self) -> None:
        while self._controls:
            await self._broker.control(self._controls[0])
            self._controls.popleft()
        while self._values:
            channel, message = next(iter(self._values.items()))
            await self._broker.publish(channel, message)
            if self._values.get(channel) is message:
                del self._values[channel]

    async def _announce_heads(self) -> None:
        """Tell LOG channels where their log stands: a lost publish shows here."""
        channels = self._channels.ordered(Delivery.LOG)
        if self._log is None or not channels:
            return
        async with asyncio.timeout(self._limits.command_timeout_s):
            heads = await self._log.heads(list(channels))
        for name, channel in channels.items():
            offset, epoch = heads.get(name, (0, channel.epoch))
            channel.announce(offset, epoch)
