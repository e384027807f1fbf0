"""Keyset paging: a page of items and an opaque cursor to the next."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from app.kit.errors import FieldError, InvalidInput

T = TypeVar("T")

MAX_PAGE = 100
DEFAULT_PAGE = 20

PageLimit = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
CursorText = Annotated[str, Meta(min_length=1, max_length=1024)]


class Page(Struct, Generic[T], frozen=True):
    """A bounded list; `next` is the `cursor` of the following call, `null` at the end."""

    items: Sequence[T]
    next: str | None


def encode_cursor(values: Sequence[Any]) -> str:
    """The keyset of a page's last row as opaque URL-safe text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(values))).rstrip(b"=").decode()


def decode_cursor(text: str, *types: Any) -> tuple[Any, ...]:
    """The keyset behind a cursor, checked against `types` position by position.

    Raises InvalidInput for anything that `encode_cursor` did not make.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = msgspec.json.decode(raw, type=list[Any])
        if len(values) != len(types):
            raise ValueError("length")
        return tuple(msgspec.convert(v, t) for v, t in zip(values, types, strict=True))
    except (ValueError, binascii.Error, msgspec.ValidationError) as fault:
        wrong = FieldError("cursor", "take the cursor from the previous page's `next`")
        raise InvalidInput("The cursor is not one of ours", errors=[wrong]) from fault
