"""The error table: every stable code with its rendering over HTTP and on the socket."""

from typing import Any

from msgspec import Struct

from app.kit.errors import FieldError, error_classes
from realtime import DISCONNECTS, ERRORS, UNSUBSCRIBES


class Problem(Struct, frozen=True):
    """RFC 9457. `code` never changes; `detail` is written for people; other members may follow."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[FieldError] = []


class ErrorKind(Struct, frozen=True):
    """One row of the error table; `temporary`: the same request may succeed later."""

    code: str
    status: int
    socket_code: int
    temporary: bool
    title: str
    description: str


def error_table() -> list[ErrorKind]:
    """Every stable error code, sorted."""
    rows = {
        kind.code: ErrorKind(
            code=kind.code,
            status=kind.status,
            socket_code=kind().socket_code,
            temporary=kind().is_temporary,
            title=kind.title,
            description=" ".join((kind.__doc__ or "").split()),
        )
        for kind in error_classes()
    }
    return [rows[code] for code in sorted(rows)]


def errors_document() -> dict[str, Any]:
    """Everything that can go wrong, as numbers and stable words."""
    return {
        "errors": error_table(),
        "realtime": {
            "errors": [row._asdict() for row in ERRORS],
            "disconnects": [{**end._asdict(), "reconnect": end.reconnect} for end in DISCONNECTS],
            "unsubscribes": [
                {**end._asdict(), "resubscribe": end.resubscribe} for end in UNSUBSCRIBES
            ],
        },
    }
