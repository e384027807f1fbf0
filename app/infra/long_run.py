"""A process that works until it is told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

import uvloop


def run_until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until it ends by itself, or is cancelled by SIGTERM or Ctrl-C."""

    async def watched() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(watched())
