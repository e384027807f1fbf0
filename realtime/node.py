"""One process of the realtime service: wires broker, channels, connections and upkeep.

This is the library's front door; everything the application passes in arrives here.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from realtime import codes
from realtime.broker import Broker, History, Message
from realtime.channels import Channels
from realtime.codes import BrokerUnavailable
from realtime.commands import Commands, MapError
from realtime.connection import Connection
from realtime.draining import drain, leave
from realtime.fanout import Fanout
from realtime.follower import Follower
from realtime.hub import Hub
from realtime.model import (
    ChannelFamily,
    DurableLog,
    Identity,
    Limits,
    Publication,
    RpcMethod,
    VerifyToken,
)
from realtime.ordered import OrderedChannel
from realtime.presence import Presence
from realtime.protocol import one_line
from realtime.session import Session
from realtime.tasks import TaskGroup
from realtime.transport import Outgoing, Transport
from realtime.upkeep import Upkeep
from realtime.wire import Wire
from realtime.writer import Writer


@dataclass(frozen=True, slots=True)
class NodeState:
    """What readiness and metrics show."""

    connected: bool
    last_error: str
    connections: int
    channels: int


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """A control message: end the connections of this session or user."""

    session: str = ""
    user: str = ""


class Node:
    """A server of realtime connections; one per process."""

    def __init__(
        self,
        *,
        broker: Broker,
        families: Sequence[ChannelFamily] = (),
        rpc: Mapping[str, RpcMethod] | None = None,
        log: DurableLog | None,
        verify_token: VerifyToken,
        map_error: MapError,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        name: str = "",
    ) -> None:
        self.name = name or secrets.token_hex(4)
        self.limits = limits = limits or Limits()
        self._broker = broker
        self._clock = clock
        self._tasks = TaskGroup()
        self._hub = Hub(clock)
        self._fanout = Fanout(limits.flush_window_s)
        self._channels = Channels(families, broker, log, limits, self._tasks, clock, self._fanout)
        self._presence = Presence(broker, limits, clock)
        self._commands = Commands(
            hub=self._hub,
            channels=self._channels,
            presence=self._presence,
            rpc=rpc or {},
            verify_token=verify_token,
            map_error=map_error,
            limits=limits,
            tasks=self._tasks,
            clock=clock,
            wall_clock=wall_clock,
        )
        self._upkeep = Upkeep(
            broker=broker,
            hub=self._hub,
            fanout=self._fanout,
            clock=clock,
            channels=self._channels,
            presence=self._presence,
            durable_log=log,
            limits=limits,
        )
        self.draining = False
        """True once the process is about to end: it is not ready for new clients."""

    def register(
        self, families: Sequence[ChannelFamily], rpc: Mapping[str, RpcMethod] | None = None
    ) -> None:
        """Add, before the start, what services that publish through this node bring."""
        self._channels.register(families)
        self._commands.register(rpc or {})

    # -- life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to serve; a broker that is away is waited for in the background."""
        await self._broker.start(self, self.name)
        self._tasks.start(self._upkeep.tick_for_ever(), "tick")
        self._tasks.start(self._upkeep.sweep_for_ever(), "sweep")

    async def drain(self) -> None:
        """Send every client elsewhere, spread over `drain_s`; who still comes is sent on."""
        self.draining = True
        await drain(self._hub, self.limits)

    async def stop(self) -> None:
        """Send every client elsewhere, then leave nothing behind."""
        self.draining = True
        await leave(self._hub, self.limits)
        await self._tasks.stop()
        await self._broker.stop()

    @property
    def state(self) -> NodeState:
        """Say how the node is."""
        broker = self._broker.state
        return NodeState(
            broker.connected, broker.last_error, len(self._hub.connections), len(self._channels)
        )

    def now(self) -> float:
        """The node's clock, for `open`."""
        return self._clock()

    def open(
        self,
        transport: Transport,
        *,
        identity: Identity | None = None,
        checked_at: float | None = None,
        token_required: bool = False,
    ) -> Connection:
        """Take a new client over a transport; the caller feeds `receive` and awaits `run`.

        `identity` is what the transport already knows (a session cookie), read at `checked_at`
        of `now`: a logout after that moment counts. With `token_required` a `connect` without
        token is refused.
        """
        out = Writer(transport, self.limits)
        return self.attach(out, identity, checked_at, token_required=token_required)

    def wire(self, transport: asyncio.Transport) -> Wire:
        """Make a way out that needs no task: it writes to the socket of this transport."""
        return Wire(transport, self._fanout, self.limits, self._clock)

    def attach(
        self,
        out: Outgoing,
        identity: Identity | None,
        checked_at: float | None,
        *,
        token_required: bool,
    ) -> Connection:
        """Take a new client over a way out; the caller feeds `receive` and calls `ended`."""
        session = Session(
            secrets.token_hex(13),
            self.limits,
            now=self._clock(),
            preset=identity,
            token_required=token_required,
        )
        connection = Connection(session, out, self._commands, self.limits, self._clock)
        if checked_at is not None:
            connection.checked_at = checked_at
        self._hub.add(connection)
        if self.draining:
            connection.disconnect(codes.SHUTDOWN)
        return connection

    # -- publishing ------------------------------------------------------------------------------

    async def publish_log(self, channel: str, publication: Publication) -> None:
        """Announce a committed entry of the durable log; call it after the commit.

        Never raises for an outage: other processes then read the log by themselves.
        """
        message = Message.of(msgspec.structs.replace(publication, data=one_line(publication.data)))
        self._channels.receive(channel, message)
        # Not sent is not lost: the sweep of every process reads it from the log.
        with contextlib.suppress(BrokerUnavailable):
            await self._broker.publish(channel, message)

    async def publish_value(self, channel: str, data: bytes, version: int) -> None:
        """Publish the newest value of a VALUE channel; `version` must grow with each change."""
        message = Message.of(Publication(one_line(data), version=version))
        self._channels.receive(channel, message)
        try:
            await self._broker.publish(channel, message)
        except BrokerUnavailable:
            self._upkeep.keep_value(channel, message)

    async def publish_tail(self, channel: str, data: bytes) -> int:
        """Append to the channel's stream and deliver; returns the offset.

        Raises BrokerUnavailable: the caller keeps the text and may try again.
        """
        offset, _ = await self._broker.append(channel, one_line(data))
        return offset

    async def tail_history(
        self, channel: str, after: int = 0
    ) -> tuple[list[Publication], int, str]:
        """Read the stream of a TAIL channel: publications, head offset, epoch.

        Raises BrokerUnavailable.
        """
        history: History = await self._broker.history(channel, after, _WHOLE_STREAM)
        return history.publications, history.offset, history.epoch

    async def tail_subscribe(self, channel: str, after: int | None = None) -> Follower:
        """Follow a TAIL channel inside this process; `after` replays from that offset first.

        Raises RealtimeError 112 when the stream no longer goes back that far, BrokerUnavailable.
        """
        follower = Follower(lambda me: self._channels.leave(channel, me), self.limits.follower_max)
        async with self._channels.opened(channel) as room:
            if not isinstance(room, OrderedChannel):
                raise codes.NOT_AVAILABLE.error()
            join = room.begin(follower)
            try:
                missed = [] if after is None else await room.recover(after, room.epoch)
                if missed is None:
                    raise codes.UNRECOVERABLE_POSITION.error()
                position = join.base if after is None else after + len(missed)
                frames = room.admit(join, position)
            finally:
                room.abandon(join)
            follower.preload(missed)
            for frame in frames:
                follower.push(frame)
        return follower

    async def drop_tail(self, channel: str) -> None:
        """Forget the stream of a TAIL channel: its text is in the database now.

        An outage is no error: streams also end by themselves.
        """
        with contextlib.suppress(BrokerUnavailable):
            await self._broker.drop(channel)

    # -- revocation ------------------------------------------------------------------------------

    async def disconnect_session(self, session: str) -> None:
        """End every connection of a session, on all processes."""
        await self._order(Order(session=session))

    async def disconnect_user(self, user: str) -> None:
        """End every connection of a user, on all processes."""
        await self._order(Order(user=user))

    async def _order(self, order: Order) -> None:
        """Obey here at once; other processes hear of it now or when the broker is back."""
        self._obey(order)
        data = msgspec.json.encode(order)
        try:
            await self._broker.control(data)
        except BrokerUnavailable:
            self._upkeep.keep_control(data)

    def _obey(self, order: Order) -> None:
        for connection in self._hub.end(order.session, order.user, self._clock()):
            connection.disconnect(codes.FORCED)

    # -- what the broker calls -------------------------------------------------------------------

    def on_message(self, channel: str, message: Message) -> None:
        """Take a message of a channel that is open here."""
        self._channels.receive(channel, message)

    def on_control(self, data: bytes) -> None:
        """Take an order for every process."""
        self._obey(msgspec.json.decode(data, type=Order))

    def on_restored(self) -> None:
        """Messages may have been missed."""
        self._upkeep.restored()


_WHOLE_STREAM = 100_000
