"""Who comes onto a channel, by whose wish, and how it ends: client, server, or a grant's expiry."""

from collections.abc import Awaitable, Coroutine, Iterable, Mapping

import msgspec

from realtime import codes
from realtime.actions import Enrol, Expel, Leave, RenewChannel
from realtime.actions import Join as JoinWork
from realtime.codes import InvalidToken, Unsubscribed
from realtime.connection import Connection
from realtime.joining import Entry, Joining
from realtime.messages import (
    ClientInfo,
    Reply,
    SubRefreshResult,
    SubscribeRequest,
    SubscribeResult,
)
from realtime.model import ChannelFamily, Grant
from realtime.parts import Parts
from realtime.protocol import Frame, PushWriter

NO_GRANT = Grant()
DEFAULT = SubscribeRequest()


class Held:
    """Keeps what a channel has for a connection that is not answered yet."""

    def __init__(self, connection: Connection, channel: str) -> None:
        self.channel = channel
        self.result = SubscribeResult()
        self._to = connection
        self._frames: list[Frame] = []
        self._lost: Unsubscribed | None = None

    def push(self, frame: Frame) -> None:
        """Keep a frame."""
        self._frames.append(frame)

    def lose_channel(self, _channel: str, reason: Unsubscribed) -> None:
        """Keep a loss."""
        self._lost = reason

    def release(self) -> None:
        """Pass on what was kept."""
        for frame in self._frames:
            self._to.push(frame)
        if self._lost is not None:
            self._to.lose_channel(self.channel, self._lost)


class Subscribing:
    """Brings connections onto channels and takes them off again."""

    def __init__(self, parts: Parts) -> None:
        self._channels = parts.channels
        self._presence = parts.presence
        self._joining = Joining(parts.channels, parts.limits)
        self._verify = parts.hooks.verify_subscription
        self._clock = parts.clock
        self._wall_clock = parts.wall_clock

    # -- by the client's wish --------------------------------------------------------------------

    async def join(self, connection: Connection, work: JoinWork) -> None:
        """Authorise, subscribe, answer, be present."""
        channel, request = work.request.channel, work.request
        family = self._channels.family(channel)
        grant = await self._grant(connection, family, channel, request.token)
        verdict = family.authorize(connection.session.identity, channel)
        if verdict is not None:
            await verdict
        if family.inspect_data is not None:
            await family.inspect_data(connection.session.identity, channel, bytes(request.data))

        def answer(result: SubscribeResult) -> None:
            ttl = self._expire(connection, channel, grant)
            result = msgspec.structs.replace(result, expires=ttl > 0, ttl=ttl)
            connection.subscribed(work.id, channel, result)

        await self._joining.join(Entry(connection, family, request, answer))
        await self._presence.enter(family, channel, info_of(connection))

    def join_at_once(self, connection: Connection, work: JoinWork) -> bool:
        """Do the same in this step, where nothing has to be asked; False: `join` must do it."""
        request = work.request
        family = self._channels.family(request.channel)
        if not family.asks_nobody or request.token or request.recover or request.delta:
            return False
        channel = self._channels.standing(request.channel)
        if channel is None:
            return False
        verdict = family.authorize(connection.session.identity, request.channel)
        if verdict is not None:  # no plain rule, though it looks like one
            _forget(verdict)
            return False

        result = self._joining.join_at_once(connection, request, channel)
        connection.subscribed(work.id, request.channel, result)
        return True

    async def renew(self, connection: Connection, work: RenewChannel) -> None:
        """Verify another token for a channel; raises RealtimeError 103, 109."""
        if not connection.session.channels.get(work.channel):
            raise codes.PERMISSION_DENIED.error()
        family = self._channels.family(work.channel)
        grant = await self._grant(connection, family, work.channel, work.token)
        ttl = self._expire(connection, work.channel, grant)
        reply = Reply(work.id, sub_refresh=SubRefreshResult(ttl > 0, ttl))
        connection.perform(connection.session.answered(reply))

    async def leave(self, connection: Connection, work: Leave) -> None:
        """Take the connection off and answer."""
        self._channels.leave(work.channel, connection)
        was_member = work.channel in connection.memberships
        connection.unsubscribed(work.id, work.channel)
        if was_member:
            await self._absent(connection, work.channel)

    async def _grant(
        self, connection: Connection, family: ChannelFamily, channel: str, token: str
    ) -> Grant:
        if not token and not family.token_required:
            return NO_GRANT
        if self._verify is None or not token:
            if family.token_required:
                raise codes.PERMISSION_DENIED.error()
            return NO_GRANT
        try:
            grant = await self._verify(token, connection.session.identity, channel)
        except InvalidToken:
            raise codes.PERMISSION_DENIED.error() from None
        left = self._left(grant)
        if left is not None and left <= 0:
            raise codes.TOKEN_EXPIRED.error()
        return grant

    def _expire(self, connection: Connection, channel: str, grant: Grant) -> int:
        left = self._left(grant)
        return connection.session.deadlines.expire_channel(channel, left, self._clock())

    def _left(self, grant: Grant) -> float | None:
        return None if grant.expires_at is None else grant.expires_at - self._wall_clock()

    # -- by the server's wish --------------------------------------------------------------------

    async def hold(
        self, connection: Connection, channel: str, requests: Mapping[str, SubscribeRequest]
    ) -> Held:
        """Subscribe a client that is being connected; nothing reaches it before `release`."""
        held = Held(connection, channel)

        def answer(result: SubscribeResult) -> None:
            connection.memberships.add(channel)
            held.result = result

        request = msgspec.structs.replace(requests.get(channel, DEFAULT), channel=channel)
        family = self._channels.family(channel)
        await self._joining.join(Entry(connection, family, request, answer, held))
        return held

    def release(self, connection: Connection, held: Held) -> None:
        """Make a held subscription live, right after the answer to `connect`."""
        self._channels.hear(held.channel, connection)
        connection.session.enrolled(held.channel)
        held.release()

    def drop(self, connection: Connection, channels: Iterable[str]) -> None:
        """Undo held subscriptions: the connect was refused."""
        for channel in channels:
            self._channels.leave(channel, connection)
            connection.memberships.discard(channel)

    async def enrol(self, connection: Connection, work: Enrol) -> None:
        """Subscribe a connected client and tell it; one that is there already stays."""
        channel, session = work.channel, connection.session
        if channel in session.channels:
            return

        def answer(result: SubscribeResult) -> None:
            connection.memberships.add(channel)
            session.enrolled(channel)
            connection.push(PushWriter(channel).subscribed(result))

        family = self._channels.family(channel)
        request = SubscribeRequest(channel=channel)
        await self._joining.join(Entry(connection, family, request, answer))
        await self.present(connection, channel)

    async def present(self, connection: Connection, channel: str) -> None:
        """Show the client on a channel that the server chose."""
        await self._presence.enter(self._channels.family(channel), channel, info_of(connection))

    def expel(self, connection: Connection, channel: str, reason: Unsubscribed) -> None:
        """End one subscription and say why."""
        if channel in connection.memberships:
            self._channels.leave(channel, connection)
            connection.lose_channel(channel, reason)

    async def clear(self, connection: Connection, work: Expel) -> None:
        """Take a client off a channel that it lost, unless it came back meanwhile."""
        if work.expired:
            self.expel(connection, work.channel, codes.SUBSCRIPTION_OVER)
        elif work.channel not in connection.memberships:
            await self._lost(connection, work.channel)

    def is_seen(self, connection: Connection) -> bool:
        """Tell whether others may see the client on one of its channels."""
        families = map(self._channels.family, connection.memberships)
        return any(family.presence or family.join_leave for family in families)

    async def depart(self, connection: Connection) -> None:
        """Give every lease of an ended connection back."""
        for channel in connection.memberships:
            await self._lost(connection, channel)

    async def _lost(self, connection: Connection, channel: str) -> None:
        """Nobody wanted to leave: the client may be back in a moment."""
        family = self._channels.family(channel)
        await self._presence.lose(family, channel, info_of(connection))

    async def _absent(self, connection: Connection, channel: str) -> None:
        family = self._channels.family(channel)
        await self._presence.leave(family, channel, info_of(connection))


def _forget(verdict: Awaitable[None]) -> None:
    """Let go of a rule that was not asked to its end; it is asked anew."""
    if isinstance(verdict, Coroutine):
        verdict.close()


def info_of(connection: Connection) -> ClientInfo:
    """How others see a connection."""
    identity = connection.session.identity
    info = msgspec.json.decode(identity.info) if identity.info else None
    return ClientInfo(identity.user, connection.session.client, info)
