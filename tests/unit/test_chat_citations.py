"""Citations while streaming: only given numbers survive, and the output only ever grows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.tutor.citations import Citer, best_source, content_words

PASSAGES = {
    1: "Mitochondria release energy from sugar inside every living cell of plants and animals.",
    2: "Chloroplasts catch sunlight and bind its energy in sugar molecules.",
}


def cited(text: str, *, step: int = 1, passages: dict[int, str] | None = None) -> str:
    """The whole output for a text that arrives in pieces of this size."""
    citer = Citer(PASSAGES if passages is None else passages)
    pieces = [citer.feed(text[at : at + step]) for at in range(0, len(text), step)]
    return "".join(pieces) + citer.flush()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Sugar [1].", "Sugar [1]."),
        ("Sugar [7].", "Sugar."),
        ("Sugar [7] and light", "Sugar and light"),
        ("Sugar [1, 2] and [2, 9]", "Sugar [1][2] and [2]"),
        ("Sugar [1][9][2]", "Sugar [1][2]"),
        ("Sugar [123456789012345678901234567890]", "Sugar [123456789012345678901234567890]"),
        ("see [link](x) and [", "see [link](x) and ["),
        ("open [1", "open [1"),
        ("use `a[0]` or\n```\nb[3]\n```\nnot [3]", "use `a[0]` or\n```\nb[3]\n```\nnot"),
        ("3.14 is pi. Yes!  ", "3.14 is pi. Yes!  "),
        ("", ""),
    ],
)
def test_only_given_numbers_survive(said: str, shown: str) -> None:
    """Everything else is left as it was said."""
    for step in (1, 2, 3, 100):
        assert cited(said, step=step) == shown


def test_supported_sentence_gets_its_marker() -> None:
    """A model that cites nothing is cited for, where the words of a passage carry a sentence."""
    said = "Mitochondria release energy from sugar. I like trains. Chloroplasts catch sunlight"
    assert cited(said) == (
        "Mitochondria release energy from sugar. [1] I like trains. Chloroplasts catch sunlight [2]"
    )


def test_paraphrase_is_cited_at_its_end() -> None:
    """No sentence is close enough, but the whole answer stays with one passage."""
    said = (
        "The purpose of mitochondria is providing energy needed elsewhere. "
        "They take sugar, among other fuels, and sit inside nearly everything, "
        "namely plants and other organisms too."
    )
    assert cited(said) == said + " [1]"
    assert cited("Trains are nice. I like them very much indeed.") == (
        "Trains are nice. I like them very much indeed."
    )


def test_model_that_cites_is_left_alone() -> None:
    """After its own first marker nothing is added."""
    said = "Light is nice [2]. Mitochondria release energy from sugar."
    assert cited(said) == said


def test_false_marker_is_replaced_by_the_true_one() -> None:
    """The wrong number goes, the sentence is still carried by its passage."""
    assert cited("Mitochondria release energy from sugar. [9] Next.") == (
        "Mitochondria release energy from sugar. [1] Next."
    )


def test_tie_goes_to_the_lower_number() -> None:
    """The same words in two passages: always the same choice."""
    words = {2: content_words("alpha bravo charlie"), 1: content_words("alpha bravo charlie")}
    assert best_source("alpha bravo charlie", words) == 1
    assert best_source("alpha delta echo foxtrot", words) is None
    assert best_source("alpha bravo charlie", {}) is None


@given(st.text(alphabet="ab []19,.\n`!?x", max_size=60), st.integers(1, 7))
def test_pieces_do_not_matter_and_no_false_marker_passes(said: str, step: int) -> None:
    """The cut of the stream changes nothing; outside code no number but the given ones."""
    whole = cited(said, step=1000)
    assert cited(said, step=step) == whole
    if "`" not in said:
        numbers = {int(n) for n in re.findall(r"\[\s*(\d{1,9})\s*\]", whole)}
        assert numbers <= set(PASSAGES)


@given(st.text(alphabet="ab []x.!\n ", max_size=60))
def test_without_markers_and_passages_nothing_changes(said: str) -> None:
    """The text is the model's, to the character."""
    assert cited(said, passages={}) == said
