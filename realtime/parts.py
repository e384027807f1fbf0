"""What the rooms of one node share: handed over as one, so that each takes what it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from realtime.broker import Broker
from realtime.channels import Channels
from realtime.hub import Hub
from realtime.model import Hooks, Limits
from realtime.presence import Presence
from realtime.tasks import TaskGroup


@dataclass(frozen=True, slots=True)
class Parts:
    """The collaborators inside one node."""

    node: str
    broker: Broker
    hub: Hub
    channels: Channels
    presence: Presence
    hooks: Hooks
    limits: Limits
    tasks: TaskGroup
    clock: Callable[[], float]
    wall_clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class NodeState:
    """What readiness and metrics show."""

    connected: bool
    last_error: str
    connections: int
    channels: int
