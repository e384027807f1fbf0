"""Who listens to one channel on this process, and the one frame they all get."""

from typing import Protocol

from realtime.codes import Unsubscribed
from realtime.protocol import Frame


class Subscriber(Protocol):
    """A connection or a local follower."""

    def push(self, frame: Frame) -> None:
        """Take a frame without blocking."""

    def lose_channel(self, channel: str, reason: Unsubscribed) -> None:
        """Learn that the subscription is over."""


class Audience:
    """The subscribers of one channel."""

    __slots__ = ("channel", "members")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.members: dict[Subscriber, None] = {}

    def broadcast(self, frame: Frame) -> None:
        """Give every member the same frame object."""
        for member in self.members:
            member.push(frame)

    def dismiss(self, reason: Unsubscribed) -> None:
        """End every subscription and say why."""
        members, self.members = self.members, {}
        for member in members:
            member.lose_channel(self.channel, reason)
