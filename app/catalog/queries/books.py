"""Named SQL of books and their counters.

`liked` reads the table `interactions`, which the room above owns and alone writes: one join is
cheaper than a second query for every list.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg import Record

from app.infra.db import Queryable

BOOK = """
b.id, b.title, b.author, b.category_id, c.name AS category, b.group_id, g.name AS "group",
b.description, b.year, b.language, b.subjects, b.extra, b.file_key IS NOT NULL AS has_text,
b.chapters_count, b.cover_hash, k.views, k.downloads, k.likes, k.version AS counters_version,
CASE WHEN $1::integer IS NOT NULL THEN EXISTS (
    SELECT FROM interactions i WHERE i.user_id = $1 AND i.book_id = b.id AND i.type = 'like'
) END AS liked,
b.version, b.created_at, b.updated_at
"""
FROM = """
FROM books b
JOIN book_counters k ON k.book_id = b.id
LEFT JOIN categories c ON c.id = b.category_id
LEFT JOIN groups g ON g.id = b.group_id
"""
LIST = f"SELECT {BOOK}, {{sort}} AS sort_value {FROM}"
"""For `infra.listing`; $1 is the viewer's id or NULL."""

COUNTERS = "book_id, views, downloads, likes, version"
PLAIN = "immutable_unaccent({q})"
WORDS = f"""
(websearch_to_tsquery('pg_catalog.simple', {PLAIN})
|| websearch_to_tsquery('pg_catalog.english', {PLAIN})
|| websearch_to_tsquery('pg_catalog.indonesian', {PLAIN}))
"""
SPELLED = "(b.title_key || ' ' || b.author_key)"
RELEVANCE = f"""
round(1000000 * (
    ts_rank('{{0.05, 0.2, 0.6, 1}}', b.search, {WORDS})
    + word_similarity(lower({PLAIN}), {SPELLED}) / 2
))::bigint
"""
"""Whole numbers, so that a cursor can name the place exactly."""


RANKED = 1000
"""Of more books than this that hold the words, the most liked (then the newest) are ranked: ranking
looks at every one of them, and nobody reads that far."""


def matches(text: str, words: Sequence[str]) -> str:
    """The condition that a book answers a search; the arguments are the names of parameters ($n).

    Either it holds the words of the text, or all of `words` in some spelling (how alike, says
    `infra.db.SESSION`). A bitmap joins the indexes books_search and books_spelling.
    """
    return f"({_holds(text)} OR {_spelled_like(words)})"


def best_matches(text: str, words: Sequence[str], filters: Sequence[str]) -> str:
    """The same for a list by relevance, bounded: RANKED books that hold the words and meet the
    filters; where fewer do, also those that are spelled alike, RANKED at most.

    EXPLAIN with 60 000 books: a word that all hold goes down book_counters_likes and stops after
    RANKED (6 ms; by the generic plan 49: bitmap of books_search, hash join, top-N heapsort), and
    `alike` is never begun (One-Time Filter: false). A word of 86 books is a bitmap of books_search
    and 86 look-ups by key (1 ms), then a bitmap of books_spelling.
    """
    narrow = " AND ".join(filters)
    return f"""
    b.id IN (
        WITH held AS MATERIALIZED (
            SELECT b.id FROM books b JOIN book_counters k ON k.book_id = b.id
            WHERE {_holds(text)} AND {narrow}
            ORDER BY k.likes DESC, k.book_id DESC LIMIT {RANKED}
        ), alike AS MATERIALIZED (
            SELECT b.id FROM books b
            WHERE {_spelled_like(words)} AND {narrow}
                AND (SELECT count(*) FROM held) < {RANKED}
            LIMIT {RANKED}
        )
        SELECT id FROM held UNION SELECT id FROM alike
    )
    """


def _holds(text: str) -> str:
    return f"b.search @@ {WORDS.replace('{q}', text)}"


def _spelled_like(words: Sequence[str]) -> str:
    spelled = " AND ".join(f"lower({PLAIN.replace('{q}', word)}) <% {SPELLED}" for word in words)
    return f"({spelled or 'FALSE'})"


def relevance(parameter: str) -> str:
    """How well it does; the title counts most, then author, subjects, description."""
    return RELEVANCE.replace("{q}", parameter)


async def book_by_id(db: Queryable, viewer_id: int | None, book_id: int) -> Record | None:
    """One book as a viewer sees it. books_pkey."""
    return await db.fetchrow(f"SELECT {BOOK} {FROM} WHERE b.id = $2::bigint", viewer_id, book_id)


async def lock_book(db: Queryable, book_id: int) -> Record | None:
    """The row that a change starts from, locked until the transaction ends."""
    return await db.fetchrow(
        """
        SELECT id, version, group_id FROM books WHERE id = $1::bigint
        FOR NO KEY UPDATE
        """,
        book_id,
    )


async def insert_book(db: Queryable, values: Mapping[str, Any]) -> int:
    """A new book; its counters are made by the trigger."""
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    new_id: int = await db.fetchval(
        f"INSERT INTO books ({', '.join(values)}) VALUES ({places}) RETURNING id",
        *values.values(),
    )
    return new_id


async def update_book(db: Queryable, book_id: int, values: Mapping[str, Any]) -> None:
    """Change a locked book; the column names come from the service's own structs."""
    settings = "".join(f"{name} = ${n}, " for n, name in enumerate(values, 2))
    await db.execute(
        f"UPDATE books SET {settings} version = version + 1, updated_at = now() WHERE id = $1",
        book_id,
        *values.values(),
    )


async def delete_book(db: Queryable, book_id: int) -> None:
    """Remove a book with its text, counters and interactions."""
    await db.execute("DELETE FROM books WHERE id = $1", book_id)


async def import_book(db: Queryable, values: Mapping[str, Any]) -> Record | None:
    """Insert or renew a book by its slug. A cover stays while title and author stay."""
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    settings = ", ".join(f"{name} = excluded.{name}" for name in values if name != "slug")
    return await db.fetchrow(
        f"""
        INSERT INTO books AS b ({", ".join(values)}) VALUES ({places})
        ON CONFLICT (slug) DO UPDATE SET {settings},
            cover_hash = CASE WHEN b.title = excluded.title
                AND b.author IS NOT DISTINCT FROM excluded.author THEN b.cover_hash END,
            version = b.version + 1, updated_at = now()
        RETURNING id, cover_hash
        """,
        *values.values(),
    )


async def imported_books(db: Queryable, slugs: Sequence[str]) -> list[Record]:
    """What is known of a collection's books. books_slug_key."""
    return await db.fetch(
        "SELECT id, slug, source_hash, cover_hash FROM books WHERE slug = ANY($1::text[])", slugs
    )


async def file_key_of(db: Queryable, book_id: int) -> str | None:
    """Where a book's whole text is stored. books_pkey."""
    key: str | None = await db.fetchval("SELECT file_key FROM books WHERE id = $1", book_id)
    return key


async def counters_of(db: Queryable, book_id: int) -> Record | None:
    """The counts of one book. book_counters_pkey."""
    return await db.fetchrow(
        f"SELECT {COUNTERS} FROM book_counters WHERE book_id = $1::bigint", book_id
    )


async def add_to_counters(
    db: Queryable, book_id: int, views: int, downloads: int, likes: int
) -> Record | None:
    """Count; the row lock makes the order of versions the order of commits."""
    return await db.fetchrow(
        f"""
        UPDATE book_counters SET views = views + $2, downloads = downloads + $3,
            likes = likes + $4, version = version + 1
        WHERE book_id = $1 RETURNING {COUNTERS}
        """,
        book_id,
        views,
        downloads,
        likes,
    )


async def totals(db: Queryable) -> Record | None:
    """The sum of all counters: reads the whole table, so only for people who manage the library."""
    return await db.fetchrow(
        """
        SELECT count(*) AS books, coalesce(sum(views), 0)::bigint AS views,
            coalesce(sum(downloads), 0)::bigint AS downloads,
            coalesce(sum(likes), 0)::bigint AS likes
        FROM book_counters
        """
    )


async def added_by(db: Queryable, user_id: int) -> list[dict[str, Any]]:
    """Books that a person added; reads all."""
    rows = await db.fetch(
        "SELECT id, title, created_at FROM books WHERE created_by = $1 ORDER BY id", user_id
    )
    return [dict(row) for row in rows]


async def unname_author_of_entries(db: Queryable, user_id: int) -> None:
    """Books stay; who added them is nobody's business any more."""
    await db.execute("UPDATE books SET created_by = NULL WHERE created_by = $1", user_id)
