"""What mails say: `templates/<name>.<language>.txt`, as plain text and as the simplest HTML.

The first line is the subject; paragraphs stand between blank lines; `$word` is a value. A paragraph
`[Label]` becomes the link of the mail. A footer is added to each.
"""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from msgspec import Struct

from app.kit.language import LANGUAGES, Language

FOLDER = Path(__file__).parent / "templates"
FOOTER = "_footer"
LINK = "link"
LABEL = re.compile(r"\[([^\[\]]+)\]")


class Letter(Struct, frozen=True):
    """A mail's words."""

    subject: str
    text: str
    html: str


class Letters:
    """All templates, read once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._sources = {path.stem: path.read_text("utf-8") for path in folder.glob("*.txt")}

    @property
    def names(self) -> set[str]:
        """The names that `write` knows."""
        return {stem.rpartition(".")[0] for stem in self._sources} - {FOOTER}

    def places(self, name: str, language: Language) -> set[str]:
        """The values that a template asks for."""
        source = self._sources[f"{name}.{language}"]
        named = {match["named"] for match in Template.pattern.finditer(source)}
        return {*named, *([LINK] if LABEL.search(source) else [])} - {None}

    def write(self, name: str, language: Language, values: Mapping[str, str]) -> Letter:
        """One letter. Raises KeyError for an unknown name or a value that is missing."""
        source = self._sources[f"{name}.{language}"].strip()
        subject, _, body = source.partition("\n")
        footer = self._sources[f"{FOOTER}.{language}"].strip()
        parts = [part.strip() for part in f"{body}\n\n{footer}".split("\n\n") if part.strip()]
        return Letter(
            subject=_one_line(Template(subject).substitute(values)),
            text="\n\n".join(_as_text(part, values) for part in parts) + "\n",
            html=_page(language, [_as_html(part, values) for part in parts]),
        )


def _as_text(part: str, values: Mapping[str, str]) -> str:
    label = LABEL.fullmatch(part)
    return f"{label[1]}:\n{values[LINK]}" if label else Template(part).substitute(values)


def _as_html(part: str, values: Mapping[str, str]) -> str:
    safe = {name: html.escape(value) for name, value in values.items()}
    label = LABEL.fullmatch(part)
    if label:
        address = safe[LINK]
        return f'<p><a href="{address}"><strong>{html.escape(label[1])}</strong></a></p>'
    return f"<p>{Template(html.escape(part, quote=False)).substitute(safe)}</p>"


def _page(language: Language, parts: list[str]) -> str:
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"></head><body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _one_line(text: str) -> str:
    """A value in a subject can neither end it nor begin another header."""
    return " ".join(text.split())


def is_complete(letters: Letters, name: str) -> bool:
    """Whether a template speaks all languages and asks for the same values in each."""
    try:
        places = [letters.places(name, language) for language in LANGUAGES]
    except KeyError:
        return False
    return all(found == places[0] for found in places)
