"""Text that people type: what is accepted and how it is tidied."""

import unicodedata
from typing import Annotated

from msgspec import Meta

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL cannot store U+0000 in text."""

Line = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=300,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
]
"""One line with something to read in it and no control characters."""


def tidy(value: str) -> str:
    """NFC, without white space at the ends: the form in which names and titles are stored."""
    return unicodedata.normalize("NFC", value).strip()


def storable(text: str, limit: int = 300) -> str:
    """Foreign text (a header, a file name) cut to `limit`, without what PostgreSQL cannot store."""
    return text.replace("\x00", "")[:limit]
