"""Searches among 60 000 books, bounded and as it would be without: `python -m tests.load.search`.

PostgreSQL is its own, the statements are the catalogue's; nothing of HTTP stands in between.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.catalog.queries import books
from app.catalog.schemas import BookQuery
from app.catalog.service import Catalog
from app.infra.db import Database
from app.infra.embedded.postgres import OWNER, PostgresServer
from app.kit.paging import DEFAULT_PAGE
from tests.load.harness import goal, report, wait_for_quiet
from tests.support.servers import empty_house, migrate

BOOKS, TIMES = 60_000, 100
TIMES_UNBOUNDED = 10
P99_GOAL_MS = 100.0
QUESTIONS = {
    "every book holds it": "book",
    "in every title, misspelled": "hystory",
    "86 books hold it": "zeccbc8",
    "86 books, misspelled": "zeccbc8x",
    "no book": "nothingatall",
}
FILL = """
INSERT INTO books (title, author, description, language, year, subjects)
SELECT initcap('history ' || one || ' ' || two || ' of ' || three), initcap(first || ' ' || last),
    'A story about ' || three || ' and the ' || four || '; it was written in the year of the '
    || two || '. This book tells how ' || one || ' met ' || four || repeat(' ' || two, 4),
    (ARRAY['en', 'id', 'fr', 'de'])[1 + n % 4], 1500 + n % 500, ARRAY[four, 'Fiction ' || one]
FROM (
    SELECT n, 'w' || substr(md5((n * 7 % 3000)::text), 1, 6) AS one,
        'v' || substr(md5((n * 13 % 5000)::text), 1, 7) AS two,
        'z' || substr(md5((n % 700)::text), 1, 6) AS three,
        'y' || substr(md5((n * 3 % 1500)::text), 1, 6) AS four,
        'k' || substr(md5((n % 900)::text), 1, 5) AS first,
        'm' || substr(md5((n * 11 % 4000)::text), 1, 7) AS last
    FROM generate_series(1, $1::integer) AS n
) AS words
"""
LIKE = "UPDATE book_counters SET likes = book_id::bigint * 7919 % 5000"


def main() -> int:
    """Measure; the exit status says whether the goals were reached."""
    with postgres() as server:
        return 0 if asyncio.run(measure(server.url(OWNER))) else 1


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A migrated database without a book."""
    with empty_house() as house:
        home, log = house.home, house.home.logs / "postgres.log"
        server = PostgresServer(home.path / "postgres", home.run, log, durable=False)
        house.supervisor.start(server)
        migrate(server.url(OWNER), server.url())
        yield server


async def measure(url: str) -> bool:
    """Each question bounded and unbounded; True when every bounded one is fast enough."""
    db = Database(url, pool_size=1)
    await db.start()
    try:
        await fill(db)
        await asyncio.to_thread(wait_for_quiet)
        catalog, best_matches = Catalog(db, None), books.best_matches  # type: ignore[arg-type]
        reached = True
        for name, text in QUESTIONS.items():
            ours = await times(catalog, text, TIMES)
            books.best_matches = every_match
            before = await times(catalog, text, TIMES_UNBOUNDED)
            books.best_matches = best_matches
            figures = {"p50_ms": median_ms(ours), "p99_ms": p99_ms(ours)}
            ratio = round(median_ms(before) / median_ms(ours), 1)
            report(f"search: {name}", **figures, unbounded_p50_ms=median_ms(before), ratio=ratio)
            reached &= goal(f"search: {name}, p99 ms", p99_ms(ours), P99_GOAL_MS)
        return reached
    finally:
        await db.stop()


async def fill(db: Database) -> None:
    """The books, with likes, in a table that was never changed."""
    await db.execute(FILL, BOOKS)
    await db.execute(LIKE)
    for table in ("books", "book_counters"):
        await db.execute(f"VACUUM ANALYZE {table}")


def every_match(text: str, words: Any, _filters: Any) -> str:
    """All that answers is ranked, whatever its number."""
    return books.matches(text, words)


async def times(catalog: Catalog, text: str, count: int) -> list[float]:
    """Seconds of so many searches; the first ones only warm up."""
    question = BookQuery(text, None, None, None, None, None, None, DEFAULT_PAGE, None)
    found = []
    for _ in range(count + 2):
        begun = time.perf_counter()
        await catalog.list_books(None, question)
        found.append(time.perf_counter() - begun)
    return found[2:]


def median_ms(seconds: list[float]) -> float:
    """The middle one."""
    return round(statistics.median(seconds) * 1000, 1)


def p99_ms(seconds: list[float]) -> float:
    """The 99th percentile."""
    return round(statistics.quantiles(seconds, n=100, method="inclusive")[98] * 1000, 1)


if __name__ == "__main__":
    raise SystemExit(main())
