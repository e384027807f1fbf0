"""What a node does without being asked: ticks, sweeps, renewals, repair after outages."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

from realtime.broker import Broker, Message
from realtime.channels import Channels
from realtime.codes import BrokerUnavailable
from realtime.fanout import Fanout
from realtime.hub import Hub
from realtime.model import NODE, Delivery, DurableLog, Limits, Publication, StillValid
from realtime.presence import Presence
from realtime.protocol import one_line
from realtime.tasks import TaskGroup
from realtime.validity import Validity

log = logging.getLogger("realtime")

TICK_S = 1.0
"""How late a deadline may be noticed."""
AT_ONCE = 256
"""Connections that are looked at before others may run."""


class Upkeep:
    """The two loops of a node and what they repair."""

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
        self._hurry = asyncio.Event()
        self._restored = False
        self._controls: deque[bytes] = deque(maxlen=limits.pending_controls)
        self._values: dict[str, Message] = {}

    def start(self, tasks: TaskGroup) -> None:
        """Begin to look after everything."""
        tasks.start(self.tick_for_ever(), "tick")
        tasks.start(self.sweep_for_ever(), "sweep")
        tasks.start(self.validity.watch_for_ever(), "validity")

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
        self._hurry.set()
        self.validity.restored()

    # -- loops -------------------------------------------------------------------------------

    async def tick_for_ever(self) -> None:
        """Look at deadlines, leases and idle channels."""
        while True:
            await asyncio.sleep(TICK_S)
            await self.tick()

    async def sweep_for_ever(self) -> None:
        """Compare with the truth, sooner while the broker is away."""
        while True:
            away = not self._broker.state.connected
            pause_s = (
                self._limits.outage_sweep_interval_s if away else self._limits.sweep_interval_s
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurry.wait()
            self._hurry.clear()
            await self.sweep()

    async def tick(self) -> None:
        """One look at deadlines, leases and idle channels."""
        for count, _ in enumerate(self._hub.ticking()):
            if count % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
        self._fanout.tick(self._clock())
        await self._presence.renew()
        await self._presence.settle()
        await self._channels.close_idle()

    async def sweep(self) -> None:
        """One comparison; what fails is tried again at the next sweep, and stops nothing else."""
        for step in (self._announce_heads, self._repair, self._send_kept):
            try:
                await step()
            except BrokerUnavailable:
                pass
            except Exception as error:  # noqa: BLE001  last resort of a loop that must not die
                log.warning("realtime.sweep_failed error=%r", error)

    # -- inside ------------------------------------------------------------------------------

    async def _repair(self) -> None:
        """After an outage: streams are compared, values read again, leases taken again."""
        if not self._restored:
            return
        self._restored = False
        try:
            for tail in self._channels.ordered(Delivery.TAIL).values():
                tail.suspect()
            await self._presence.renew_now()
            for name in self._channels.values():
                await self._refresh_value(name)
        except BaseException:
            self._restored = True
            raise

    async def _refresh_value(self, name: str) -> None:
        channel = self._channels.get(name)
        take = self._channels.family(name).snapshot
        if channel is None or channel.idle or take is None:
            return
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
        heads = await self._log.heads(list(channels))
        for name, channel in channels.items():
            offset, epoch = heads.get(name, (0, channel.epoch))
            channel.announce(offset, epoch)
