"""Asks the application, in one batch, which of the connected sessions still live.

An order to disconnect travels through the broker, which forgets what it could not deliver. This is
the second way: often while the broker is away, at once when it is back, and now and then otherwise.
"""

import asyncio
import logging
from collections.abc import Callable

from realtime import codes
from realtime.broker import Broker
from realtime.hub import Hub
from realtime.model import Limits, StillValid
from realtime.rounds import Round

log = logging.getLogger("realtime")


class Validity:
    """Ends the connections of sessions that are over."""

    def __init__(
        self,
        still_valid: StillValid | None,
        *,
        broker: Broker,
        hub: Hub,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._still_valid = still_valid
        self._broker = broker
        self._hub = hub
        self._limits = limits
        self._clock = clock
        self.round = Round("validity", self.check, self._pause_s)

    def restored(self) -> None:
        """Orders may have been missed: ask now."""
        self._hub.missed(self._clock())
        self.round.hurry()

    async def check(self) -> None:
        """Ask once; an application that cannot tell is asked again later."""
        # Those who connect from here on were looked at later than this.
        connected = self._hub.with_session()
        if self._still_valid is None or not connected:
            return
        try:
            async with asyncio.timeout(self._limits.command_timeout_s):
                living = await self._still_valid(connected)
        except Exception as error:  # noqa: BLE001  last resort of a loop that must not die
            log.warning("realtime.sessions_not_checked error=%r", error)
            return
        for session in {identity.session for identity in connected}.difference(living):
            for connection in self._hub.end(session, "", self._clock()):
                connection.disconnect(codes.FORCED)

    def _pause_s(self) -> float:
        """Ask sooner while the broker is away."""
        limits, flows = self._limits, self._broker.state.connected
        return limits.revalidate_interval_s if flows else limits.outage_sweep_interval_s
