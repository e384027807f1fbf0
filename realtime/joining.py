"""Subscribing without a gap: buffer first, then read the state, reply, and only then flush.

A recovery is complete or it is refused: then the client gets a snapshot and `recovered` false.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from realtime import codes
from realtime.audience import Join, Subscriber
from realtime.channels import Channel, Channels
from realtime.connection import Connection
from realtime.delta import FOSSIL, DeltaView, delta_wire
from realtime.messages import REJECT_UNRECOVERED, SubscribeRequest, SubscribeResult
from realtime.model import ChannelFamily, Limits, Publication, Snapshot
from realtime.ordered import OrderedChannel
from realtime.protocol import one_line, wire
from realtime.value import ValueChannel


@dataclass(frozen=True, slots=True)
class Entry:
    """Who wants onto which channel, and how."""

    connection: Connection
    family: ChannelFamily
    request: SubscribeRequest
    answer: Callable[[SubscribeResult], None]
    """Called in the step in which the connection becomes live."""
    view: Subscriber | None = None
    """Hears the channel in the connection's place."""

    @property
    def delta(self) -> bool:
        """Tell whether publications leave as deltas."""
        return self.family.delta and self.request.delta == FOSSIL and self.view is None

    def ear(self, channel: Channel, base: Publication | None) -> Subscriber | None:
        """Return what hears the channel in the connection's place, if anything does."""
        return DeltaView(self.connection, channel.deltas, base) if self.delta else self.view


class Joining:
    """Brings a connection onto a channel."""

    def __init__(self, channels: Channels, limits: Limits) -> None:
        self._channels = channels
        self._limits = limits

    async def join(self, entry: Entry) -> None:
        """Subscribe and answer; raises RealtimeError when the state is not at hand now."""
        async with self._channels.opened(entry.request.channel) as channel:
            if isinstance(channel, ValueChannel):
                await self._join_value(entry, channel)
            else:
                await self._join_ordered(entry, channel)
            if entry.request.join_leave:
                channel.audience.watch(entry.connection)

    def join_at_once(
        self, connection: Connection, request: SubscribeRequest, channel: OrderedChannel
    ) -> SubscribeResult:
        """Subscribe from here on, where there is neither snapshot nor recovery.

        Nothing may happen between this and the answer.
        """
        channel.audience.add(connection)
        if request.join_leave:
            channel.audience.watch(connection)
        return SubscribeResult(
            recoverable=True, positioned=True, epoch=channel.epoch, offset=channel.last
        )

    async def _join_value(self, entry: Entry, channel: ValueChannel) -> None:
        snapshot = await _take(entry)
        value = None
        if snapshot is not None:
            value = Publication(one_line(snapshot.data), version=snapshot.version)
        await entry.connection.room()
        newest = channel.admit(entry.connection, value, entry.ear(channel, None))
        data = None if newest is None else msgspec.Raw(newest.data)
        recovering = entry.request.recover
        entry.answer(SubscribeResult(data=data, was_recovering=recovering, delta=entry.delta))

    async def _join_ordered(self, entry: Entry, channel: OrderedChannel) -> None:
        join = channel.begin(entry.connection)
        try:
            found = await self._recover(channel, entry.request)
            if found is not None:
                position = entry.request.offset + len(found)
                result = SubscribeResult(recovered=True)
            else:
                snapshot = await _take(entry)
                found, position = await self._from_snapshot(channel, join, snapshot)
                data = None if snapshot is None else msgspec.Raw(one_line(snapshot.data))
                result = SubscribeResult(data=data)
            await entry.connection.room()
            ear = entry.ear(channel, found[-1] if found else None)
            frames = channel.admit(join, position, ear)
        finally:
            channel.abandon(join)
        # Nothing may happen between the admission and the last of these pushes.
        publications = delta_wire(found) if entry.delta else wire(found)
        entry.answer(
            msgspec.structs.replace(
                result,
                recoverable=True,
                positioned=True,
                epoch=channel.epoch,
                offset=position,
                publications=publications if result.recovered else publications or None,
                was_recovering=entry.request.recover,
                delta=entry.delta,
            )
        )
        for frame in frames:
            (ear or entry.connection).push(frame)

    async def _recover(
        self, channel: OrderedChannel, request: SubscribeRequest
    ) -> list[Publication] | None:
        """Return what the client missed; None: it cannot be told, or did not ask."""
        if not request.recover:
            return None
        # A client that names no epoch takes the present one to be its own.
        found = await channel.recover(request.offset, request.epoch or channel.epoch)
        if found is not None and sum(len(p.data) for p in found) > self._limits.answer_max_bytes:
            found = None
        if found is None and request.flag & REJECT_UNRECOVERED:
            raise codes.UNRECOVERABLE_POSITION.error()
        return found

    async def _from_snapshot(
        self, channel: OrderedChannel, join: Join, snapshot: Snapshot | None
    ) -> tuple[list[Publication], int]:
        """Return what is newer than the snapshot, and the position reached with that."""
        if snapshot is None or not (snapshot.offset or snapshot.epoch):
            return [], join.base
        later = await self._since(channel, join, snapshot)
        return later, snapshot.offset + len(later)

    async def _since(
        self, channel: OrderedChannel, join: Join, snapshot: Snapshot
    ) -> list[Publication]:
        """Return what the snapshot lacks of the time before the join; usually nothing."""
        if snapshot.epoch and snapshot.epoch != channel.epoch:
            channel.suspect()
            raise codes.INTERNAL.error()
        await channel.reach(snapshot.offset)
        if snapshot.offset >= join.base:
            return []
        later = await channel.recover(snapshot.offset, channel.epoch)
        if later is None:
            raise codes.INTERNAL.error()
        return later


async def _take(entry: Entry) -> Snapshot | None:
    if entry.family.snapshot is None:
        return None
    identity = entry.connection.session.identity
    return await entry.family.snapshot(identity, entry.request.channel)
