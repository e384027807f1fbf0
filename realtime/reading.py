"""Answers questions about a channel: who is there, and what was said. Changes nothing."""

from itertools import accumulate

from realtime import codes
from realtime.actions import ReadHistory, ReadPresence
from realtime.connection import Connection
from realtime.messages import (
    HistoryRequest,
    HistoryResult,
    PresenceResult,
    PresenceStatsResult,
    Reply,
    StreamPosition,
)
from realtime.model import Publication
from realtime.ordered import OrderedChannel
from realtime.parts import Parts
from realtime.protocol import wire


class Reading:
    """Presence and history, for those who were let into a channel or may read without."""

    def __init__(self, parts: Parts) -> None:
        self._channels = parts.channels
        self._presence = parts.presence
        self._limits = parts.limits

    async def answer(self, connection: Connection, work: ReadPresence | ReadHistory) -> None:
        """Read and reply; raises RealtimeError 103, 106, 108, 112."""
        await self._admit(connection, work.channel)
        if isinstance(work, ReadHistory):
            reply = Reply(work.id, history=await self.history(work.request))
        else:
            reply = await self._presence_reply(work)
        await connection.room()
        connection.perform(connection.session.answered(reply))

    async def _admit(self, connection: Connection, channel: str) -> None:
        if connection.session.channels.get(channel):
            return
        rule = self._channels.family(channel).authorize_read
        if rule is None:
            raise codes.PERMISSION_DENIED.error()
        await rule(connection.session.identity, channel)

    async def _presence_reply(self, work: ReadPresence) -> Reply:
        result = await self.presence(work.channel)
        if work.stats:
            return Reply(work.id, presence_stats=stats_of(result))
        if len(result.presence) > self._limits.presence_max:
            raise codes.LIMIT_EXCEEDED.error()
        return Reply(work.id, presence=result)

    async def presence(self, channel: str) -> PresenceResult:
        """Return who is on a channel; raises RealtimeError 108 where nobody counts."""
        if not self._channels.family(channel).presence:
            raise codes.NOT_AVAILABLE.error()
        return PresenceResult(await self._presence.read(channel))

    async def history(self, request: HistoryRequest) -> HistoryResult:
        """Return publications of a channel, and where it stands."""
        async with self._channels.opened(request.channel) as channel:
            if not isinstance(channel, OrderedChannel):
                raise codes.NOT_AVAILABLE.error()
            since, epoch = request.since, channel.epoch
            if since is not None and since.epoch and since.epoch != epoch:
                raise codes.UNRECOVERABLE_POSITION.error()
            found = await self._page(channel, request, since)
            sizes = accumulate(len(p.data) for p in found)
            fitting = sum(1 for size in sizes if size <= self._limits.answer_max_bytes)
            return HistoryResult(wire(found[: max(1, fitting)]), epoch, channel.last)

    async def _page(
        self, channel: OrderedChannel, request: HistoryRequest, since: StreamPosition | None
    ) -> list[Publication]:
        most, last = self._limits.recover_max, channel.last
        limit = min(request.limit, most) if request.limit >= 0 else most
        if not limit:
            return []
        if request.reverse:
            before = last + 1 if since is None else min(since.offset, last + 1)
            found = await channel.read(max(0, before - 1 - limit), limit)
            return [p for p in reversed(found) if p.offset < before]
        if since is None:
            return await channel.read(0, limit)
        found = await channel.read(since.offset, limit)
        if (found[0].offset if found else last + 1) > since.offset + 1:
            raise codes.UNRECOVERABLE_POSITION.error()
        return found


def stats_of(result: PresenceResult) -> PresenceStatsResult:
    """Count clients and their users."""
    users = {info.user for info in result.presence.values()}
    return PresenceStatsResult(len(result.presence), len(users))
