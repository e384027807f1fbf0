"""One process of the realtime service: wires broker, channels, connections and upkeep.

This is the library's front door; everything the application passes in arrives here.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import msgspec

from realtime import codes
from realtime.api import ServerApi
from realtime.broker import WHOLE_STREAM, Broker, History, Message
from realtime.channels import Channels
from realtime.codes import BrokerUnavailable
from realtime.commands import Commands, MapError
from realtime.connection import Connection
from realtime.door import Door
from realtime.draining import drain, leave
from realtime.fanout import Fanout
from realtime.follower import Follower
from realtime.following import follow
from realtime.hub import Hub
from realtime.identities import Identities
from realtime.model import (
    ChannelFamily,
    DurableLog,
    Hooks,
    Identity,
    Limits,
    Publication,
    RpcMethod,
    VerifyToken,
)
from realtime.orders import End, Orders
from realtime.parts import NodeState, Parts
from realtime.presence import Presence
from realtime.protocol import one_line
from realtime.reading import Reading
from realtime.session import Session
from realtime.subscribing import Subscribing
from realtime.tasks import TaskGroup
from realtime.transport import Outgoing, Transport
from realtime.upkeep import Upkeep
from realtime.wire import Wire
from realtime.writer import Writer


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
        hooks: Hooks | None = None,
        open_to_all: bool = False,
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
        self._fanout = Fanout(limits.flush_window_s, clock=clock)
        self._channels = Channels(families, broker, log, limits, self._tasks, clock, self._fanout)
        self._presence = Presence(broker, limits, clock)
        parts = Parts(
            self.name,
            broker,
            self._hub,
            self._channels,
            self._presence,
            hooks or Hooks(),
            limits,
            self._tasks,
            clock,
            wall_clock,
        )
        subscribing, reading = Subscribing(parts), Reading(parts)
        self._commands = Commands(
            parts,
            subscribing,
            reading,
            rpc=rpc or {},
            verify_token=verify_token,
            map_error=map_error,
        )
        self._upkeep = Upkeep(
            broker=broker,
            hub=self._hub,
            fanout=self._fanout,
            clock=clock,
            channels=self._channels,
            presence=self._presence,
            durable_log=log,
            still_valid=parts.hooks.still_valid,
            limits=limits,
        )
        self.family = self._channels.family
        self.tick = self._upkeep.tick
        """For tests, whose clock does not move by itself."""
        self._orders = Orders(parts, subscribing, self._upkeep.keep_control)
        self.identities = Identities(parts, self._orders)
        self.api = ServerApi(parts, self._orders, reading)
        self._door = Door(open_to_all=open_to_all)
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
        """Begin to serve; a broker that is away is waited for behind it."""
        await self._broker.start(self, self.name)
        self._upkeep.start(self._tasks)

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
        unidirectional: bool = False,
        emulated: bool = False,
    ) -> Connection:
        """Take a new client over a transport; the caller feeds `receive` and awaits `run`.

        `identity` is what the transport knows (a session cookie), read at `checked_at` of `now`: a
        logout after that counts. With `token_required` a `connect` without token is refused. A
        `unidirectional` client only listens; what an `emulated` one says comes by `speak`.
        """
        out = Writer(transport, self.limits)
        secret, node = (secrets.token_hex(16), self.name) if emulated else ("", "")
        door = replace(self._door, unidirectional=unidirectional, secret=secret, node=node)
        return self.attach(out, identity, checked_at, token_required=token_required, door=door)

    async def speak(self, node: str, secret: str, frame: str) -> bool:
        """Take a frame of an emulated client, wherever it is connected; False: nowhere.

        Raises BrokerUnavailable.
        """
        return await self._orders.speak(node, secret, frame)

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
        door: Door | None = None,
    ) -> Connection:
        """Take a new client over a way out; the caller feeds `receive` and calls `ended`."""
        session = Session(
            os.urandom(13).hex(),
            self.limits,
            now=self._clock(),
            preset=identity,
            token_required=token_required,
            door=door or self._door,
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

    async def publish_tail(self, channel: str, data: bytes, *, key: str = "") -> int:
        """Append to the channel's stream and deliver, once for each key; returns the offset.

        Raises BrokerUnavailable: the caller keeps the text and may try again.
        """
        offset, _ = await self._broker.append(channel, one_line(data), key=key)
        return offset

    async def tail_history(
        self, channel: str, after: int = 0
    ) -> tuple[list[Publication], int, str]:
        """Read the stream of a TAIL channel: publications, head offset, epoch.

        Raises BrokerUnavailable.
        """
        history: History = await self._broker.history(channel, after, WHOLE_STREAM)
        return history.publications, history.offset, history.epoch

    async def tail_subscribe(self, channel: str, after: int | None = None) -> Follower:
        """Follow a TAIL channel inside this process; `after` replays from that offset first.

        Raises RealtimeError 112 when the stream no longer goes back that far, BrokerUnavailable.
        """
        return await follow(self._channels, channel, after, self.limits.follower_max)

    async def drop_tail(self, channel: str) -> None:
        """Forget the stream of a TAIL channel: its text is in the database now.

        An outage is no error: streams also end by themselves.
        """
        with contextlib.suppress(BrokerUnavailable):
            await self._broker.drop(channel)

    # -- revocation ------------------------------------------------------------------------------

    async def disconnect_session(self, session: str) -> None:
        """End every connection of a session, on all processes."""
        await self._orders.give(End(session=session))

    async def disconnect_user(self, user: str) -> None:
        """End every connection of a user, on all processes."""
        await self._orders.give(End(user=user))

    # -- what the broker calls -------------------------------------------------------------------

    def on_message(self, channel: str, message: Message) -> None:
        """Take a message of a channel that is open here."""
        self._channels.receive(channel, message)

    def on_control(self, data: bytes) -> None:
        """Take an order for every process."""
        self._orders.take(data)

    def on_restored(self) -> None:
        """Messages may have been missed."""
        self._upkeep.restored()
