"""Conditional requests on row versions (RFC 9110, section 13): `"<version>"` is the strong ETag."""

from typing import Any

from litestar import Response
from litestar.openapi import ResponseSpec

from app.http.origins import header
from app.kit.errors import InvalidInput

IF_MATCH_REQUIRED = {428: ResponseSpec(None, description="`If-Match` is missing")}
"""Declares on a handler that its change must name the version it was made on."""


def etag(version: int) -> str:
    """The ETag of a row's version."""
    return f'"{version}"'


def if_match(scope: Any) -> int | None:
    """The version named by If-Match; None when absent or `*`. Raises InvalidInput otherwise."""
    raw = header(scope, b"if-match")
    if raw is None or raw.strip() == "*":
        return None
    text = raw.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004  # bigint's digits
        raise InvalidInput('If-Match takes the ETag that came with the answer, such as "3"')
    return int(text)


def conditional(scope: Any, body: Any, version: int) -> Response[Any]:
    """The body with its ETag, or 304 when If-None-Match already names it."""
    tag = etag(version)
    known = header(scope, b"if-none-match")
    if known is not None and tag in [part.strip().removeprefix("W/") for part in known.split(",")]:
        return Response(None, status_code=304, headers={"etag": tag})
    return Response(body, headers={"etag": tag})


def versioned(body: Any, version: int) -> Response[Any]:
    """The body with its ETag."""
    return Response(body, headers={"etag": etag(version)})


def created(body: Any, version: int, location: str, *, is_new: bool = True) -> Response[Any]:
    """The new thing with its address: 201, or 200 when it was there already."""
    headers = {"etag": etag(version), "location": location}
    return Response(body, status_code=201 if is_new else 200, headers=headers)
