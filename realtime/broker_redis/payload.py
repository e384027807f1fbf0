"""What travels between processes through Redis, and what happens to what cannot be read.

Every payload begins with one byte that names its form. While a deploy rolls, processes of two
releases share one Redis: what another release says in another form is not guessed at. It counts as
missed, so that everything is compared with its truth. A release that changes the form should
therefore first be able to read it, and speak it one release later.
"""

import logging
import time
from collections.abc import Callable

from realtime.broker import Kind, Message
from realtime.model import Publication

log = logging.getLogger("realtime")

FORM = b"1"
KINDS = {kind.encode(): kind for kind in Kind}
AGAIN_S = 2.0
"""How often missed messages are a reason to compare: as often as the sweep of the logs."""


def encode(message: Message) -> bytes:
    """`form kind offset:version:epoch:length of info:` and then info and data."""
    p = message.publication
    place = f"{message.kind}{p.offset}:{p.version}:{message.epoch}:{len(p.info)}:"
    return FORM + place.encode() + p.info + p.data


def decode(payload: bytes) -> Message:
    """Read a message of our own form."""
    kind, rest = payload[1:2], payload[2:]
    offset, version, epoch, length, tail = rest.split(b":", 4)
    info, data = tail[: int(length)], tail[int(length) :]
    publication = Publication(data, int(offset), int(version), info)
    return Message(KINDS[kind], publication, epoch.decode())


class Foreign:
    """Takes payloads of other forms: says so once for each form, and that something was missed."""

    def __init__(
        self, missed: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._missed = missed
        self._clock = clock
        self._seen: set[bytes] = set()
        self._quiet_until = clock()

    def take(self, channel: bytes, payload: bytes) -> None:
        """Note one."""
        form = payload[:1]
        if form not in self._seen:
            self._seen.add(form)
            log.error("realtime.foreign_payload form=%r ours=%r channel=%r", form, FORM, channel)
        if self._clock() >= self._quiet_until:
            self._quiet_until = self._clock() + AGAIN_S
            self._missed()
