"""What the application's server side may do to channels and clients, on all processes."""

from collections.abc import Iterable

import msgspec

from realtime import codes
from realtime.broker import Keep
from realtime.codes import Disconnect
from realtime.messages import HistoryRequest, HistoryResult, PresenceResult, StreamPosition
from realtime.model import Delivery
from realtime.orders import Clients, Orders
from realtime.parts import Parts
from realtime.protocol import one_line
from realtime.reading import Reading


class ServerApi:
    """The verbs of the reference server's API; clients are named by user, or by client id."""

    def __init__(self, parts: Parts, orders: Orders, reading: Reading) -> None:
        self._broker = parts.broker
        self._channels = parts.channels
        self._orders = orders
        self._reading = reading

    async def publish(self, channel: str, data: bytes, *, key: str = "") -> StreamPosition:
        """Publish to a TAIL channel; twice with one `key` counts once.

        Raises BrokerUnavailable, RealtimeError 102, 108.
        """
        family = self._channels.family(channel)
        if family.delivery is not Delivery.TAIL:
            raise codes.NOT_AVAILABLE.error()
        keep = Keep(family.history_size, family.history_ttl_s)
        offset, epoch = await self._broker.append(channel, one_line(data), key=key, keep=keep)
        return StreamPosition(offset, epoch)

    async def broadcast(self, channels: Iterable[str], data: bytes) -> list[StreamPosition]:
        """Publish the same to several channels."""
        return [await self.publish(channel, data) for channel in channels]

    async def subscribe(self, channel: str, *, user: str = "", client: str = "") -> None:
        """Subscribe connected clients; raises RealtimeError 102."""
        self._channels.family(channel)
        await self._orders.give(Clients(user, client, subscribe=channel))

    async def unsubscribe(self, channel: str, *, user: str = "", client: str = "") -> None:
        """End subscriptions; the clients stay away from the channel (code 2000)."""
        await self._orders.give(Clients(user, client, unsubscribe=channel))

    async def disconnect(
        self, *, user: str = "", client: str = "", disconnect: Disconnect = codes.FORCED
    ) -> None:
        """End connections with this code; connects that are on their way are not stopped by it."""
        await self._orders.give(
            Clients(user, client, disconnect=(disconnect.code, disconnect.reason))
        )

    async def refresh(self, expires_at: float, *, user: str = "", client: str = "") -> None:
        """Move the end of connections to a Unix time; one in the past ends them (3005)."""
        await self._orders.give(Clients(user, client, expires_at=expires_at))

    async def send(self, data: bytes, *, user: str = "", client: str = "") -> None:
        """Push JSON data outside of all channels, at most once."""
        message = msgspec.json.format(data, indent=-1).decode()
        await self._orders.give(Clients(user, client, message=message))

    async def presence(self, channel: str) -> PresenceResult:
        """Return who is on a channel; raises RealtimeError 102, 108."""
        return await self._reading.presence(channel)

    async def history(self, request: HistoryRequest) -> HistoryResult:
        """Return publications of a channel; raises RealtimeError 102, 108, 112."""
        return await self._reading.history(request)
