"""Orders that one process gives to all, or to the one that holds a client: end, subscribe, tell.

An order is obeyed here at once and sent to the others; what must not be lost waits for the broker.
"""

from collections.abc import Callable

import msgspec

from realtime import codes
from realtime.actions import Enrol
from realtime.codes import BrokerUnavailable, Disconnect
from realtime.connection import Connection
from realtime.parts import Parts
from realtime.protocol import encode_message, encode_refresh
from realtime.subscribing import Subscribing


class End(msgspec.Struct, frozen=True, omit_defaults=True, tag="end"):
    """End every connection of a session or user, those included that connect right now."""

    session: str = ""
    user: str = ""


class Renew(msgspec.Struct, frozen=True, omit_defaults=True, tag="renew"):
    """Use no more what was read of a session before: its token is another now."""

    session: str


class Clients(msgspec.Struct, frozen=True, omit_defaults=True, tag="clients"):
    """Do something to the connected clients of a user, or to one of them.

    An empty user without client means everybody who is not signed in.
    """

    user: str = ""
    client: str = ""
    disconnect: tuple[int, str] | None = None
    subscribe: str = ""
    unsubscribe: str = ""
    message: str = ""
    expires_at: float = 0


class Speak(msgspec.Struct, frozen=True, omit_defaults=True, tag="speak"):
    """Take a frame that an emulated client sent through another process."""

    secret: str
    frame: str


Order = End | Renew | Clients | Speak


class Orders:
    """Gives orders and obeys them."""

    def __init__(
        self, parts: Parts, subscribing: Subscribing, keep: Callable[[bytes], None]
    ) -> None:
        self._node = parts.node
        self._broker = parts.broker
        self._hub = parts.hub
        self._subscribing = subscribing
        self._keep = keep
        """Sends an order when the broker is back."""
        self._clock = parts.clock
        self._wall_clock = parts.wall_clock

    async def give(self, order: Order) -> None:
        """Obey here at once; other processes hear of it now or when the broker is back.

        An order comes back to the process that gave it: obeying twice changes nothing, except that
        a message would be told twice, so that it is left to the broker.
        """
        told = isinstance(order, Clients) and bool(order.message)
        if not told:
            self.obey(order)
        data = msgspec.json.encode(order)
        try:
            await self._broker.control(data)
        except BrokerUnavailable:
            self._keep(data)

    def take(self, data: bytes) -> None:
        """Obey an order that came from the broker."""
        self.obey(_decode(data))

    async def speak(self, node: str, secret: str, frame: str) -> bool:
        """Hand a frame to the process that holds the client; False when it is not there."""
        if node == self._node:
            return self._speak(secret, frame)
        return await self._broker.order(node, msgspec.json.encode(Speak(secret, frame)))

    def obey(self, order: Order) -> None:
        """Do it to the connections of this process."""
        match order:
            case End(session=session, user=user):
                for connection in self._hub.end(session, user, self._clock()):
                    connection.disconnect(codes.FORCED)
            case Renew(session=session):
                self._hub.renew(session, self._clock())
            case Speak(secret=secret, frame=frame):
                self._speak(secret, frame)
            case _:
                for connection in self._hub.of(order.user, order.client):
                    self._treat(connection, order)

    def _speak(self, secret: str, frame: str) -> bool:
        connection = self._hub.emulated.get(secret)
        if connection is not None:
            connection.receive(frame)
        return connection is not None

    def _treat(self, connection: Connection, order: Clients) -> None:
        if order.subscribe:
            connection.enrol(Enrol(order.subscribe))
        if order.unsubscribe:
            self._subscribing.expel(connection, order.unsubscribe, codes.UNSUBSCRIBED_BY_SERVER)
        if order.message:
            connection.push(encode_message(order.message.encode()))
        if order.expires_at:
            self._prolong(connection, order.expires_at)
        if order.disconnect is not None:
            connection.disconnect(Disconnect(*order.disconnect))

    def _prolong(self, connection: Connection, expires_at: float) -> None:
        left = expires_at - self._wall_clock()
        if left <= 0:
            connection.disconnect(codes.EXPIRED)
            return
        ttl = connection.session.deadlines.expire(left, self._clock(), grace=True)
        connection.push(encode_refresh(ttl))


_decoder = msgspec.json.Decoder(Order)
_decode = _decoder.decode
