"""Who is on a channel, over all processes: leases in the broker, renewed while a client stays.

A process that dies gives nothing back; its leases end by themselves.
"""

import logging
from collections.abc import Callable

from realtime.broker import Broker, Kind, Message
from realtime.codes import BrokerUnavailable
from realtime.model import ChannelFamily, Limits, Publication
from realtime.protocol import ClientInfo, decode_info, encode_info

log = logging.getLogger("realtime")


class Presence:
    """The leases of this process, and the view over all processes."""

    def __init__(self, broker: Broker, limits: Limits, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._limits = limits
        self._clock = clock
        self._mine: dict[tuple[str, str], bytes] = {}
        self._renew_at = 0.0

    async def enter(self, family: ChannelFamily, channel: str, info: ClientInfo) -> None:
        """Take a lease and tell the channel, where its family wants that."""
        data = encode_info(info)
        if family.presence:
            self._mine[channel, info.client] = data
            await self._put(channel, info.client, data)
        if family.join_leave:
            await self._tell(channel, Kind.JOIN, data)

    async def leave(self, family: ChannelFamily, channel: str, info: ClientInfo) -> None:
        """Give the lease back and tell the channel."""
        if self._mine.pop((channel, info.client), None) is not None:
            try:
                await self._broker.presence_remove(channel, info.client)
            except BrokerUnavailable:
                log.warning("realtime.lease_not_returned channel=%s", channel)
        if family.join_leave:
            await self._tell(channel, Kind.LEAVE, encode_info(info))

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
        """Renew every lease of this process."""
        for (channel, client), data in list(self._mine.items()):
            if (channel, client) in self._mine:
                await self._put(channel, client, data)

    async def _put(self, channel: str, client: str, data: bytes) -> None:
        try:
            await self._broker.presence_put(channel, client, data, self._limits.presence_ttl_s)
        except BrokerUnavailable:
            log.warning("realtime.lease_not_taken channel=%s", channel)

    async def _tell(self, channel: str, kind: Kind, data: bytes) -> None:
        try:
            await self._broker.publish(channel, Message(kind, Publication(data)))
        except BrokerUnavailable:
            log.warning("realtime.presence_not_told channel=%s", channel)
