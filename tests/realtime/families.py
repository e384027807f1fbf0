"""Channel families of the tests: one of each delivery class, and doors with rules."""

from realtime import ChannelFamily, Delivery, Identity, Publication, RealtimeError, Snapshot
from realtime.codes import PERMISSION_DENIED, UNAUTHORIZED
from realtime.model import TakeSnapshot

NO_PINGS = 1_000_000_000
"""Seconds between pings: none falls into the life of a test."""


async def everybody(_identity: Identity, _channel: str) -> None:
    """Let anybody in."""


async def members(identity: Identity, _channel: str) -> None:
    """Let signed-in users in. Raises RealtimeError 101."""
    if not identity.user:
        raise UNAUTHORIZED.error()


async def owner(identity: Identity, channel: str) -> None:
    """Let the user in whose name stands in the channel. Raises RealtimeError 101, 103."""
    await members(identity, channel)
    if channel.partition(":")[2] != identity.user:
        raise PERMISSION_DENIED.error()


LOG = ChannelFamily("log:{id}", Delivery.LOG, members, presence=True, join_leave=True)
OWN = ChannelFamily("user:{id}", Delivery.LOG, owner)
VALUE = ChannelFamily("value:{id}", Delivery.VALUE, everybody)
TAIL = ChannelFamily("tail:{id}", Delivery.TAIL, members)
FAMILIES = [LOG, OWN, VALUE, TAIL]


def with_snapshot(family: ChannelFamily, take: TakeSnapshot) -> ChannelFamily:
    """Return the family with a snapshot."""
    return ChannelFamily(family.pattern, family.delivery, family.authorize, take)


def shelf(*snapshots: Snapshot | None) -> TakeSnapshot:
    """Take these snapshots one after another, then the last one again and again."""
    left = list(snapshots)

    async def take(_identity: Identity, _channel: str) -> Snapshot | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return take


def offsets(result: dict[str, object]) -> list[int]:
    """The offsets of the publications in a subscribe result."""
    found = result.get("publications") or []
    assert isinstance(found, list)
    return [publication["offset"] for publication in found]


def value(number: int) -> Publication:
    """A version and its value, alike."""
    return Publication(b"%d" % number, version=number)


async def echo(_identity: Identity, data: bytes) -> bytes:
    """Answer with the parameters."""
    return data


async def who(identity: Identity, _data: bytes) -> bytes:
    """Answer with the caller's name."""
    return b'"%b"' % identity.user.encode()


async def refuse(_identity: Identity, _data: bytes) -> bytes:
    """Refuse. Raises RealtimeError 409."""
    raise RealtimeError(409, "report-already-decided")


async def crash(_identity: Identity, _data: bytes) -> bytes:
    """Fail as code with a bug does."""
    raise ZeroDivisionError


RPC = {"echo": echo, "who": who, "refuse": refuse, "crash": crash}
