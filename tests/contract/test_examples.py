"""The examples of the contract do what they say."""

import asyncio
import sys

from tests.contract.conftest import CONTRACT
from tests.support.house import Person, Served
from tests.support.library import add_book

DEADLINE_S = 20


async def test_counters_move_while_one_watches(
    served: Served, teacher: Person, learner: Person
) -> None:
    """`watch_book.py` shows the first state, then a like."""
    book = await add_book(teacher)
    watching = await asyncio.create_subprocess_exec(
        *[sys.executable, CONTRACT / "examples" / "watch_book.py", served.url, str(book["id"])],
        stdout=asyncio.subprocess.PIPE,
    )
    assert watching.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            first = await watching.stdout.readline()
            like = {"book_id": book["id"], "type": "like"}
            (await learner.http.post("/api/v1/interactions", json=like)).raise_for_status()
            second = await watching.stdout.readline()
    finally:
        watching.kill()
        await watching.wait()
    assert b'"likes": 0' in first
    assert b'"likes": 1' in second
