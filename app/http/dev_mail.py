"""`/dev/mail`: the mails of `make run`, to read and click. These addresses exist in `dev` only."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from html import escape
from typing import Any, Protocol

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.http.params import PathWord
from app.kit.errors import NotFound

REFRESH_S = 3
PLAIN, STYLE = "text/html; charset=utf-8", "text/css; charset=utf-8"
SHEET = """\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
ul { list-style: none; padding: 0; }
li { border-bottom: 1px solid color-mix(in srgb, currentcolor 20%, transparent); padding: .6rem 0; }
li span, header p { opacity: .75; }
li a { font-weight: 600; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; }
"""


class Mail(Protocol):
    """A mail as this page shows it."""

    @property
    def id(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def sent_at(self) -> datetime: ...
    @property
    def text(self) -> str: ...
    @property
    def links(self) -> Sequence[str]: ...


Newest = Callable[[], Awaitable[Sequence[Mail]]]


def dev_mail_routes(newest: Newest) -> list[HTTPRouteHandler]:
    """The list, one mail, and the same for programs."""

    @get("/dev/mail", include_in_schema=False)
    async def mail_list() -> Response[str]:
        """All mails; the page looks again by itself."""
        rows = [
            f'<li><a href="/dev/mail/{mail.id}">{escape(mail.subject)}</a><br>'
            f"<span>{escape(mail.to)}, {mail.sent_at:%Y-%m-%d %H:%M:%S}</span></li>"
            for mail in await newest()
        ]
        body = f"<ul>{''.join(rows)}</ul>" if rows else "<p>No mail yet.</p>"
        head = f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        return _page("Mail", body, head)

    @get("/dev/mail.json", include_in_schema=False)
    async def mail_json() -> Response[list[Mail]]:
        """All mails, the newest first."""
        return Response(list(await newest()), headers={"cache-control": "no-store"})

    @get("/dev/mail.css", include_in_schema=False, sync_to_thread=False)
    def mail_sheet() -> Response[str]:
        """The pages' style."""
        return Response(SHEET, media_type=STYLE)

    @get("/dev/mail/{mail_id:str}", include_in_schema=False)
    async def one_mail(mail_id: PathWord) -> Response[str]:
        """One mail as text, with links to click."""
        mail = next((mail for mail in await newest() if mail.id == mail_id), None)
        if mail is None:
            raise NotFound
        body = (
            f"<header><p>{escape(mail.to)}</p></header><pre>{_linked(mail)}</pre>"
            '<p><a href="/dev/mail">All mails</a></p>'
        )
        return _page(mail.subject, body)

    return [mail_list, mail_json, mail_sheet, one_mail]


def _linked(mail: Mail) -> str:
    """The text with its links, which stand in the order in which they come."""
    parts, rest = [], mail.text
    for link in mail.links:
        before, _, rest = rest.partition(link)
        parts.append(f'{escape(before)}<a href="{escape(link)}">{escape(link)}</a>')
    return "".join([*parts, escape(rest)])


def _page(title: str, body: str, head: str = "") -> Response[Any]:
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">{head}'
        '<link rel="stylesheet" href="/dev/mail.css"></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    return Response(page, media_type=PLAIN, headers={"cache-control": "no-store"})
