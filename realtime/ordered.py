"""A gapless channel on this process: LOG and TAIL deliver strictly offset after offset.

A publication that is not the next one is never delivered: what lies between is read from the
source first. When the source no longer has it, every subscriber is told (code 2500) instead.
"""

import asyncio
import logging
from collections import deque

from realtime import codes
from realtime.audience import Audience, Join, Subscriber
from realtime.broker import Message
from realtime.delta import Deltas
from realtime.fanout import Fanout
from realtime.model import Limits, Publication
from realtime.protocol import Frame, PushWriter, says_the_same
from realtime.sources import Source
from realtime.tasks import TaskGroup

log = logging.getLogger("realtime")


class OrderedChannel:
    """One LOG or TAIL channel."""

    def __init__(
        self,
        name: str,
        source: Source,
        limits: Limits,
        tasks: TaskGroup,
        fanout: Fanout | None = None,
    ) -> None:
        self.audience = Audience(name, fanout)
        self.epoch = ""
        self.last = -1
        self.joins: dict[Join, None] = {}
        self._source = source
        self._limits = limits
        self._tasks = tasks
        self._writer = PushWriter(name)
        self.deltas = Deltas(name)
        self._window: deque[Frame] = deque(maxlen=limits.window_size)
        self._pending: dict[int, Publication] = {}
        self._target = 0
        self._suspect = False
        self._contested: Publication | None = None
        """An entry of ours whose number somebody gave to another one."""
        self._filler: asyncio.Task[None] | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def idle(self) -> bool:
        """True when nobody listens here."""
        return not self.audience.members

    async def start(self) -> None:
        """Learn where the channel stands; messages must flow before, so that none is missed."""
        offset, epoch = await self._source.head()
        self._adopt(offset, epoch)

    def stop(self) -> None:
        """Stop reading; the channel is forgotten."""
        if self._filler is not None:
            self._filler.cancel()

    # -- what arrives ------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        """Take a publication from the broker, or from the publisher on this process."""
        publication = message.publication
        if message.epoch and self.epoch and message.epoch != self.epoch:
            self.suspect()
        elif publication.offset > self.last:
            self._accept(publication)
        else:
            self._doubt(publication)

    def announce(self, offset: int, epoch: str) -> None:
        """Take a head from the sweep: a publish may have been lost."""
        if epoch != self.epoch or offset < self.last:
            self.suspect()
        elif offset > self.last:
            self._want(offset)

    def suspect(self) -> None:
        """Compare with the source: messages may have been missed, or the stream started over."""
        self._suspect = True
        self._want(0)

    def _doubt(self, publication: Publication) -> None:
        """Take what was delivered already: once more, or another one under the same number?"""
        back = publication.offset - self.last - 1
        ours = self._window[back].publication if -back <= len(self._window) else None
        if ours is not None and not says_the_same(ours.data, publication.data):
            self._contested = ours
            self.suspect()

    def _accept(self, publication: Publication) -> None:
        if self.last < 0 or publication.offset > self.last + 1:
            if len(self._pending) < self._limits.pending_max:
                self._pending[publication.offset] = publication
            self._want(publication.offset)
        else:
            self._deliver(publication)
            if self._pending:
                self._drain()

    def _drain(self) -> None:
        """Deliver what waited behind a hole that is closed now."""
        while (publication := self._pending.pop(self.last + 1, None)) is not None:
            self._deliver(publication)
        for offset in [o for o in self._pending if o <= self.last]:
            del self._pending[offset]

    def _deliver(self, publication: Publication) -> None:
        self.last = publication.offset
        frame = self._writer.publication(publication)
        self._window.append(frame)
        for join in self.joins:
            join.broken = join.broken or len(join.buffer) >= self._limits.pending_max
            join.buffer.append(frame)
        self.audience.broadcast(frame)
        if self._waiters:
            self._release_waiters()

    # -- holes -------------------------------------------------------------------------------

    def _want(self, offset: int) -> None:
        """Have everything up to this offset read, if it does not arrive by itself."""
        self._target = max(self._target, offset)
        if self.last >= 0 and (self._filler is None or self._filler.done()):
            self._filler = self._tasks.start(self._fill(), f"fill {self.audience.channel}")

    async def _fill(self) -> None:
        """Read until nothing is missing; a source that is away is asked again, for ever."""
        pause_s, attempts = self._limits.fill_retry_s, 0
        while self._suspect or self.last < self._target:
            before = self.last
            try:
                async with asyncio.timeout(self._limits.command_timeout_s):
                    await self._compare() if self._suspect else await self._read_on()
            except Exception as error:  # noqa: BLE001  reconnect loop: the source comes back
                log.warning("realtime.fill_waits channel=%s error=%r", self.audience.channel, error)
            else:
                attempts += 1
            if self.last > before or self.last >= self._target:
                pause_s, attempts = self._limits.fill_retry_s, 0
                continue
            if attempts >= self._limits.fill_attempts:
                log.error("realtime.hole_lost channel=%s after=%d", self.audience.channel, before)
                self._reset(self._target, self.epoch)
                continue
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._limits.fill_retry_max_s)

    async def _compare(self) -> None:
        before = self.last
        rewritten = await self._is_rewritten()
        offset, epoch = await self._source.head()
        self._suspect = False
        if rewritten or epoch != self.epoch or offset < before:
            self._reset(offset, epoch)
        else:
            self._target = max(self._target, offset)

    async def _is_rewritten(self) -> bool:
        """Who took over without our newest entries may have numbered others like them."""
        newest = self._window[-1].publication if self._window else None
        contested, self._contested = self._contested, None
        for ours in filter(None, (newest, contested)):
            for found in (await self._source.read(ours.offset - 1, 1)).publications:
                if found.offset == ours.offset and not says_the_same(found.data, ours.data):
                    return True
        return False

    async def _read_on(self) -> None:
        before = self.last
        page = await self._source.read(before, self._limits.fill_page)
        if page.epoch and page.epoch != self.epoch:
            self._reset(page.offset, page.epoch)
            return
        for publication in page.publications:
            self._take(publication)
        self._drain()
        if page.offset > self.last:
            # The source moved on without what lies between: trimmed, dropped or expired.
            self._reset(page.offset, self.epoch)

    def _take(self, publication: Publication) -> None:
        if publication.offset == self.last + 1:
            self._deliver(publication)

    def _reset(self, offset: int, epoch: str) -> None:
        """Start over from here and tell everybody that something is missing."""
        for join in self.joins:
            join.broken = True
        self._window.clear()
        self._pending.clear()
        self._target = 0
        self._adopt(offset, epoch)
        self.audience.dismiss(codes.INSUFFICIENT_STATE)
        waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(codes.INTERNAL.error())

    def _adopt(self, offset: int, epoch: str) -> None:
        self.last, self.epoch = offset, epoch
        self._drain()
        if self._target > self.last or self._suspect:
            self._want(0)

    # -- joining -----------------------------------------------------------------------------

    def begin(self, subscriber: Subscriber) -> Join:
        """Start to buffer for a subscriber; end it with `admit` or `abandon`."""
        join = Join(subscriber, self.last)
        self.joins[join] = None
        return join

    def abandon(self, join: Join) -> None:
        """Forget a join, also a completed one."""
        self.joins.pop(join, None)

    def admit(self, join: Join, position: int, view: Subscriber | None = None) -> list[Frame]:
        """Make the subscriber live; returns what it has not seen yet.

        The reply and these frames must be pushed before anything else happens. Raises
        RealtimeError when something between `position` and the present is not at hand any more.
        """
        frames = [f for f in join.buffer if _offset(f) > position]
        if join.broken or position < join.base or position + len(frames) < self.last:
            raise codes.INTERNAL.error()
        self.abandon(join)
        self.audience.add(join.subscriber, view)
        return frames

    async def recover(self, after: int, epoch: str) -> list[Publication] | None:
        """Return everything after this position, or None: never a part of it."""
        if epoch != self.epoch or after > self.last + self._limits.recover_max:
            return None
        if after > self.last and not await self._exists(after):
            return None
        if after >= self.last:
            return []
        if self._window and _offset(self._window[0]) <= after + 1:
            found = [f.publication for f in self._window if _offset(f) > after]
            return [p for p in found if p] if len(found) <= self._limits.recover_max else None
        return await self._recover_from_source(after, epoch)

    async def _exists(self, offset: int) -> bool:
        """The client may be ahead of this process, but not of the source."""
        head, epoch = await self._source.head()
        if epoch != self.epoch or head < offset:
            return False
        await self.reach(offset)
        return True

    async def _recover_from_source(self, after: int, epoch: str) -> list[Publication] | None:
        due = self.last
        page = await self._source.read(after, self._limits.recover_max + 1)
        found = page.publications
        if len(found) > self._limits.recover_max or (page.epoch and page.epoch != epoch):
            return None
        if [p.offset for p in found] != list(range(after + 1, after + 1 + len(found))):
            return None
        if after + len(found) < max(due, page.offset):
            return None
        for publication in found:
            self._take(publication)
        self._drain()
        return found

    async def read(self, after: int, limit: int) -> list[Publication]:
        """Read publications from the source, past the window."""
        return (await self._source.read(after, limit)).publications

    async def reach(self, offset: int) -> None:
        """Wait until everything up to this offset was delivered here."""
        if self.last >= offset:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((offset, waiter))
        self._want(offset)
        await waiter

    def _release_waiters(self) -> None:
        for offset, waiter in self._waiters:
            if offset <= self.last and not waiter.done():
                waiter.set_result(None)
        self._waiters = [(o, w) for o, w in self._waiters if not w.done()]


def _offset(frame: Frame) -> int:
    return frame.publication.offset if frame.publication is not None else 0
