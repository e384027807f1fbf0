"""Owned background tasks: each is watched, its death is loud, and it dies with its owner."""

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("realtime")


class TaskGroup:
    """Starts tasks in a fresh context and ends them together.

    A fresh context, because a task started inside a caller's database transaction would inherit
    the connection of that transaction.
    """

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run this coroutine until it ends or the group is stopped."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work, name=name, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def __len__(self) -> int:
        """Count the tasks that still run."""
        return len(self._tasks)

    def cancel(self) -> None:
        """Cancel every task but the one that asks."""
        # Outside of a task (a callback of the loop) there is none that asks.
        asking = asyncio.current_task()
        for task in [t for t in self._tasks if t is not asking]:
            task.cancel()

    async def stop(self) -> None:
        """Cancel every task and wait for its end."""
        tasks = [t for t in self._tasks if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("realtime.task_died name=%s", task.get_name(), exc_info=error)
