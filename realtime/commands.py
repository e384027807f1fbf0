"""Does the work a session asks for: authenticate, subscribe, call, read.

Every method answers through the connection or raises; what a client may see of a failure is
decided in `explain` alone.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

from realtime import codes
from realtime.actions import Authenticate, Call, Leave, ReadHistory, ReadPresence, Renew, Work
from realtime.actions import Join as JoinWork
from realtime.channels import Channels
from realtime.codes import BrokerUnavailable, Disconnect, InvalidToken, RealtimeError, TokenExpired
from realtime.connection import Connection
from realtime.hub import Hub
from realtime.joining import Joining
from realtime.model import ANONYMOUS, Identity, Limits, RpcMethod, VerifyToken
from realtime.ordered import OrderedChannel
from realtime.presence import Presence
from realtime.protocol import (
    ClientInfo,
    HistoryResult,
    PresenceResult,
    PresenceStatsResult,
    Reply,
    RpcResult,
    one_line,
    wire,
)
from realtime.tasks import TaskGroup

log = logging.getLogger("realtime")

MapError = Callable[[Exception], RealtimeError | None]


class Commands:
    """The executor of one node."""

    def __init__(
        self,
        *,
        hub: Hub,
        channels: Channels,
        presence: Presence,
        rpc: Mapping[str, RpcMethod],
        verify_token: VerifyToken,
        map_error: MapError,
        limits: Limits,
        tasks: TaskGroup,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._channels = channels
        self._presence = presence
        self._joining = Joining(channels)
        self._rpc = dict(rpc)
        self._verify_token = verify_token
        self._map_error = map_error
        self._limits = limits
        self._tasks = tasks
        self._clock = clock
        self._wall_clock = wall_clock

    def register(self, rpc: Mapping[str, RpcMethod]) -> None:
        """Add methods."""
        self._rpc.update(rpc)

    async def run(self, connection: Connection, work: Work) -> None:
        """Do one piece of work."""
        match work:
            case Authenticate():
                await self._authenticate(connection, work)
            case Renew():
                await self._renew(connection, work)
            case JoinWork():
                await self._join(connection, work)
            case Leave():
                await self._leave(connection, work)
            case Call():
                await self._call(connection, work)
            case ReadPresence():
                await self._read_presence(connection, work)
            case ReadHistory():
                await self._read_history(connection, work)

    def explain(self, error: Exception) -> RealtimeError:
        """Turn any failure into the refusal a client may see; the unexpected is logged."""
        match error:
            case RealtimeError():
                return error
            case TokenExpired():
                return codes.TOKEN_EXPIRED.error()
            case BrokerUnavailable():
                return _AWAY
        mapped = self._map_error(error)
        if mapped is None:
            log.error("realtime.command_failed", exc_info=error)
            return codes.INTERNAL.error()
        return mapped

    def arm(self, connection: Connection) -> None:
        """Have the connection looked at in time; one that is forgotten stays so."""
        if connection.session.client in self._hub.connections:
            self._hub.arm(connection)

    def ended(self, connection: Connection) -> None:
        """Forget the connection everywhere; leases are given back behind it."""
        self._hub.remove(connection)
        for channel in connection.memberships:
            self._channels.leave(channel, connection)
        if connection.memberships:
            self._tasks.start(self._depart(connection), "depart")

    # -- who -----------------------------------------------------------------------------------

    async def _authenticate(self, connection: Connection, work: Authenticate) -> None:
        checked_at, identity = connection.checked_at, connection.session.preset
        if work.token:
            checked_at = self._clock()
            identity = await self._verify(connection, work.token) or ANONYMOUS
        refusal = self._refusal(identity, checked_at)
        if refusal is not None:
            connection.disconnect(refusal)
            return
        expires_in = self._expires_in(identity)
        if expires_in is not None and expires_in <= 0:
            raise codes.TOKEN_EXPIRED.error()
        session = connection.session
        connection.perform(
            session.connected(work.id, identity, expires_in=expires_in, now=self._clock())
        )
        self._hub.identify(connection, session.identity)

    def _refusal(self, identity: Identity, checked_at: float) -> Disconnect | None:
        """Say why this identity may not connect, though it was valid when it was checked."""
        if self._hub.ended_since(identity, checked_at):
            return codes.FORCED
        if self._hub.count_of_user(identity.user) >= self._limits.max_user_connections:
            return codes.CONNECTION_LIMIT
        return None

    async def _renew(self, connection: Connection, work: Renew) -> None:
        checked_at = self._clock()
        identity = await self._verify(connection, work.token)
        if identity is None:
            return
        if self._hub.ended_since(identity, checked_at):
            connection.disconnect(codes.FORCED)
            return
        self._hub.forget(connection)
        connection.perform(
            connection.session.refreshed(
                work.id, identity, expires_in=self._expires_in(identity), now=self._clock()
            )
        )
        self._hub.identify(connection, connection.session.identity)

    async def _verify(self, connection: Connection, token: str) -> Identity | None:
        """Return the token's identity; None when it ended the connection."""
        try:
            return await self._verify_token(token)
        except InvalidToken:
            connection.disconnect(codes.INVALID_TOKEN)
            return None

    def _expires_in(self, identity: Identity) -> float | None:
        return None if identity.expires_at is None else identity.expires_at - self._wall_clock()

    # -- channels ------------------------------------------------------------------------------

    async def _join(self, connection: Connection, work: JoinWork) -> None:
        channel = work.request.channel
        family = self._channels.family(channel)
        await family.authorize(connection.session.identity, channel)
        await self._joining.join(connection, family, work)
        await self._presence.enter(family, channel, _info(connection))

    async def _leave(self, connection: Connection, work: Leave) -> None:
        self._channels.leave(work.channel, connection)
        was_member = work.channel in connection.memberships
        connection.unsubscribed(work.id, work.channel)
        if was_member:
            family = self._channels.family(work.channel)
            await self._presence.leave(family, work.channel, _info(connection))

    async def _depart(self, connection: Connection) -> None:
        for channel in connection.memberships:
            family = self._channels.family(channel)
            await self._presence.leave(family, channel, _info(connection))

    # -- questions -----------------------------------------------------------------------------

    async def _call(self, connection: Connection, work: Call) -> None:
        method = self._rpc.get(work.method)
        if method is None:
            raise codes.METHOD_NOT_FOUND.error()
        data = one_line(await method(connection.session.identity, work.data))
        reply = Reply(work.id, rpc=RpcResult(msgspec.Raw(data)))
        connection.perform(connection.session.answered(reply))

    async def _read_presence(self, connection: Connection, work: ReadPresence) -> None:
        if not self._channels.family(work.channel).presence:
            raise codes.NOT_AVAILABLE.error()
        here = await self._presence.read(work.channel)
        if work.stats:
            users = len({info.user for info in here.values()})
            reply = Reply(work.id, presence_stats=PresenceStatsResult(len(here), users))
        else:
            reply = Reply(work.id, presence=PresenceResult(here))
        connection.perform(connection.session.answered(reply))

    async def _read_history(self, connection: Connection, work: ReadHistory) -> None:
        request = work.request
        channel = self._channels.get(request.channel)
        if not isinstance(channel, OrderedChannel) or request.reverse or request.limit < 0:
            raise codes.NOT_AVAILABLE.error()
        after = 0
        if request.since is not None:
            after = request.since.offset
            if request.since.epoch and request.since.epoch != channel.epoch:
                raise codes.UNRECOVERABLE_POSITION.error()
        page = await channel.history(after, request.limit)
        result = HistoryResult(wire(page.publications), page.epoch, page.offset)
        connection.perform(connection.session.answered(Reply(work.id, history=result)))


_AWAY = RealtimeError(codes.NOT_AVAILABLE.code, codes.NOT_AVAILABLE.message, temporary=True)


def _info(connection: Connection) -> ClientInfo:
    return ClientInfo(connection.session.identity.user, connection.session.client)
