"""Markdown into blocks of safe HTML and plain text; the only module that knows markdown-it.

Safe by construction: raw HTML is shown as text, pictures are not part of the dialect, and links
lead only to http, https or mail. Nothing here fetches anything.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import Struct

LINK_SCHEMES = ("https://", "http://", "mailto:", "#", "/")
KINDS = {
    "paragraph_open": "paragraph",
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "fence": "code",
    "code_block": "code",
    "blockquote_open": "quote",
    "table_open": "table",
}
BREAKS = {"list_item_open", "tr_open", "paragraph_open", "hardbreak"}


class Block(Struct, frozen=True):
    """One block of the top level."""

    kind: str
    text: str
    html: str


def parse_blocks(source: str) -> list[Block]:
    """The blocks of a text in order; rules between them are dropped."""
    dialect = _dialect()
    environment: MutableMapping[str, Any] = {}
    tokens = dialect.parse(source, environment)
    return [
        Block(KINDS[group[0].type], _plain(group), _html(dialect, group, environment))
        for group in _top_level(tokens)
        if group[0].type in KINDS
    ]


def _dialect() -> MarkdownIt:
    return _Dialect("commonmark", {"html": False}).enable("table").disable("image")


class _Dialect(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # the library's name
        """Relative, or to the web, or to a mailbox; never a script, never another host by `//`."""
        return url.lower().startswith(LINK_SCHEMES) and not url.startswith("//")


def _top_level(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    group: list[Token] = []
    depth = 0
    for token in tokens:
        group.append(token)
        depth += token.nesting
        if depth == 0:
            yield group
            group = []


def _html(dialect: MarkdownIt, group: list[Token], environment: MutableMapping[str, Any]) -> str:
    html: str = dialect.renderer.render(group, dialect.options, environment)
    return html.strip()


def _plain(group: Sequence[Token]) -> str:
    """The words alone: one line for each paragraph, item or row; cells keep their bars."""
    lines: list[str] = [""]
    for token in group:
        if token.type in BREAKS and lines[-1]:
            lines.append("")
        if token.type in {"fence", "code_block"}:
            lines[-1] += token.content.rstrip()
        if token.type == "inline":
            lines[-1] += _words(token.children or [])
        if token.type in {"th_close", "td_close"}:
            lines[-1] += " | "
    return "\n".join(line.rstrip("| ") for line in lines if line.strip("| "))


def _words(children: Sequence[Token]) -> str:
    return "".join(
        " " if child.type in {"softbreak", "hardbreak"} else child.content for child in children
    )
