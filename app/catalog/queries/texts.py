"""Named SQL of chapters and passages."""

from collections.abc import Sequence
from typing import Any

from asyncpg import Record

from app.infra.db import Queryable

CITED = """
p.id, p.book_id, b.title AS book_title, p.chapter, c.title AS chapter_title, p.text, p.language
"""
FROM = """
FROM passages p
JOIN books b ON b.id = p.book_id
JOIN chapters c ON c.book_id = p.book_id AND c.number = p.chapter
"""
RARE_WORDS_FIRST = f"""
WITH question AS (
    -- A stop word of one language is a rare word of the other: it would outweigh everything.
    SELECT coalesce(string_agg(lexeme, ' '), '') AS words FROM unnest(words_of(NULL, $1))
    WHERE words_of('en', lexeme) <> '' AND words_of('id', lexeme) <> ''
), words AS (
    SELECT 'en' AS language, lexeme FROM question, unnest(words_of('en', question.words))
    UNION ALL SELECT 'id', lexeme FROM question, unnest(words_of('id', question.words))
    UNION ALL SELECT NULL, lexeme FROM question, unnest(words_of(NULL, question.words))
), queries AS (
    SELECT language, quote_literal(lexeme)::tsquery AS query FROM words LIMIT 96
), weighed AS (
    SELECT q.language, q.query, ln(1 + size.passages / (0.5 + (
        SELECT count(*) FROM passages p
        WHERE p.is_citable AND p.search @@ q.query
            AND CASE WHEN p.language IN ('en', 'id') THEN p.language END
                IS NOT DISTINCT FROM q.language
    ))) AS weight
    FROM queries q, (SELECT count(*) AS passages FROM passages WHERE is_citable) size
), best AS (
    SELECT p.id, sum(w.weight * ts_rank('{{0.3, 0, 0, 1}}', p.search, w.query)) AS score
    FROM weighed w
    JOIN passages p ON p.is_citable AND p.search @@ w.query
        AND CASE WHEN p.language IN ('en', 'id') THEN p.language END
            IS NOT DISTINCT FROM w.language
    WHERE $2::bigint IS NULL OR p.book_id = $2
    GROUP BY p.id
    ORDER BY score DESC, p.id
    LIMIT $3
)
SELECT {CITED} {FROM} JOIN best ON best.id = p.id ORDER BY best.score DESC, p.id
"""
"""A word weighs the more the fewer passages hold it, as good search engines do; PostgreSQL's
own rank knows only one passage at a time. Index passages_search."""

CLOSEST_SPELLING = f"""
WITH best AS (
    SELECT p.id, sum(word_similarity(word, p.text)) AS score
    FROM unnest($1::text[]) AS word
    JOIN passages p ON p.is_citable AND word <% p.text
    WHERE $2::bigint IS NULL OR p.book_id = $2
    GROUP BY p.id
    ORDER BY score DESC, p.id
    LIMIT $3
)
SELECT {CITED} {FROM} JOIN best ON best.id = p.id ORDER BY best.score DESC, p.id
"""


async def passages_with_words(
    db: Queryable, question: str, book_id: int | None, limit: int
) -> list[Record]:
    """The passages that share the rarest words with a question, best first."""
    return await db.fetch(RARE_WORDS_FIRST, question, book_id, limit)


async def passages_spelled_like(
    db: Queryable, words: Sequence[str], book_id: int | None, limit: int
) -> list[Record]:
    """The passages with words that look like these, best first. Index passages_spelling."""
    return await db.fetch(CLOSEST_SPELLING, words, book_id, limit)


async def passage_by_id(db: Queryable, passage_id: str) -> Record | None:
    """One passage with its place. passages_pkey."""
    return await db.fetchrow(f"SELECT {CITED} {FROM} WHERE p.id = $1", passage_id)


async def chapter_titles(db: Queryable, book_id: int) -> list[Record]:
    """A table of contents. chapters_book_number_key."""
    return await db.fetch(
        "SELECT number, title FROM chapters WHERE book_id = $1 ORDER BY number", book_id
    )


async def chapter_of(db: Queryable, book_id: int, number: int) -> Record | None:
    """One chapter and the numbers of its neighbours. chapters_book_number_key."""
    return await db.fetchrow(
        """
        SELECT c.book_id, c.number, c.title,
            (SELECT max(p.number) FROM chapters p
                WHERE p.book_id = c.book_id AND p.number < c.number) AS prev,
            (SELECT min(n.number) FROM chapters n
                WHERE n.book_id = c.book_id AND n.number > c.number) AS next
        FROM chapters c WHERE c.book_id = $1::bigint AND c.number = $2::bigint
        """,
        book_id,
        number,
    )


async def passages_of(db: Queryable, book_id: int, chapter: int) -> list[Record]:
    """The blocks of a chapter in order. passages_place_key."""
    return await db.fetch(
        """
        SELECT id, kind, html FROM passages WHERE book_id = $1 AND chapter = $2 ORDER BY ordinal
        """,
        book_id,
        chapter,
    )


async def set_language(db: Queryable, book_id: int, language: str | None) -> None:
    """Search a book's passages with another stemmer."""
    await db.execute("UPDATE passages SET language = $2 WHERE book_id = $1", book_id, language)


async def replace_text(
    db: Queryable,
    book_id: int,
    chapters: Sequence[tuple[int, str, str]],
    passages: Sequence[tuple[Any, ...]],
) -> None:
    """Put these chapters and passages in place of a book's old ones, in two statements."""
    await db.execute("DELETE FROM chapters WHERE book_id = $1", book_id)
    await db.execute(
        """
        INSERT INTO chapters (book_id, number, title, source)
        SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[])
        """,
        book_id,
        *_columns(chapters, 3),
    )
    await db.execute(
        """
        INSERT INTO passages
            (book_id, id, chapter, ordinal, kind, text, html, context, language, is_citable)
        SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::boolean[])
        """,
        book_id,
        *_columns(passages, 9),
    )


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[n] for row in rows] for n in range(width)]
