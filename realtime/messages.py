"""The shapes of the Centrifuge client protocol, JSON version 2: commands, results, replies.

Only shapes: no codec, no state. Commands allow unknown fields: newer clients add optional ones
and expect older servers to ignore them.
"""

from typing import Annotated, Any

import msgspec

NO_DATA = msgspec.Raw(b"null")
ABSENT = msgspec.Raw()
"""A raw field that was not sent; msgspec has no union with Raw."""
REJECT_UNRECOVERED = 2
"""Subscribe flag: refuse with error 112 instead of answering `recovered: false`."""

Id = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


# -- what clients send -------------------------------------------------------------------------


class SubscribeRequest(msgspec.Struct, frozen=True):
    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: Offset = 0
    data: msgspec.Raw = NO_DATA
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    flag: int = 0


class ConnectRequest(msgspec.Struct, frozen=True):
    token: str = ""
    data: msgspec.Raw = NO_DATA
    subs: dict[str, SubscribeRequest] = {}
    """Positions in the server's own subscriptions of this client, to recover from."""
    name: str = ""
    version: str = ""


class ChannelRequest(msgspec.Struct, frozen=True):
    """Body of unsubscribe, presence and presence_stats."""

    channel: str = ""


class PublishRequest(msgspec.Struct, frozen=True):
    channel: str = ""
    data: msgspec.Raw = ABSENT


class StreamPosition(msgspec.Struct, frozen=True):
    offset: Offset = 0
    epoch: str = ""


class HistoryRequest(msgspec.Struct, frozen=True):
    """`limit` 0 asks for the position only, a negative one for all that is kept."""

    channel: str = ""
    limit: int = 0
    since: StreamPosition | None = None
    reverse: bool = False


class RpcRequest(msgspec.Struct, frozen=True):
    method: str = ""
    data: msgspec.Raw = NO_DATA


class SendRequest(msgspec.Struct, frozen=True):
    data: msgspec.Raw = NO_DATA


class RefreshRequest(msgspec.Struct, frozen=True):
    token: str = ""


class SubRefreshRequest(msgspec.Struct, frozen=True):
    channel: str = ""
    token: str = ""


class Command(msgspec.Struct, frozen=True):
    """One command; the first request that is set counts, as in the reference server."""

    id: Id = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: ChannelRequest | None = None
    publish: PublishRequest | None = None
    presence: ChannelRequest | None = None
    presence_stats: ChannelRequest | None = None
    history: HistoryRequest | None = None
    ping: msgspec.Raw = ABSENT
    send: SendRequest | None = None
    rpc: RpcRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None


PONG = Command()
"""The answer to a ping is an empty command."""


# -- what the server answers -------------------------------------------------------------------


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    code: int
    message: str
    temporary: bool = False


class ClientInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """How presence, join, leave and client publications show a connection."""

    user: str
    client: str
    conn_info: Any = None
    """JSON of the application's choice: what its identity says of the client."""


class WirePublication(msgspec.Struct, frozen=True, omit_defaults=True):
    data: msgspec.Raw
    offset: int = 0
    info: msgspec.Raw | None = None
    delta: bool = False


class SubscribeResult(msgspec.Struct, frozen=True, omit_defaults=True):
    expires: bool = False
    ttl: int = 0
    recoverable: bool = False
    epoch: str = ""
    publications: list[WirePublication] | None = None
    recovered: bool = False
    offset: int = 0
    positioned: bool = False
    data: msgspec.Raw | None = None
    was_recovering: bool = False
    delta: bool = False


class ConnectResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """`session` and `node` are the address of an emulated connection."""

    client: str
    version: str
    expires: bool = False
    ttl: int = 0
    data: msgspec.Raw | None = None
    subs: dict[str, SubscribeResult] = {}
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""


class RefreshResult(msgspec.Struct, frozen=True, omit_defaults=True):
    client: str
    version: str
    expires: bool = False
    ttl: int = 0


class SubRefreshResult(msgspec.Struct, frozen=True, omit_defaults=True):
    expires: bool = False
    ttl: int = 0


class Empty(msgspec.Struct, frozen=True):
    """The result of unsubscribe, publish and ping."""


class PresenceResult(msgspec.Struct, frozen=True):
    presence: dict[str, ClientInfo]


class PresenceStatsResult(msgspec.Struct, frozen=True):
    num_clients: int
    num_users: int


class HistoryResult(msgspec.Struct, frozen=True):
    publications: list[WirePublication]
    epoch: str
    offset: int


class RpcResult(msgspec.Struct, frozen=True):
    data: msgspec.Raw


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one command; exactly one field besides the id is set."""

    id: int
    error: ErrorBody | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Empty | None = None
    publish: Empty | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: HistoryResult | None = None
    ping: Empty | None = None
    rpc: RpcResult | None = None
    refresh: RefreshResult | None = None
    sub_refresh: SubRefreshResult | None = None
