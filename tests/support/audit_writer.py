"""A process that files reports until it is killed: `audit_writer.py DATABASE_URL USER_ID FIRST`.

It reads numbers from its input, files a report of the target `FIRST + number` for each, and says
the number once that was acknowledged.
"""

import asyncio
import sys

import msgspec

from app.kit.principal import Principal, Role
from tests.support.rooms import about, open_rooms

WRITERS = 8


async def main(url: str, user_id: int, first: int) -> None:
    """Work through all numbers, several at a time."""
    numbers = iter(msgspec.json.decode(sys.stdin.buffer.read(), type=list[int]))
    reporter = Principal(user_id, Role.USER, "s", "", "")
    async with open_rooms(url, pool_size=WRITERS) as rooms:

        async def write() -> None:
            for number in numbers:
                await rooms.reports.file_report(reporter, about(first + number))
                rooms.published.clear()
                print(number, flush=True)

        await asyncio.gather(*(write() for _ in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:4])))
