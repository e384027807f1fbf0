"""Fossil deltas: what a client gets after applying one is what was sent."""

from centrifuge.fossil import apply_delta
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import fossil

texts = st.text(alphabet="aé€😀{}\n", max_size=200)


@settings(max_examples=300, deadline=None)
@given(texts, texts, texts, texts)
def test_any_change_of_a_text_comes_out_whole(a: str, b: str, c: str, d: str) -> None:
    """Start, middle and end change; the delta of two texts is a text."""
    for source, target in ((a + b + c, a + d + c), (b + c, c + b), (a, a), ("", d), (a, "")):
        delta = fossil.create(source.encode(), target.encode())
        delta.decode()
        assert apply_delta(source.encode(), delta) == target.encode()


def test_a_small_change_is_a_small_delta() -> None:
    """One digit of a kilobyte costs a few bytes."""
    body = b"x" * 1000
    delta = fossil.create(b'{"n":1,"b":"' + body + b'"}', b'{"n":2,"b":"' + body + b'"}')
    assert len(delta) < 40


def test_a_moved_block_is_copied() -> None:
    """What stands elsewhere in the source is found."""
    one, two = bytes(range(32, 127)), bytes(range(126, 31, -1))
    delta = fossil.create(one + two, two + b"!" + one)
    assert len(delta) < 40
    assert apply_delta(one + two, delta) == two + b"!" + one


def test_a_cut_never_parts_a_character() -> None:
    """Characters that share bytes are sent whole, however long the common rest is."""
    for left, right in (("é", "è"), ("€", "₭"), ("😀", "😁")):
        source, target = f"{left * 20}same end", f"{left * 10}{right}{left * 9}same end"
        fossil.create(source.encode(), target.encode()).decode()


def test_a_huge_difference_is_inserted_without_a_search() -> None:
    """The work for one publication is bounded."""
    source, target = b"a" * 100 + b"0" * 30_000, b"a" * 100 + b"1" * 30_000
    delta = fossil.create(source, target)
    assert apply_delta(source, delta) == target


def test_the_checksum_adds_up_words() -> None:
    """Big-endian, the last word filled with zeros."""
    assert fossil.checksum(b"") == 0
    assert fossil.checksum(b"\x00\x00\x00\x01\x02") == 0x02000001
    assert fossil.checksum(b"\xff\xff\xff\xff\x00\x00\x00\x02") == 1
