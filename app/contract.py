"""The contract of one app: what its rooms say of themselves, as OpenAPI, AsyncAPI and errors."""

from litestar import Litestar
from msgspec.structs import replace

from app import __version__
from app.accounts import topics as accounts_topics
from app.chat import topics as chat_topics
from app.http.asyncapi import asyncapi_document
from app.http.docs import Documents
from app.http.error_table import errors_document
from app.http.json_schema import pretty
from app.http.openapi import openapi_document
from app.interactions import topics as interactions_topics
from app.reports import topics as reports_topics

TAGS = {
    "catalog": "Books, categories and groups; open to everybody for reading.",
    "media": "Covers.",
    "interactions": "Views, downloads and likes.",
    "chat": "The tutor: conversations, answers that grow token by token, and their sources.",
    "reports": "Reports and the moderators' decisions on them.",
    "accounts": "Sign-up, sessions, profiles; people and roles for admins.",
    "audit": "Who did what, in a chain that shows any change; for admins.",
}
CHANNEL_DOCS = [
    replace(
        accounts_topics.USER_DOC, events=accounts_topics.OWN_EVENTS | reports_topics.OWN_EVENTS
    ),
    *interactions_topics.CHANNEL_DOCS,
    *reports_topics.CHANNEL_DOCS,
    *chat_topics.CHANNEL_DOCS,
]
RPC_DOCS = [*chat_topics.RPC_DOCS]


def documents(app: Litestar) -> Documents:
    """The three files of the contract, as they stand in `frontend-contract/`."""
    return Documents(
        openapi=pretty(openapi_document(app, __version__, TAGS)),
        asyncapi=pretty(asyncapi_document(__version__, CHANNEL_DOCS, RPC_DOCS)),
        errors=pretty(errors_document()),
    )
