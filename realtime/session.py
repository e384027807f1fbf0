"""One connection's protocol state, sans I/O: a frame goes in, actions come out.

Never touches a socket, a task or a clock: the time is an argument. Commands that need I/O leave as
actions and come back as answers.
"""

from realtime import codes
from realtime.actions import (
    Action,
    Authenticate,
    Call,
    Close,
    Join,
    Leave,
    Renew,
    Send,
    reading_of,
    unsupported,
)
from realtime.bucket import Bucket
from realtime.codes import Disconnect, ErrorCode, RealtimeError
from realtime.deadlines import Deadlines
from realtime.model import ANONYMOUS, Identity, Limits
from realtime.phase import Phase
from realtime.protocol import (
    PING_FRAME,
    PONG,
    SERVER_VERSION,
    Command,
    ConnectRequest,
    ConnectResult,
    Empty,
    Frame,
    ProtocolFault,
    RefreshRequest,
    RefreshResult,
    Reply,
    RpcRequest,
    SubscribeRequest,
    SubscribeResult,
    decode_frame,
    encode_error,
    encode_reply,
)


class Session:
    """The protocol state machine of one connection."""

    __slots__ = (
        "_bucket",
        "_by_token",
        "_deadlines",
        "_limits",
        "_preset",
        "_token_required",
        "_waiting",
        "channels",
        "client",
        "identity",
        "in_flight",
        "phase",
    )

    def __init__(
        self,
        client: str,
        limits: Limits,
        *,
        now: float,
        preset: Identity | None = None,
        token_required: bool = False,
    ) -> None:
        self.client = client
        self.identity = ANONYMOUS
        self.phase = Phase.FRESH
        self.channels: dict[str, bool] = {}
        """Channel -> True once subscribed, False while joining or leaving."""
        self.in_flight = 0
        self._limits = limits
        self._preset = preset
        self._token_required = token_required
        self._by_token = False
        self._waiting: list[Command] = []
        self._bucket = Bucket(limits.commands_per_s, limits.command_burst, now)
        self._deadlines = Deadlines(limits, now)

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
        return self._deadlines.next

    def tick(self, now: float) -> list[Action]:
        """Apply every deadline that has passed."""
        verdict = self._deadlines.missed(now)
        if verdict is not None:
            return self.close(verdict)
        return [Send(PING_FRAME)] if self._deadlines.ping_is_due(now) else []

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
        self._deadlines.clear()

    def connected(
        self, command_id: int, identity: Identity, *, expires_in: float | None, now: float
    ) -> list[Action]:
        """Accept the connection under this identity, then run what arrived meanwhile."""
        if self.phase is not Phase.CONNECTING:
            return []
        self.phase = Phase.CONNECTED
        self.identity = identity
        self._deadlines.connected(now)
        ttl = self._deadlines.expire(expires_in, now, grace=self._by_token)
        result = ConnectResult(
            self.client,
            SERVER_VERSION,
            expires=ttl > 0,
            ttl=ttl,
            ping=int(self._limits.ping_interval_s),
            pong=True,
        )
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
        ttl = self._deadlines.expire(expires_in, now, grace=True)
        result = RefreshResult(self.client, SERVER_VERSION, expires=ttl > 0, ttl=ttl)
        return self.answered(Reply(command_id, refresh=result))

    def subscribed(self, command_id: int, channel: str, result: SubscribeResult) -> list[Action]:
        """Confirm a subscription."""
        self.channels[channel] = True
        return self.answered(Reply(command_id, subscribe=result))

    def join_refused(self, command_id: int, channel: str, error: RealtimeError) -> list[Action]:
        """Refuse a subscription."""
        self.channels.pop(channel, None)
        return self.refused(command_id, error)

    def unsubscribed(self, command_id: int, channel: str) -> list[Action]:
        """Confirm the end of a subscription, also of one that never was."""
        self.channels.pop(channel, None)
        return self.answered(Reply(command_id, unsubscribe=Empty()))

    def answered(self, reply: Reply) -> list[Action]:
        """Answer a command that needed I/O."""
        self.in_flight -= 1
        return self._send(encode_reply(reply))

    def refused(self, command_id: int, error: RealtimeError) -> list[Action]:
        """Refuse a command that needed I/O; a refused `connect` may be tried again."""
        self.in_flight -= 1
        if self.phase is Phase.CONNECTING:
            self.phase = Phase.FRESH
            self._waiting.clear()
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
            return self._connect(command.id, command.connect)
        if command.id:
            return self._dispatch(command)
        return self._without_id(command)

    def _postpone(self, command: Command) -> list[Action]:
        """Keep commands that follow `connect` in the same breath until it is answered."""
        if len(self._waiting) >= self._limits.command_burst:
            return self.close(codes.MALFORMED)
        self._waiting.append(command)
        return []

    def _throttle(self, command: Command) -> list[Action]:
        if self._bucket.refusals >= self._limits.command_burst:
            return self.close(codes.FLOOD)
        if not command.id:
            return []
        return self._refuse(command.id, codes.TOO_MANY_REQUESTS)

    def _without_id(self, command: Command) -> list[Action]:
        """A pong, or a `send`, which this server ignores; anything else is no command."""
        if command == PONG:
            self._deadlines.pong()
            return []
        return [] if command.send else self.close(codes.MALFORMED)

    def _refuse(self, command_id: int, row: ErrorCode) -> list[Action]:
        return [Send(encode_error(command_id, row.error()))]

    def _start(self, work: Action) -> list[Action]:
        self.in_flight += 1
        return [work]

    def _connect(self, command_id: int, request: ConnectRequest) -> list[Action]:
        if not request.token and self._token_required:
            return self._refuse(command_id, codes.UNAUTHORIZED)
        self.phase = Phase.CONNECTING
        self._by_token = bool(request.token)
        return self._start(Authenticate(command_id, request.token))

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
        if not self.identity.user:
            return codes.UNAUTHORIZED
        if self.in_flight >= self._limits.max_in_flight:
            return codes.TOO_MANY_REQUESTS
        match command:
            case Command(rpc=RpcRequest(method=method, data=data)):
                return Call(command.id, method, bytes(data))
            case Command(refresh=RefreshRequest(token=token)):
                return Renew(command.id, token)
        reading = reading_of(command)
        if reading is None:
            return unsupported(command)
        # Presence and history are for those who were let into the channel.
        return reading if self.channels.get(reading.channel) else codes.PERMISSION_DENIED

    def _subscribe(self, command_id: int, request: SubscribeRequest) -> list[Action]:
        channel = request.channel
        if not 0 < len(channel) <= self._limits.max_channel_length:
            return self._refuse(command_id, codes.BAD_REQUEST)
        if channel in self.channels:
            return self._refuse(command_id, codes.ALREADY_SUBSCRIBED)
        if len(self.channels) >= self._limits.max_channels:
            return self._refuse(command_id, codes.LIMIT_EXCEEDED)
        if self.in_flight >= self._limits.max_channels + self._limits.max_in_flight:
            return self._refuse(command_id, codes.TOO_MANY_REQUESTS)
        self.channels[channel] = False
        return self._start(Join(command_id, request))

    def _unsubscribe(self, command_id: int, channel: str) -> list[Action]:
        if channel not in self.channels:
            return [Send(encode_reply(Reply(command_id, unsubscribe=Empty())))]
        del self.channels[channel]
        return self._start(Leave(command_id, channel))
