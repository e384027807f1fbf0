"""The nouns an application meets: identity, publication, snapshot, channel family, limits.

Nothing here does anything; the application fills these in and passes them to `Node`.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import iscoroutinefunction
from typing import Protocol

import msgspec


class Delivery(StrEnum):
    """What a channel promises: gapless log, newest value, or the live tail of a stream."""

    LOG = "log"
    VALUE = "value"
    TAIL = "tail"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is behind a connection; `context` is the application's own principal."""

    user: str = ""
    session: str = ""
    expires_at: float | None = None
    """Unix time at which the connection must be renewed or closed; None: never."""
    context: object = None
    channels: tuple[str, ...] = ()
    """Channels the server subscribes this client to; nobody is asked for permission."""
    info: bytes = b""
    """What presence, join, leave and publications show of the client, as JSON."""


ANONYMOUS = Identity()
NODE = Identity()
"""Asks for a VALUE snapshot on behalf of all subscribers: one value is the same for everyone."""


class Publication(msgspec.Struct, frozen=True):
    """One event of a channel: JSON bytes and its place in the channel."""

    data: bytes
    offset: int = 0
    version: int = 0
    info: bytes = b""
    """The client that published it, as JSON; empty for the application's own."""


class Snapshot(msgspec.Struct, frozen=True):
    """A state that already contains everything up to `offset` (or `version`).

    Without epoch and offset (both unset) it is taken to contain everything that had been
    delivered here when the subscription began.
    """

    data: bytes
    offset: int = 0
    epoch: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a connect hook adds to the answer: more channels, and data for the client."""

    channels: tuple[str, ...] = ()
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a subscription token allows; `expires_at` as in Identity."""

    expires_at: float | None = None


class DurableLog(Protocol):
    """The truth behind LOG channels; reads what the application committed."""

    async def head(self, channel: str) -> tuple[int, str]:
        """Return the newest offset (0 when empty) and the epoch."""

    async def heads(self, channels: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Return the heads of several channels at once; missing ones are empty."""

    async def read(self, channel: str, after: int, limit: int) -> list[Publication]:
        """Return publications with offset > after, oldest first, at most `limit`."""


Authorize = Callable[[Identity, str], Awaitable[None]]
PlainRule = Callable[[Identity, str], None]
"""The same for a rule that asks nobody: with it a `subscribe` needs no task."""
TakeSnapshot = Callable[[Identity, str], Awaitable[Snapshot | None]]
RpcMethod = Callable[[Identity, bytes], Awaitable[bytes]]
VerifyToken = Callable[[str], Awaitable[Identity]]
VerifySubscription = Callable[[str, Identity, str], Awaitable[Grant]]
"""Token, client, channel; raises InvalidToken (error 103) or TokenExpired (error 109)."""
OnConnect = Callable[[Identity, bytes], Awaitable[Welcome]]
"""Sees the `data` of `connect`; may refuse by raising."""
OnMessage = Callable[[Identity, bytes], Awaitable[None]]
"""Takes the data of `send`, which has no answer."""


StillValid = Callable[[Sequence[Identity]], Awaitable[Collection[str]]]
"""Takes who is connected, returns the sessions that live and still mean the same rights."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What an application may add to a node; each is optional."""

    on_connect: OnConnect | None = None
    on_message: OnMessage | None = None
    verify_subscription: VerifySubscription | None = None
    still_valid: StillValid | None = None


InspectData = Callable[[Identity, str, bytes], Awaitable[None]]
"""Sees the `data` of `subscribe`; may refuse by raising."""


NAME = r"[^:\x00-\x1f\x7f-\x9f\u2028\u2029]+"
"""A part of a channel's name. Names stand in logs, keys and statements: a line break would forge a
line of a log, and PostgreSQL takes no text with a zero."""


@dataclass(frozen=True)
class ChannelFamily:
    """All channels of one pattern, such as `book:{id}`, and what holds for them."""

    pattern: str
    delivery: Delivery
    authorize: Authorize | PlainRule
    snapshot: TakeSnapshot | None = None
    presence: bool = False
    join_leave: bool = False
    """Whether subscribers hear who comes and goes."""
    join_leave_to_all: bool = True
    """False: only those hear of it who asked for it with `subscribe`."""
    authorize_publish: Authorize | None = None
    """TAIL only: who may publish from a client. None: nobody."""
    authorize_read: Authorize | None = None
    """Who may read presence and history without being subscribed. None: nobody."""
    inspect_data: InspectData | None = None
    token_required: bool = False
    """A `subscribe` must bring a token, besides passing `authorize`."""
    delta: bool = False
    """Whether clients may ask for publications as deltas (fossil)."""
    history_size: int = 0
    """TAIL only: publications kept by the broker; 0: as many as it likes."""
    history_ttl_s: int = 0
    """TAIL only: how long they are kept after the newest; 0: as long as the broker likes."""
    regex: re.Pattern[str] = field(init=False, repr=False, compare=False)
    asks_nobody: bool = field(init=False, repr=False, compare=False)
    """Whether a client is let in by a plain rule alone, and starts from the channel's present."""

    def __post_init__(self) -> None:
        """Compile the pattern once: `{name}` stands for any characters but colons and controls.

        Raises ValueError for clients that publish where offsets are the application's.
        """
        if self.authorize_publish is not None and self.delivery is not Delivery.TAIL:
            raise ValueError("clients may publish to TAIL channels only")
        parts = re.split(r"(\{[a-z_]+\})", self.pattern)
        text = "".join(NAME if p.startswith("{") else re.escape(p) for p in parts)
        object.__setattr__(self, "regex", re.compile(text))
        asks = (self.snapshot, self.inspect_data, self.presence, self.join_leave)
        plain = not (any(asks) or self.token_required or iscoroutinefunction(self.authorize))
        object.__setattr__(self, "asks_nobody", plain)

    def owns(self, channel: str) -> bool:
        """Tell whether the channel name belongs to this family."""
        return self.regex.fullmatch(channel) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of the core, with its unit in the name; each has a documented code behind it."""

    connect_timeout_s: float = 8
    """Without `connect` by then: 3502. Deadlines are looked at once a second, when the whole second
    after theirs begins: whoever says nothing is gone after 8 to 9 s, and within 10 s (RELIABILITY,
    S2) also where thousands are, or the process is a second late."""
    ping_interval_s: float = 25
    """Below the 30 s idle cut of common proxies."""
    pong_timeout_s: float = 8
    """No pong by then: 3012."""
    expiry_grace_s: float = 25
    """Time a token client has for `refresh` after its expiry, then 3005."""
    max_frame_bytes: int = 64 * 1024
    """A larger incoming frame: 3501."""
    max_channels: int = 128
    """Subscriptions of one connection; one more: error 106."""
    max_channel_length: int = 255
    """A longer channel name: error 107, and 102 where no subscription is asked for."""
    max_user_connections: int = 64
    """Connections of one user on one process; one more: 3504."""
    commands_per_s: float = 30
    command_burst: int = 200
    """Beyond rate and burst: error 111; as many refusals as a burst holds: 3013."""
    max_in_flight: int = 64
    """Commands of one connection that wait for an answer; one more: error 111."""
    command_timeout_s: float = 15
    """A command that takes longer is answered with error 100."""
    outgoing_max_bytes: int = 1024 * 1024
    outgoing_max_frames: int = 4096
    """A connection whose queue is longer: 3008."""
    answer_max_bytes: int = 512 * 1024
    """Publications in one answer: a history page ends there, a client that missed more gets a
    snapshot. Half a queue: what is waiting and one answer fit together."""
    write_timeout_s: float = 8
    """A transport that accepts nothing for so long: 3008."""
    flush_window_s: float = 0.02
    """After a first message, those of so long leave together: one write for each connection.
    Writing counts as part of it, so that a crowd of many thousands waits little more."""
    drain_s: float = 5.0
    """Time over which a process that ends sends its clients elsewhere."""
    drain_step_s: float = 0.005
    """Few clients need less: so long for each."""
    close_timeout_s: float = 1
    """A transport that cannot say goodbye in this time is aborted."""
    recover_max: int = 300
    """A client that missed more publications gets a snapshot instead."""
    window_size: int = 256
    """Publications kept in memory per channel for recovery."""
    pending_max: int = 1024
    """Publications ahead of a hole kept in memory; more are read again from the log."""
    fill_page: int = 500
    fill_retry_s: float = 0.1
    fill_retry_max_s: float = 2.0
    fill_attempts: int = 20
    """Reads that find nothing new before a hole is declared lost and clients are told."""
    value_interval_s: float = 0.2
    """Shortest time between two publications of one VALUE channel: 5 a second."""
    sweep_interval_s: float = 2.0
    """How often heads of LOG channels are compared: the longest life of a lost publish."""
    outage_sweep_interval_s: float = 0.5
    """The same while the broker is away: the log alone carries LOG channels then."""
    linger_s: float = 5.0
    """A channel without local subscribers stays warm for so long (page reloads)."""
    presence_ttl_s: float = 60
    presence_refresh_s: float = 20
    presence_grace_s: float = 3.0
    """A signed-in client whose line is lost may come back for so long without leave and join."""
    revalidate_interval_s: float = 5.0
    """How often the application is asked which sessions live; in an outage as often as the log."""
    follower_max: int = 2048
    """Publications a local follower may lag behind before it is told to start over."""
    parked_max: int = 10_000
    """Lost clients that may come back, on one process: there are no more than that in an outage of
    any length. Whoever is lost beyond it has left."""
    presence_max: int = 10_000
    """Clients of one channel that are listed; where there are more: error 106, and the numbers."""
    pending_controls: int = 1000
    """Disconnect orders and values kept for other processes while the broker is away."""
