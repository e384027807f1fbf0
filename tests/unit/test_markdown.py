"""Markdown becomes safe blocks, whatever stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.infra.markdown import parse_blocks


def test_kinds_and_words() -> None:
    """Every block of the top level is one passage with its plain words."""
    source = (
        "Two\nlines *here*.\n\n## Head\n\n- one\n- two\n  - three\n\n> said\n\n"
        "```py\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n"
    )
    found = [(block.kind, block.text) for block in parse_blocks(source)]
    assert found == [
        ("paragraph", "Two lines here."),
        ("heading", "Head"),
        ("list", "one\ntwo\nthree"),
        ("quote", "said"),
        ("code", "x = 1"),
        ("table", "a | b\n1 | 2"),
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick='x'>b</b>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>)",
        "[x](//evil.example)",
        "[x](vbscript:x)",
        "![x](https://evil.example/spy.png)",
        "<javascript:alert(1)>",
        "[x]: javascript:alert(1)\n\n[x]",
        "```<script>\n</code><script>\n```",
        "| <script> |\n|---|\n| <iframe> |",
    ],
)
def test_nothing_dangerous_comes_out(hostile: str) -> None:
    """No tag but Markdown's own, no address but the web's."""
    html = "".join(block.html for block in parse_blocks(hostile)).lower()
    for danger in (
        "<script",
        "<img",
        "<iframe",
        "<b ",
        'href="javascript',
        'href="data',
        'href="//',
    ):
        assert danger not in html


@given(st.text(alphabet="<>\"'&[]()!`#*-|\\:/ ab\n", max_size=200))
def test_any_text_is_split_without_a_fault(source: str) -> None:
    """What was written as text never becomes an attribute or a tag of its own."""
    html = "".join(block.html for block in parse_blocks(source))
    assert "<a b" not in html
    assert "onerror" not in html
