"""A listener inside this process: iterates over the publications of one TAIL channel."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from realtime import codes
from realtime.codes import Unsubscribed
from realtime.model import Publication
from realtime.protocol import Frame


class Follower:
    """An async iterator of publications, in order; close it, or use it as a context.

    Iteration raises RealtimeError 112 when something is missing: read the state again.
    """

    def __init__(self, leave: Callable[["Follower"], None], max_waiting: int) -> None:
        self._leave = leave
        self._max_waiting = max_waiting
        self._waiting: deque[Publication] = deque()
        self._wake = asyncio.Event()
        self._lost = False
        self._closed = False

    def preload(self, publications: Iterable[Publication]) -> None:
        """Put what was missed before the live publications."""
        self._waiting.extend(publications)
        self._wake.set()

    def push(self, frame: Frame) -> None:
        """Take a live publication; join and leave pushes are not for followers."""
        if frame.publication is None:
            return
        if len(self._waiting) >= self._max_waiting:
            self._lost = True
        else:
            self._waiting.append(frame.publication)
        self._wake.set()

    def lose_channel(self, _channel: str, _reason: Unsubscribed) -> None:
        """Learn that the channel started over."""
        self._lost = True
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Publication:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            if self._lost:
                await self.aclose()
                raise codes.UNRECOVERABLE_POSITION.error()
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    async def aclose(self) -> None:
        """Stop listening; an iteration that waits ends."""
        self._closed = True
        self._leave(self)
        self._wake.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
