"""The bounded outgoing queue of one connection; says when its reader is too slow.

Never blocks a publisher: a frame is appended or the verdict is spoken.
"""

import asyncio
from collections import deque

from realtime.protocol import Frame


class Outbox:
    """Frames waiting for the transport, bounded by bytes and by count."""

    __slots__ = ("_bytes", "_frames", "_max_bytes", "_max_frames", "_waiter")

    def __init__(self, max_bytes: int, max_frames: int) -> None:
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._max_bytes = max_bytes
        self._max_frames = max_frames
        self._waiter: asyncio.Future[None] | None = None

    def push(self, frame: Frame) -> bool:
        """Append a frame; False when the queue is over its bound.

        A frame that is alone may be of any size: otherwise nobody could ever be told a large state.
        """
        self._frames.append(frame)
        self._bytes += len(frame.data)
        if self._waiter is not None:
            self.wake()
        count = len(self._frames)
        return count == 1 or (self._bytes <= self._max_bytes and count <= self._max_frames)

    @property
    def is_crowded(self) -> bool:
        """Tell whether more than half of what may wait does so."""
        return self._bytes > self._max_bytes // 2 or len(self._frames) > self._max_frames // 2

    def take(self) -> list[Frame]:
        """Take everything that waits, in order."""
        frames = list(self._frames)
        self.clear()
        return frames

    def clear(self) -> None:
        """Forget everything that waits."""
        self._frames.clear()
        self._bytes = 0

    def wake(self) -> None:
        """Let a waiting writer look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until something was pushed or `wake` was called."""
        if self._frames:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def __len__(self) -> int:
        """Count the frames that wait."""
        return len(self._frames)
