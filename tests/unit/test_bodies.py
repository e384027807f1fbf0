"""Strict reading of JSON bodies."""

from typing import Annotated

import pytest
from msgspec import Meta, Struct

from app.http.bodies import decode
from app.kit.errors import AppError, InvalidInput, MalformedJson


class Inner(Struct, forbid_unknown_fields=True):
    """A part."""

    n: Annotated[int, Meta(ge=1)]


class Form(Struct, forbid_unknown_fields=True):
    """A body."""

    n: int
    inner: Inner | None = None
    many: list[int] = []


def refusal(body: bytes) -> AppError:
    with pytest.raises(AppError) as refused:
        decode(body, Form)
    return refused.value


def test_body_becomes_the_handlers_type() -> None:
    """No conversion is left to do."""
    assert decode(b'{"n": 1, "inner": {"n": 2}}', Form) == Form(1, Inner(2))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"n": "1"}', "n"),
        (b'{"n": true}', "n"),
        (b'{"n": 1.5}', "n"),
        (b'{"n": null}', "n"),
        (b"{}", "n"),
        (b'{"n": 1, "x": 2}', "x"),
        (b'{"n": 1, "inner": {"n": 0}}', "inner.n"),
        (b'{"n": 1, "inner": {}}', "inner.n"),
        (b'{"n": 1, "inner": {"n": 1, "y": 1}}', "inner.y"),
        (b'{"n": 1, "many": [1, "2"]}', "many[1]"),
        (b"[]", "body"),
        (b"null", "body"),
    ],
)
def test_wrong_value_names_its_field(body: bytes, field: str) -> None:
    """Wrong, missing and unknown fields are told by their path."""
    fault = refusal(body)
    assert isinstance(fault, InvalidInput)
    assert [error.field for error in fault.extra["errors"]] == [field]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"n": 1}}', b"\xff", b'{"\xff": 1}', b"NaN"],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    """However a body is broken, it is the client's fault."""
    assert isinstance(refusal(body), MalformedJson)


def test_endless_nesting_is_malformed() -> None:
    """A tower of brackets costs the sender more than us."""
    with pytest.raises(MalformedJson):
        decode(b"[" * 100_000, object)
