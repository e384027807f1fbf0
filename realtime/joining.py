"""Subscribing without a gap: buffer first, then read the state, reply, and only then flush.

A recovery is complete or it is refused: then the client gets a snapshot and `recovered` false.
"""

import msgspec

from realtime import codes
from realtime.actions import Join as JoinWork
from realtime.channels import Channels
from realtime.connection import Connection
from realtime.model import ChannelFamily, Publication, Snapshot
from realtime.ordered import Join, OrderedChannel
from realtime.protocol import SubscribeRequest, SubscribeResult, one_line, wire
from realtime.value import ValueChannel


class Joining:
    """Brings a connection onto a channel."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def join(self, connection: Connection, family: ChannelFamily, work: JoinWork) -> None:
        """Subscribe and answer; raises RealtimeError when the state is not at hand now."""
        async with self._channels.opened(work.request.channel) as channel:
            if isinstance(channel, ValueChannel):
                await self._join_value(connection, family, work, channel)
            else:
                await self._join_ordered(connection, family, work, channel)

    async def _join_value(
        self, connection: Connection, family: ChannelFamily, work: JoinWork, channel: ValueChannel
    ) -> None:
        name = work.request.channel
        snapshot = await _take(family, connection, name)
        value = None
        if snapshot is not None:
            value = Publication(one_line(snapshot.data), version=snapshot.version)
        newest = channel.admit(connection, value)
        data = None if newest is None else msgspec.Raw(newest.data)
        result = SubscribeResult(data=data, was_recovering=work.request.recover)
        connection.subscribed(work.id, name, result)

    async def _join_ordered(
        self, connection: Connection, family: ChannelFamily, work: JoinWork, channel: OrderedChannel
    ) -> None:
        name = work.request.channel
        join = channel.begin(connection)
        try:
            result = await self._recover(channel, work.request)
            if result is None:
                snapshot = await _take(family, connection, name)
                result = await self._from_snapshot(channel, join, work.request, snapshot)
            frames = channel.admit(join, result.offset)
        finally:
            channel.abandon(join)
        # Nothing may happen between the admission and the last of these pushes.
        connection.subscribed(work.id, name, result)
        for frame in frames:
            connection.push(frame)

    async def _recover(
        self, channel: OrderedChannel, request: SubscribeRequest
    ) -> SubscribeResult | None:
        if not request.recover:
            return None
        found = await channel.recover(request.offset, request.epoch)
        if found is None:
            return None
        return SubscribeResult(
            recoverable=True,
            positioned=True,
            epoch=channel.epoch,
            offset=request.offset + len(found),
            publications=wire(found),
            recovered=True,
            was_recovering=True,
        )

    async def _from_snapshot(
        self,
        channel: OrderedChannel,
        join: Join,
        request: SubscribeRequest,
        snapshot: Snapshot | None,
    ) -> SubscribeResult:
        position = join.base
        later: list[Publication] = []
        if snapshot is not None and (snapshot.offset or snapshot.epoch):
            later = await self._since(channel, join, snapshot)
            position = snapshot.offset + len(later)
        return SubscribeResult(
            recoverable=True,
            positioned=True,
            epoch=channel.epoch,
            offset=position,
            publications=wire(later) or None,
            data=None if snapshot is None else msgspec.Raw(one_line(snapshot.data)),
            was_recovering=request.recover,
        )

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


async def _take(family: ChannelFamily, connection: Connection, name: str) -> Snapshot | None:
    if family.snapshot is None:
        return None
    return await family.snapshot(connection.session.identity, name)
