"""Joining a TAIL channel from inside this process, without a gap."""

from realtime import codes
from realtime.channels import Channels
from realtime.follower import Follower
from realtime.ordered import OrderedChannel


async def follow(channels: Channels, channel: str, after: int | None, max_waiting: int) -> Follower:
    """Begin to listen; `after` replays from that offset first. Raises RealtimeError 108, 112."""
    follower = Follower(lambda me: channels.leave(channel, me), max_waiting)
    async with channels.opened(channel) as room:
        if not isinstance(room, OrderedChannel):
            raise codes.NOT_AVAILABLE.error()
        join = room.begin(follower)
        try:
            missed = [] if after is None else await room.recover(after, room.epoch)
            if missed is None:
                raise codes.UNRECOVERABLE_POSITION.error()
            position = join.base if after is None else after + len(missed)
            frames = room.admit(join, position)
        finally:
            room.abandon(join)
        follower.preload(missed)
        for frame in frames:
            follower.push(frame)
    return follower
