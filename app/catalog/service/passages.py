"""From a chapter in Markdown to the passages that people read and answers cite."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from app.catalog.schemas import ImportedBook
from app.infra.markdown import parse_blocks
from app.kit.text import tidy

ID_CHARACTERS = 20
CITABLE = {"paragraph", "list", "quote", "table", "code"}
EXERCISES = {"questions to try", "exercises", "pertanyaan latihan", "latihan"}
"""Sections that ask and do not tell: an answer that cites a question proves nothing."""

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
QUESTION_WORDS = """
explain describe tell define mean means meaning please give show example examples difference
apa apakah itu ini yang siapa siapakah kapan dimana mana bagaimana mengapa kenapa berapa
jelaskan sebutkan ceritakan adalah ialah dan atau dari ke di dengan untuk pada dalam oleh
sebuah suatu para tentang arti maksud contoh perbedaan tolong saya kamu aku bisa dapat
"""
"""Words that only ask, in both languages of the course books; PostgreSQL lacks the Indonesian."""

MIN_LETTERS, MAX_WORDS = 3, 6
ASKING = frozenset(QUESTION_WORDS.split())


def telling_words(question: str) -> list[str]:
    """The words of a question that say what it is about."""
    return [word for word in WORD.findall(question) if word.lower() not in ASKING]


def searched_words(text: str) -> list[str]:
    """The words of a search that are long enough to be recognised when misspelt."""
    return [word for word in WORD.findall(text) if len(word) >= MIN_LETTERS][:MAX_WORDS]


def passages_of(book: ImportedBook) -> list[tuple[Any, ...]]:
    """Rows for `queries.texts.replace_text`.

    An id is a hash of the book's slug and the passage's words: a citation survives a re-import
    that moves the passage, and dies with the words it quoted.
    """
    rows: list[tuple[Any, ...]] = []
    seen: Counter[str] = Counter()
    for number, chapter in enumerate(book.chapters, 1):
        section = ""
        for ordinal, block in enumerate(parse_blocks(chapter.source), 1):
            if block.kind == "heading":
                section = block.text
            text = tidy(block.text)
            seen[text] += 1
            rows.append(
                (
                    _passage_id(book.slug, text, seen[text]),
                    number,
                    ordinal,
                    block.kind,
                    text,
                    block.html,
                    f"{chapter.title}. {section}".strip(),
                    book.language,
                    block.kind in CITABLE and section.lower() not in EXERCISES,
                )
            )
    return rows


def whole_text(book: ImportedBook) -> str:
    """The book as one Markdown file to take away."""
    head = [f"# {book.title}", *([f"*{book.author}*"] if book.author else [])]
    chapters = [f"## {chapter.title}\n\n{_lowered(chapter.source)}" for chapter in book.chapters]
    return "\n\n".join([*head, *chapters]) + "\n"


def split_title(source: str) -> tuple[str, str]:
    """A chapter's title from its first line, and the rest."""
    first, _, rest = source.lstrip("\ufeff\n").partition("\n")
    return tidy(first.lstrip("# ")), rest.strip() + "\n"


def _lowered(source: str) -> str:
    """Headings one level deeper, outside fenced code."""
    lines: list[str] = []
    is_code = False
    for line in source.strip().splitlines():
        if line.startswith("```"):
            is_code = not is_code
        lines.append(f"#{line}" if line.startswith("#") and not is_code else line)
    return "\n".join(lines)


def _passage_id(slug: str, text: str, occurrence: int) -> str:
    words: Sequence[str] = (slug, text, str(occurrence))
    digest = hashlib.blake2b("\x00".join(words).encode(), digest_size=16)
    return digest.hexdigest()[:ID_CHARACTERS]
