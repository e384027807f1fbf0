"""Deltas for those who asked: each publication as what changed since the one before.

Such a subscriber stands behind a `DeltaView`; all views of a channel share one encoding per
publication. The first publication a view sees travels whole, as a JSON string.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from realtime import fossil
from realtime.codes import Unsubscribed
from realtime.messages import WirePublication
from realtime.model import Publication
from realtime.protocol import Frame, PushWriter, wire

FOSSIL = "fossil"
_encode = msgspec.json.Encoder().encode


class Receiver(Protocol):
    """Who is behind a view."""

    def push(self, frame: Frame) -> None:
        """Take a frame without blocking."""

    def lose_channel(self, channel: str, reason: Unsubscribed) -> None:
        """Learn that the subscription is over."""


class Deltas:
    """The delta frames of one channel's newest publication."""

    def __init__(self, channel: str) -> None:
        self._writer = PushWriter(channel)
        self._newest: Publication | None = None
        self._made: list[tuple[Publication | None, Frame]] = []
        """By what each is based on: one entry, or two just after somebody joined."""

    def frame(self, publication: Publication, base: Publication | None) -> Frame:
        """Return the publication as a change of `base`, made once for all who have it."""
        if publication is not self._newest:
            self._newest, self._made = publication, []
        for known, frame in self._made:
            if known is base:
                return frame
        data, patched = difference(publication, base)
        frame = self._writer.delta(publication, data, patched=patched)
        self._made.append((base, frame))
        return frame


class DeltaView:
    """Stands between a channel and a subscriber that wants deltas."""

    __slots__ = ("_base", "_deltas", "_to")

    def __init__(self, to: Receiver, deltas: Deltas, base: Publication | None) -> None:
        self._to = to
        self._deltas = deltas
        self._base = base

    def push(self, frame: Frame) -> None:
        """Pass a frame on, a publication as a change."""
        publication = frame.publication
        if publication is None:
            self._to.push(frame)
            return
        self._to.push(self._deltas.frame(publication, self._base))
        self._base = publication

    def lose_channel(self, channel: str, reason: Unsubscribed) -> None:
        """Pass it on."""
        self._to.lose_channel(channel, reason)


def difference(publication: Publication, base: Publication | None) -> tuple[bytes, bool]:
    """Return a JSON string and whether it is a delta; the whole text where that is shorter."""
    if base is not None:
        patch = fossil.create(base.data, publication.data)
        if len(patch) < len(publication.data):
            return _encode(patch.decode()), True
    return _encode(publication.data.decode()), False


def delta_wire(publications: Sequence[Publication]) -> list[WirePublication]:
    """Shape publications for a reply: the first whole, each other as a change of the one before."""
    bases: list[Publication | None] = [None, *publications[:-1]]
    shaped = []
    for plain, publication, base in zip(wire(publications), publications, bases, strict=False):
        data, patched = difference(publication, base)
        shaped.append(msgspec.structs.replace(plain, data=msgspec.Raw(data), delta=patched))
    return shaped
