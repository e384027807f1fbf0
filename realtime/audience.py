"""Who listens to one channel on this process, and the one frame they all get."""

from typing import Protocol

from realtime.codes import Unsubscribed
from realtime.fanout import Crowd, Fanout
from realtime.protocol import Frame


class Subscriber(Protocol):
    """A connection or a local follower."""

    def push(self, frame: Frame) -> None:
        """Take a frame without blocking."""

    def lose_channel(self, channel: str, reason: Unsubscribed) -> None:
        """Learn that the subscription is over."""


class Join:
    """A subscription in the making: what is delivered meanwhile waits in its buffer."""

    __slots__ = ("base", "broken", "buffer", "subscriber")

    def __init__(self, subscriber: Subscriber, base: int) -> None:
        self.subscriber = subscriber
        self.base = base
        """Everything up to this offset was delivered here before the join began."""
        self.buffer: list[Frame] = []
        self.broken = False
        """The channel started over, or the buffer is full: this join cannot be completed."""


class Audience:
    """The subscribers of one channel: those with a wire are sent to together."""

    __slots__ = ("_crowd", "_others", "_watchers", "channel", "members")

    def __init__(self, channel: str, fanout: Fanout | None = None) -> None:
        self.channel = channel
        self.members: dict[Subscriber, None] = {}
        self._others: dict[Subscriber, Subscriber] = {}
        """Who is pushed to one by one, and what hears in its place: itself, or a view of it."""
        self._crowd = None if fanout is None else Crowd(fanout)
        self._watchers: dict[Subscriber, None] | None = None
        """Who asked to hear of joins and leaves; None: everybody hears of them."""

    def add(self, member: Subscriber, view: Subscriber | None = None) -> None:
        """Let a subscriber hear everything from now on; a `view` hears it in its place."""
        self.members[member] = None
        slot = _slot(member)
        if slot < 0 or self._crowd is None or view is not None:
            self._others[member] = view or member
        else:
            self._crowd.add(slot)

    def remove(self, member: Subscriber) -> None:
        """Take a subscriber off, if it is here."""
        self.members.pop(member, None)
        self._others.pop(member, None)
        if self._watchers:
            self._watchers.pop(member, None)
        if self._crowd is not None:
            self._crowd.remove(_slot(member))

    def broadcast(self, frame: Frame) -> None:
        """Give every member the same frame object."""
        if self._crowd is not None:
            self._crowd.push(frame)
        for receiver in tuple(self._others.values()) if self._others else ():
            receiver.push(frame)

    def tell_watchers_only(self) -> None:
        """From now on joins and leaves are for those who ask."""
        self._watchers = {}

    def watch(self, member: Subscriber) -> None:
        """Let a member hear of joins and leaves."""
        if self._watchers is not None and member in self.members:
            self._watchers[member] = None

    def tell(self, frame: Frame) -> None:
        """Give a join or leave to those who hear of such."""
        if self._watchers is None:
            self.broadcast(frame)
            return
        for member in tuple(self._watchers):
            self._others.get(member, member).push(frame)

    def dismiss(self, reason: Unsubscribed) -> None:
        """End every subscription and say why."""
        receivers = [self._others.get(member, member) for member in self.members]
        if self._crowd is not None:
            self._crowd.flush()
        for member in tuple(self.members):
            self.remove(member)
        for receiver in receivers:
            receiver.lose_channel(self.channel, reason)


def _slot(member: Subscriber) -> int:
    """The place in the process's fan-out; -1: frames are pushed one by one."""
    slot: int = getattr(member, "slot", -1)
    return slot
