"""The usual node of the tests, and who is usually there."""

from realtime import Identity
from realtime.testing import Kit
from tests.realtime.families import FAMILIES, RPC

LEARNER = Identity(user="7", session="s7")


def kit(**options: object) -> Kit:
    """A node with every usual family and method."""
    return Kit(FAMILIES, rpc=RPC, **options)  # type: ignore[arg-type]
