"""Who is on a channel, over all processes: leases in the broker, renewed while a client stays.

A process that dies gives nothing back; its leases end by themselves. A signed-in client that only
lost its line is parked for a grace: if the user comes back meanwhile, on whichever process, nobody
hears of it. Without a grace a bad network would make every room flicker.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from realtime.broker import Broker, Kind, Message
from realtime.codes import BrokerUnavailable
from realtime.messages import ClientInfo
from realtime.model import ChannelFamily, Limits, Publication
from realtime.protocol import decode_info, encode_info

log = logging.getLogger("realtime")

AT_ONCE = 8
"""Renewals side by side: a slow broker keeps connections for everything else."""
TOGETHER = 256
"""Leases of one channel that are renewed in one step of the broker."""
PARK_MARGIN_S = 10.0
"""How much longer than the grace the broker remembers: whoever parked must find it at the end."""


@dataclass(frozen=True, slots=True)
class _Parked:
    due: float
    family: ChannelFamily
    info: ClientInfo
    noted: bool
    """The broker knows; otherwise nobody elsewhere could have claimed it."""
    is_back: bool = False
    """Claimed on this process: only the lease is still to be given back."""


class Presence:
    """The leases of this process, and the view over all processes."""

    def __init__(self, broker: Broker, limits: Limits, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._limits = limits
        self._clock = clock
        self._mine: dict[tuple[str, str], bytes] = {}
        self._parked: dict[tuple[str, str], _Parked] = {}
        self._renew_at = 0.0

    async def enter(self, family: ChannelFamily, channel: str, info: ClientInfo) -> None:
        """Take a lease and tell the channel, where its family wants that and it is news."""
        if not (family.presence or family.join_leave):
            return
        data = encode_info(info)
        is_back = await self._claim(channel, info.user)
        if family.presence:
            self._mine[channel, info.client] = data
            await self._put(channel, info.client, data)
        if family.join_leave and not is_back:
            await self._tell(channel, Kind.JOIN, data)

    async def leave(self, family: ChannelFamily, channel: str, info: ClientInfo) -> None:
        """Give the lease back and tell the channel: the client wanted to go."""
        if self._mine.pop((channel, info.client), None) is not None:
            try:
                await self._broker.presence_remove(channel, info.client)
            except BrokerUnavailable:
                log.warning("realtime.lease_not_returned channel=%s", channel)
        if family.join_leave:
            await self._tell(channel, Kind.LEAVE, encode_info(info))

    async def lose(self, family: ChannelFamily, channel: str, info: ClientInfo) -> None:
        """The line is gone, the user may be back soon; without a name nobody can come back."""
        if not (family.presence or family.join_leave):
            return
        grace_s = self._limits.presence_grace_s
        is_full = len(self._parked) >= self._limits.parked_max
        if not info.user or not grace_s or is_full:
            await self.leave(family, channel, info)
            return
        self._mine.pop((channel, info.client), None)
        noted = True
        try:
            ttl_s = grace_s + PARK_MARGIN_S
            await self._broker.presence_park(channel, info.client, info.user, ttl_s)
        except BrokerUnavailable:
            noted = False
        parked = _Parked(self._clock() + grace_s, family, info, noted)
        self._parked[channel, info.client] = parked

    async def settle(self) -> None:
        """Tell of those who did not come back within the grace; in an outage, later."""
        now = self._clock()
        for place, parked in list(self._parked.items()):
            if parked.due <= now:
                try:
                    await self._part(place[0], parked)
                except BrokerUnavailable:
                    return
                self._parked.pop(place, None)

    async def read(self, channel: str) -> dict[str, ClientInfo]:
        """Return who is there now; raises BrokerUnavailable."""
        leases = await self._broker.presence(channel)
        return {client: decode_info(data) for client, data in leases.items()}

    async def renew(self) -> None:
        """Renew every lease of this process when it is time."""
        if self._clock() < self._renew_at:
            return
        self._renew_at = self._clock() + self._limits.presence_refresh_s
        await self.renew_now()

    async def renew_now(self) -> None:
        """Renew every lease of this process, some at a time."""
        batches, failed = list(self._batches()), 0
        for start in range(0, len(batches), AT_ONCE):
            some = batches[start : start + AT_ONCE]
            failed += sum(await asyncio.gather(*(self._renew_some(*batch) for batch in some)))
        if failed:
            # One line for all: an outage concerns every lease, and they are renewed when it ends.
            log.warning("realtime.leases_not_renewed count=%d", failed)

    # -- inside ------------------------------------------------------------------------------

    def _batches(self) -> Iterator[tuple[str, list[str]]]:
        by_channel: dict[str, list[str]] = {}
        for channel, client in self._mine:
            by_channel.setdefault(channel, []).append(client)
        for channel, clients in by_channel.items():
            for start in range(0, len(clients), TOGETHER):
                yield channel, clients[start : start + TOGETHER]

    async def _renew_some(self, channel: str, clients: list[str]) -> int:
        """Renew the leases that are still ours; returns how many an outage has kept us from."""
        leases = {c: self._mine[channel, c] for c in clients if (channel, c) in self._mine}
        try:
            if leases:
                await self._broker.presence_put(channel, leases, self._limits.presence_ttl_s)
            for client in leases:
                if (channel, client) not in self._mine:
                    await self._broker.presence_remove(channel, client)  # given back meanwhile
        except BrokerUnavailable:
            return len(leases)
        return 0

    async def _claim(self, channel: str, user: str) -> bool:
        """Take over a lease this user left a moment ago."""
        if not user or not self._limits.presence_grace_s:
            return False
        for place, parked in self._parked.items():
            waits = not parked.noted and not parked.is_back
            if place[0] == channel and parked.info.user == user and waits:
                self._parked[place] = replace(parked, is_back=True)
                return True
        try:
            return await self._broker.presence_claim(channel, user)
        except BrokerUnavailable:
            return False

    async def _part(self, channel: str, parked: _Parked) -> None:
        info, is_gone = parked.info, not parked.is_back
        if parked.noted:
            is_gone = await self._broker.presence_unpark(channel, info.client, info.user)
        else:
            await self._broker.presence_remove(channel, info.client)
        if is_gone and parked.family.join_leave:
            await self._tell(channel, Kind.LEAVE, encode_info(info))

    async def _put(self, channel: str, client: str, data: bytes) -> None:
        try:
            await self._broker.presence_put(channel, {client: data}, self._limits.presence_ttl_s)
        except BrokerUnavailable:
            # The outage itself is told elsewhere, once: ten thousand clients come back in it.
            log.debug("realtime.lease_not_taken channel=%s", channel)

    async def _tell(self, channel: str, kind: Kind, data: bytes) -> None:
        try:
            await self._broker.publish(channel, Message(kind, Publication(data)))
        except BrokerUnavailable:
            log.debug("realtime.presence_not_told channel=%s", channel)
