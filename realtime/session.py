"""One connection's protocol state, sans I/O: a frame goes in, actions come out.

Never touches a socket, a task or a clock: the time is an argument. Commands that need I/O leave as
actions and come back as answers.
"""

from collections.abc import Mapping

from realtime import codes
from realtime.actions import Action, Authenticate, Close, Expel, Join, Leave, Send, Tell, work_of
from realtime.bucket import Bucket
from realtime.codes import Disconnect, ErrorCode, RealtimeError
from realtime.deadlines import Deadlines
from realtime.door import FRONT_DOOR, Door
from realtime.messages import (
    PONG,
    Command,
    ConnectRequest,
    Empty,
    RefreshResult,
    Reply,
    SubscribeRequest,
    SubscribeResult,
)
from realtime.model import ANONYMOUS, Identity, Limits
from realtime.phase import Phase
from realtime.protocol import (
    PING_FRAME,
    SERVER_VERSION,
    Frame,
    ProtocolFault,
    decode_frame,
    encode_error,
    encode_reply,
)
from realtime.refusals import subscribe_refusal


class Session:
    """The protocol state machine of one connection."""

    __slots__ = (
        "_bucket",
        "_by_token",
        "_limits",
        "_preset",
        "_token_required",
        "_waiting",
        "channels",
        "client",
        "deadlines",
        "door",
        "identity",
        "in_flight",
        "phase",
        "server_side",
    )

    def __init__(
        self,
        client: str,
        limits: Limits,
        *,
        now: float,
        preset: Identity | None = None,
        token_required: bool = False,
        door: Door = FRONT_DOOR,
    ) -> None:
        self.client = client
        self.identity = ANONYMOUS
        self.phase = Phase.FRESH
        self.channels: dict[str, bool] = {}
        """Channel -> True once subscribed, False while joining or leaving."""
        self.server_side: frozenset[str] = frozenset()
        """Channels that the server chose: losing one ends the connection, not the subscription."""
        self.in_flight = 0
        self._limits = limits
        self._preset = preset
        self._token_required = token_required
        self._by_token = False
        self._waiting: list[Command] = []
        self._bucket = Bucket(limits.commands_per_s, limits.command_burst, now)
        self.door = door
        self.deadlines = Deadlines(limits, now, wants_pong=not door.unidirectional)

    # -- frames and time ---------------------------------------------------------------------

    def receive(self, frame: str | bytes, now: float) -> list[Action]:
        """Take one frame from the client."""
        if self.phase is Phase.CLOSED:
            return []
        try:
            commands = decode_frame(frame, self._limits.max_frame_bytes)
        except ProtocolFault:
            return self.close(codes.MALFORMED)
        return self._run(commands, now)

    @property
    def deadline(self) -> float:
        """The next moment at which `tick` has something to do."""
        return self.deadlines.next

    def tick(self, now: float) -> list[Action]:
        """Apply every deadline that has passed."""
        verdict = self.deadlines.missed(now)
        if verdict is not None:
            return self.close(verdict)
        actions: list[Action] = [Send(PING_FRAME)] if self.deadlines.ping_is_due(now) else []
        return actions + [Expel(channel) for channel in self.deadlines.expired_channels(now)]

    def close(self, disconnect: Disconnect) -> list[Action]:
        """End the connection from our side; only the first close counts."""
        if self.phase is Phase.CLOSED:
            return []
        self.lost()
        return [Close(disconnect)]

    def lost(self) -> None:
        """Note that the connection is gone: nothing will be accepted or asked any more."""
        self.phase = Phase.CLOSED
        self._waiting.clear()
        self.deadlines.clear()

    def connected(
        self,
        command_id: int,
        identity: Identity,
        *,
        expires_in: float | None,
        now: float,
        data: bytes | None = None,
        subs: Mapping[str, SubscribeResult] | None = None,
    ) -> list[Action]:
        """Accept the connection under this identity, then run what arrived meanwhile."""
        if self.phase is not Phase.CONNECTING:
            return []
        self.phase = Phase.CONNECTED
        self.identity = identity
        self.deadlines.connected(self.client, now)
        ttl = self.deadlines.expire(expires_in, now, grace=self._by_token)
        ping = int(self._limits.ping_interval_s)
        result = self.door.welcome(self.client, ttl=ttl, ping=ping, data=data, subs=subs or {})
        waiting, self._waiting = self._waiting, []
        return [*self.answered(Reply(command_id, connect=result)), *self._run(waiting, now)]

    def refreshed(
        self, command_id: int, identity: Identity, *, expires_in: float | None, now: float
    ) -> list[Action]:
        """Prolong the connection; another user's token ends it."""
        if identity.user != self.identity.user:
            return self.close(codes.INVALID_TOKEN)
        self.identity = identity
        self._by_token = True
        ttl = self.deadlines.expire(expires_in, now, grace=True)
        result = RefreshResult(self.client, SERVER_VERSION, expires=ttl > 0, ttl=ttl)
        return self.answered(Reply(command_id, refresh=result))

    def enrolled(self, channel: str) -> None:
        """Note a subscription that the server made."""
        self.channels[channel] = True
        self.server_side |= {channel}

    def left(self, channel: str) -> None:
        """Note that a subscription is over."""
        self.channels.pop(channel, None)
        self.deadlines.forget_channel(channel)
        if channel in self.server_side:
            self.server_side -= {channel}

    def subscribed(self, command_id: int, channel: str, result: SubscribeResult) -> list[Action]:
        """Confirm a subscription."""
        self.channels[channel] = True
        return self.answered(Reply(command_id, subscribe=result))

    def unsubscribed(self, command_id: int, channel: str) -> list[Action]:
        """Confirm the end of a subscription, also of one that never was."""
        self.left(channel)
        return self.answered(Reply(command_id, unsubscribe=Empty()))

    def answered(self, reply: Reply) -> list[Action]:
        """Answer a command that needed I/O."""
        self.in_flight -= 1
        return self._send(encode_reply(reply))

    def refused(self, command_id: int, error: RealtimeError, now: float) -> list[Action]:
        """Refuse a command that needed I/O; a refused `connect` may be tried again."""
        self.in_flight -= 1
        if self.phase is Phase.CONNECTING:
            self.phase = Phase.FRESH
            self._waiting.clear()
            self.deadlines.refused(now)
        return self._send(encode_error(command_id, error))

    def _send(self, frame: Frame) -> list[Action]:
        return [] if self.phase is Phase.CLOSED else [Send(frame)]

    def _run(self, commands: list[Command], now: float) -> list[Action]:
        actions: list[Action] = []
        for command in commands:
            actions += self._command(command, now)
            if self.phase is Phase.CLOSED:
                break
        return actions

    def _command(self, command: Command, now: float) -> list[Action]:
        if self.phase is Phase.CONNECTING:
            return self._postpone(command)
        if not self._bucket.take(now):
            return self._throttle(command)
        if self.phase is Phase.FRESH:
            if command.connect is None or not command.id:
                return self.close(codes.MALFORMED)
            return self._connect(command.id, command.connect, now)
        if command.id:
            return self._dispatch(command)
        return self._without_id(command)

    def _postpone(self, command: Command) -> list[Action]:
        """Keep what follows `connect` in the same breath until that is answered."""
        if len(self._waiting) >= self._limits.command_burst:
            return self.close(codes.MALFORMED)
        self._waiting.append(command)
        return []

    def _throttle(self, command: Command) -> list[Action]:
        if self._bucket.refusals >= self._limits.command_burst:
            return self.close(codes.FLOOD)
        return self._refuse(command.id, codes.TOO_MANY_REQUESTS) if command.id else []

    def _without_id(self, command: Command) -> list[Action]:
        """A pong, or a `send`, which has no answer; anything else is no command."""
        if command == PONG:
            self.deadlines.pong()
            return []
        if command.send is None:
            return self.close(codes.MALFORMED)
        return [Tell(bytes(command.send.data))] if self.door.lets_call(self.identity) else []

    def _refuse(self, command_id: int, row: ErrorCode) -> list[Action]:
        return [Send(encode_error(command_id, row.error()))]

    def _start(self, work: Action) -> list[Action]:
        self.in_flight += 1
        return [work]

    def _connect(self, command_id: int, request: ConnectRequest, now: float) -> list[Action]:
        if not request.token and self._token_required:
            return self._refuse(command_id, codes.UNAUTHORIZED)
        self.phase = Phase.CONNECTING
        self.deadlines.connecting(now)
        self._by_token = bool(request.token)
        return self._start(
            Authenticate(command_id, request.token, bytes(request.data), request.subs)
        )

    @property
    def preset(self) -> Identity:
        """The identity of a `connect` without token: the cookie's, or nobody's."""
        return self._preset or ANONYMOUS

    def _dispatch(self, command: Command) -> list[Action]:
        """Subscribing and pings are for everybody; all else needs a signed-in user."""
        if command.connect is not None:
            return self.close(codes.MALFORMED)
        if command.subscribe is not None:
            return self._subscribe(command.id, command.subscribe)
        if command.unsubscribe is not None:
            return self._unsubscribe(command.id, command.unsubscribe.channel)
        if command.ping:
            return [Send(encode_reply(Reply(command.id, ping=Empty())))]
        work = self._work(command)
        if isinstance(work, ErrorCode):
            return self._refuse(command.id, work)
        return self._start(work)

    def _work(self, command: Command) -> Action | ErrorCode:
        """Turn a signed-in user's command into work, or say why not."""
        if not self.door.lets_call(self.identity):
            return codes.UNAUTHORIZED
        if self.in_flight >= self._limits.max_in_flight:
            return codes.TOO_MANY_REQUESTS
        return work_of(command) or codes.METHOD_NOT_FOUND

    def _subscribe(self, command_id: int, request: SubscribeRequest) -> list[Action]:
        channel = request.channel
        refusal = subscribe_refusal(channel, self.channels, self.in_flight, self._limits)
        if refusal is not None:
            return self._refuse(command_id, refusal)
        self.channels[channel] = False
        return self._start(Join(command_id, request))

    def _unsubscribe(self, command_id: int, channel: str) -> list[Action]:
        if channel not in self.channels:
            return [Send(encode_reply(Reply(command_id, unsubscribe=Empty())))]
        self.left(channel)
        return self._start(Leave(command_id, channel))
