"""Keeps citations true while the text streams: false `[n]` are dropped, missing ones added.

The output only ever grows, so that what was shown is never taken back. Pure, no I/O.
"""

import re
from collections.abc import Iterable, Mapping

from app.chat.tutor.prompt import ENGLISH, INDONESIAN

HOLD_CHARACTERS = 24
"""A `[` that is not closed by then is no citation."""
MIN_SHARED_WORDS = 3
MIN_SHARED_BY_ANSWER = 4
"""An answer without any marker gets one at its end, for the passage that shares so many words."""
MIN_SHARED_PART = 0.5
"""A sentence without a marker gets one when at least half of its words stand in the passage."""
WORD_LETTERS = 4
"""Shorter words say nothing about a passage."""

FENCE = 3
"""So many backticks open and close a block of code."""

_MARKER = re.compile(r"\[\s*\d+(?:\s*,\s*\d+)*\s*\]")
_MARKER_BEGINNING = re.compile(r"\[[\s\d,]*")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_ENDS = ".!?"
_PUNCTUATION = ".,;:!?)"
_CLOSERS = "\"')\u201d\u2019\u00bb"


def content_words(text: str) -> frozenset[str]:
    """The words that say what a text is about, lower case."""
    words = {word for word in _WORD.findall(text.lower()) if len(word) >= WORD_LETTERS}
    return frozenset(words - ENGLISH - INDONESIAN)


def nearest(words: frozenset[str], words_of: Mapping[int, frozenset[str]]) -> tuple[int, int]:
    """The passage with the most words in common, the lower number at a tie; and how many."""
    shared = {n: len(words & passage) for n, passage in words_of.items()}
    n = max(shared, key=lambda key: (shared[key], -key), default=0)
    return n, shared.get(n, 0)


def best_source(sentence: str, words_of: Mapping[int, frozenset[str]]) -> int | None:
    """The passage that carries this sentence; None when none does."""
    words = content_words(sentence)
    n, shared = nearest(words, words_of)
    enough = shared >= MIN_SHARED_WORDS and shared >= MIN_SHARED_PART * len(words)
    return n if enough else None


class CodeSpans:
    """Follows backticks: `numbers[0]` inside code is no citation."""

    def __init__(self) -> None:
        self._run = 0
        self._inline = False
        self._fence = False

    def sees(self, character: str) -> bool:
        """Whether this character stands in code."""
        if character == "`":
            self._run += 1
            return True
        if self._run >= FENCE:
            self._fence, self._inline = not self._fence, False
        elif self._run and not self._fence:
            self._inline = not self._inline
        self._run = 0
        if character == "\n":
            self._inline = False  # a lone backtick must not switch the check off for good
        return self._fence or self._inline


class Citer:
    """Turns a model's stream into a text whose every `[n]` names a passage that was given."""

    def __init__(self, passages: Mapping[int, str]) -> None:
        self._words = {n: content_words(text) for n, text in passages.items()}
        self._code = CodeSpans()
        self._held = ""  # a beginning `[`, not yet decided
        self._gap = ""  # white space that waits for what follows it
        self._sentence: list[str] = []
        self._ended = False
        self._dropped = False
        self._model_cites = False
        self._cited = False
        self._said: set[str] = set()

    def feed(self, chunk: str) -> str:
        """The text that is certain after this chunk."""
        return "".join(self._step(character) for character in chunk)

    def flush(self) -> str:
        """The rest, once the model is done."""
        held, self._held = self._held, ""
        rest = "".join(self._plain(character) for character in held)
        gap, self._gap = "" if self._dropped else self._gap, ""
        return rest + (self._close_sentence() or self._close_answer()) + gap

    def _close_answer(self) -> str:
        """A paraphrase may carry no single sentence and still come from one passage."""
        if self._cited:
            return ""
        n, shared = nearest(frozenset(self._said), self._words)
        return f" [{n}]" if shared >= MIN_SHARED_BY_ANSWER else ""

    def _step(self, character: str) -> str:
        if not self._held:
            if not self._code.sees(character) and character == "[":
                self._held = character
                return ""
            return self._plain(character)
        self._held += character
        if _MARKER.fullmatch(self._held):
            return self._marker()
        if _MARKER_BEGINNING.fullmatch(self._held) and len(self._held) < HOLD_CHARACTERS:
            return ""
        # No citation after all: its first character is text, the others are looked at again.
        held, self._held = self._held, ""
        return self._plain(held[0]) + self.feed(held[1:])

    def _marker(self) -> str:
        numbers = _valid(_NUMBER.findall(self._held), self._words)
        self._held = ""
        if not numbers:
            self._dropped = True
            return ""
        self._model_cites = self._cited = True
        gap, self._gap = self._gap, ""
        return gap + "".join(f"[{n}]" for n in numbers)

    def _plain(self, character: str) -> str:
        dropped, self._dropped = self._dropped, False
        if character.isspace():
            if not (dropped and self._gap):  # a dropped marker leaves one space, not two
                self._gap += character
            return ""
        if dropped and character in _PUNCTUATION:
            self._gap = ""
        gap, self._gap = self._gap, ""
        is_next = gap and (self._ended or "\n" in gap)
        marker = self._close_sentence() if is_next else ""
        if character in _ENDS:
            self._ended = True
        elif character not in _CLOSERS:
            self._ended = False
        self._sentence.append(gap + character)
        return marker + gap + character

    def _close_sentence(self) -> str:
        sentence, self._sentence, self._ended = "".join(self._sentence), [], False
        if self._model_cites:
            return ""
        self._said |= content_words(sentence)
        n = best_source(sentence, self._words)
        self._cited = self._cited or n is not None
        return "" if n is None else f" [{n}]"


def _valid(found: Iterable[str], known: Mapping[int, object]) -> list[int]:
    return [n for n in (int(text[:6]) for text in found) if n in known]
