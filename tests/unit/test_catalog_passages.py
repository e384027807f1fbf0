"""Chapters become passages with ids that stay."""

from app.catalog.schemas import ImportedBook, ImportedChapter
from app.catalog.service.passages import (
    ID_CHARACTERS,
    passages_of,
    split_title,
    telling_words,
    whole_text,
)


def book(*sources: str, slug: str = "a-book") -> ImportedBook:
    """A book whose chapters have these texts."""
    chapters = [ImportedChapter(f"Chapter {n}", source) for n, source in enumerate(sources, 1)]
    return ImportedBook(slug, "T", "A", "C", "G", None, 2026, "en", [], {}, chapters)


def ids(imported: ImportedBook) -> list[str]:
    return [row[0] for row in passages_of(imported)]


def test_id_is_made_of_slug_and_words() -> None:
    """Equal words in another book are another passage; another place is not."""
    (first,) = ids(book("Same words."))
    assert len(first) == ID_CHARACTERS
    assert ids(book("Before.", "Same words."))[1] == first
    assert ids(book("Same words.", slug="other")) != [first]


def test_repeated_words_have_ids_of_their_own() -> None:
    """A refrain is cited verse by verse."""
    assert len(set(ids(book("La la.\n\nLa la.", "La la.")))) == 3


def test_exercises_and_headings_are_not_citable() -> None:
    """An answer that cites a question proves nothing."""
    source = "Fact.\n\n## Parts\n\nMore.\n\n## Pertanyaan latihan\n\n1. Why?\n"
    rows = passages_of(book(source))
    assert [(row[4], row[8]) for row in rows] == [
        ("Fact.", True),
        ("Parts", False),
        ("More.", True),
        ("Pertanyaan latihan", False),
        ("Why?", False),
    ]


def test_context_names_chapter_and_section() -> None:
    """A paragraph that never names its subject is found by its heading."""
    rows = passages_of(book("Intro.\n\n## Cells\n\nThey are small."))
    assert [row[6] for row in rows] == ["Chapter 1.", "Chapter 1. Cells", "Chapter 1. Cells"]


def test_title_is_the_first_line() -> None:
    """With or without a mark before it."""
    assert split_title("# The cell\n\nText.\n") == ("The cell", "Text.\n")
    assert split_title("\ufeff# Sel\nTeks") == ("Sel", "Teks\n")


def test_whole_text_lowers_headings_but_not_comments() -> None:
    """A `#` in code is code."""
    text = whole_text(book("## Part\n\n```python\n# note\n```\n"))
    assert "### Part" in text
    assert "\n# note\n" in text


def test_telling_words_leave_the_asking_out() -> None:
    """Both languages ask with words that no passage should be found by."""
    assert telling_words("Jelaskan apa itu fotosintesis!") == ["fotosintesis"]
    assert telling_words("Explain Newton's law, please") == ["Newton's", "law"]
