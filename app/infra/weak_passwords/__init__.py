"""Passwords that are guessed first: common ones, one's own name or address (ASVS 5.0, 6.2.4)."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

COMMON = Path(__file__).with_name("common.txt")
"""One a line, lower case, the most common first; shorter ones are refused by their length."""
DECORATION = "0123456789!?.,;:*#$&@_- "
"""What people put behind a word to make it a password."""


class WeakPasswords:
    """Says which passwords to refuse; read once, from the file that is shipped."""

    def __init__(self, path: Path = COMMON) -> None:
        self._common = frozenset(path.read_text(encoding="utf-8").splitlines())

    def __len__(self) -> int:
        return len(self._common)

    def refuses(self, password: str, own: Iterable[str]) -> bool:
        """Whether it is common, or one of the person's `own` words, whatever the case."""
        folded = _fold(password)
        if folded in self._common:
            return True
        words = {_fold(word) for word in own} | {_fold(word).replace(" ", "") for word in own}
        words.discard("")
        return folded in words or folded.rstrip(DECORATION) in words


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()
