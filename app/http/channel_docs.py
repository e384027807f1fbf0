"""What a feature says of its channels and rpc methods for the AsyncAPI document."""

from typing import Any

from msgspec import Struct

from realtime import Delivery


class ChannelDoc(Struct, frozen=True):
    """A family of channels: its pattern, who may listen, and the real types that travel on it."""

    address: str
    delivery: Delivery
    summary: str
    access: str
    events: Any
    snapshot: Any = None
    parameters: dict[str, str] = {}


class RpcDoc(Struct, frozen=True):
    """A method of the protocol's `rpc` command, with the REST operation that does the same."""

    method: str
    summary: str
    params: Any
    result: Any
    same_as: str
