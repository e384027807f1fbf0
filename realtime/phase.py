"""Where a connection stands between its first frame and its end."""

from enum import Enum, auto


class Phase(Enum):
    """Where a connection stands."""

    FRESH = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()
