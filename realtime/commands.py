"""Does the work a session asks for: authenticate, subscribe, call, read.

Every method answers through the connection or raises; what a client may see of a failure is
decided in `explain` alone.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

import msgspec

from realtime import codes
from realtime.actions import (
    Authenticate,
    Call,
    Enrol,
    Expel,
    Leave,
    Publish,
    ReadHistory,
    ReadPresence,
    Renew,
    RenewChannel,
    Tell,
    Work,
)
from realtime.actions import Join as JoinWork
from realtime.broker import Keep
from realtime.codes import BrokerUnavailable, Disconnect, InvalidToken, RealtimeError, TokenExpired
from realtime.connection import Connection
from realtime.messages import Empty, Reply, RpcResult
from realtime.model import (
    Identity,
    RpcMethod,
    VerifyToken,
    Welcome,
)
from realtime.parts import Parts
from realtime.phase import Phase
from realtime.protocol import encode_info, one_line
from realtime.reading import Reading
from realtime.subscribing import Held, Subscribing, info_of

log = logging.getLogger("realtime")

MapError = Callable[[Exception], RealtimeError | None]


class Commands:
    """The executor of one node."""

    def __init__(
        self,
        parts: Parts,
        subscribing: Subscribing,
        reading: Reading,
        *,
        rpc: Mapping[str, RpcMethod],
        verify_token: VerifyToken,
        map_error: MapError,
    ) -> None:
        self._hub = parts.hub
        self._channels = parts.channels
        self._broker = parts.broker
        self._subscribing = subscribing
        self._reading = reading
        self._rpc = dict(rpc)
        self._verify_token = verify_token
        self._hooks = parts.hooks
        self._map_error = map_error
        self._limits = parts.limits
        self._tasks = parts.tasks
        self._clock = parts.clock
        self._wall_clock = parts.wall_clock

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
            case Publish():
                await self._publish(connection, work)
            case Call():
                await self._call(connection, work)
            case Tell(data=data):
                if self._hooks.on_message is not None:
                    await self._hooks.on_message(connection.session.identity, data)
            case ReadPresence() | ReadHistory():
                await self._reading.answer(connection, work)
            case _:
                await self._move(connection, work)

    async def _move(
        self, connection: Connection, work: JoinWork | Leave | RenewChannel | Enrol | Expel
    ) -> None:
        """Bring the connection onto a channel, keep it there or take it off."""
        match work:
            case JoinWork():
                await self._subscribing.join(connection, work)
            case Leave():
                await self._subscribing.leave(connection, work)
            case RenewChannel():
                await self._subscribing.renew(connection, work)
            case Enrol():
                await self._subscribing.enrol(connection, work)
            case _:
                await self._subscribing.clear(connection, work)

    def admit(self, connection: Connection, work: Authenticate) -> bool:
        """Answer a `connect` whose identity is known and that brings no channels with it."""
        identity = connection.session.preset
        if work.token or identity.channels or self._hooks.on_connect is not None:
            return False
        self._welcome(connection, work, identity, connection.checked_at, NO_WELCOME, [])
        return True

    def join(self, connection: Connection, work: JoinWork) -> bool:
        """Answer a `subscribe` that nothing has to be asked for."""
        return self._subscribing.join_at_once(connection, work)

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
        if self._subscribing.is_seen(connection):
            self._tasks.start(self._subscribing.depart(connection), "depart")

    # -- who -----------------------------------------------------------------------------------

    async def _authenticate(self, connection: Connection, work: Authenticate) -> None:
        checked_at, identity = connection.checked_at, connection.session.preset
        if work.token:
            checked_at = self._clock()
            verified = await self._verify(connection, work.token)
            if verified is None:
                return
            identity = verified
        welcome = NO_WELCOME
        if self._hooks.on_connect is not None:
            welcome = await self._hooks.on_connect(identity, work.data)
        channels = dict.fromkeys((*identity.channels, *welcome.channels))
        try:
            held = [await self._subscribing.hold(connection, c, work.subs) for c in channels]
            accepted = self._welcome(connection, work, identity, checked_at, welcome, held)
        except BaseException:
            self._subscribing.drop(connection, channels)
            raise
        if not accepted:
            self._subscribing.drop(connection, channels)
            return
        await asyncio.gather(*(self._subscribing.present(connection, c) for c in channels))

    def _welcome(
        self,
        connection: Connection,
        work: Authenticate,
        identity: Identity,
        checked_at: float,
        welcome: Welcome,
        held: list[Held],
    ) -> bool:
        """Answer `connect` in one step: nothing may change between the checks and the answer."""
        refusal = self._refusal(identity, checked_at)
        if refusal is not None:
            connection.disconnect(refusal)
            return False
        expires_in = self._expires_in(identity)
        if expires_in is not None and expires_in <= 0:
            raise codes.TOKEN_EXPIRED.error()
        session = connection.session
        actions = session.connected(
            work.id,
            identity,
            expires_in=expires_in,
            now=self._clock(),
            data=None if welcome.data is None else one_line(welcome.data),
            subs={h.channel: h.result for h in held},
        )
        self._hub.identify(connection, session.identity)
        if held:
            # What the client said behind `connect` may be answered at once: never before these.
            connection.perform(actions[:1])
            for one in held:
                self._subscribing.release(connection, one)
            actions = actions[1:]
        connection.perform(actions)
        return session.phase is Phase.CONNECTED

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

    # -- the rest ------------------------------------------------------------------------------

    async def _publish(self, connection: Connection, work: Publish) -> None:
        family = self._channels.family(work.channel)
        if family.authorize_publish is None:
            raise codes.PERMISSION_DENIED.error()
        if not work.data:
            raise codes.BAD_REQUEST.error()
        await family.authorize_publish(connection.session.identity, work.channel)
        keep = Keep(family.history_size, family.history_ttl_s)
        info = encode_info(info_of(connection))
        await self._broker.append(work.channel, one_line(work.data), info=info, keep=keep)
        connection.perform(connection.session.answered(Reply(work.id, publish=Empty())))

    async def _call(self, connection: Connection, work: Call) -> None:
        method = self._rpc.get(work.method)
        if method is None:
            raise (codes.METHOD_NOT_FOUND if self._rpc else codes.NOT_AVAILABLE).error()
        data = one_line(await method(connection.session.identity, work.data))
        reply = Reply(work.id, rpc=RpcResult(msgspec.Raw(data)))
        connection.perform(connection.session.answered(reply))


NO_WELCOME = Welcome()
_AWAY = RealtimeError(codes.NOT_AVAILABLE.code, codes.NOT_AVAILABLE.message, temporary=True)
