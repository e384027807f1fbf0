"""A task that swallows a cancellation is ended all the same."""

import asyncio

from app.kit.tasks import end_task


async def test_task_that_swallows_one_cancellation_ends() -> None:
    """The second one counts."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 1:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await end_task(task)
    assert task.cancelled()
    assert swallowed == 2


async def test_failed_task_is_simply_over() -> None:
    """Its exception was somebody else's to read."""

    async def failing() -> None:
        raise ValueError

    task = asyncio.create_task(failing())
    await asyncio.wait({task})
    await end_task(task)
    assert task.done()
