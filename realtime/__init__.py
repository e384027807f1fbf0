"""The server side of the Centrifuge client protocol, with durable logs behind it."""

from realtime.broker import Broker, BrokerState, Keep
from realtime.broker_memory import MemoryBroker, MemoryBus
from realtime.codes import (
    DISCONNECTS,
    ERRORS,
    UNSUBSCRIBES,
    BrokerUnavailable,
    Disconnect,
    ErrorCode,
    InvalidToken,
    RealtimeError,
    TokenExpired,
    Unsubscribed,
)
from realtime.connection import Connection
from realtime.follower import Follower
from realtime.model import (
    ANONYMOUS,
    ChannelFamily,
    Delivery,
    DurableLog,
    Hooks,
    Identity,
    Limits,
    Publication,
    RpcMethod,
    Snapshot,
)
from realtime.node import Node
from realtime.parts import NodeState
from realtime.protocol import Frame
from realtime.transport import Transport, TransportClosed

__all__ = [
    "ANONYMOUS",
    "DISCONNECTS",
    "ERRORS",
    "UNSUBSCRIBES",
    "Broker",
    "BrokerState",
    "BrokerUnavailable",
    "ChannelFamily",
    "Connection",
    "Delivery",
    "Disconnect",
    "DurableLog",
    "ErrorCode",
    "Follower",
    "Frame",
    "Hooks",
    "Identity",
    "InvalidToken",
    "Keep",
    "Limits",
    "MemoryBroker",
    "MemoryBus",
    "Node",
    "NodeState",
    "Publication",
    "RealtimeError",
    "RpcMethod",
    "Snapshot",
    "TokenExpired",
    "Transport",
    "TransportClosed",
    "Unsubscribed",
]
