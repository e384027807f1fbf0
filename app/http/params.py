"""Path and query parameters with their bounds.

Litestar's `FromQuery` and `FromPath` drop the constraints of a msgspec `Meta`; only what stands in
`QueryParameter` and `PathParameter` itself is checked. So every bounded parameter is declared here.
"""

import re
from datetime import datetime
from typing import Annotated, Any, get_args

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import PathParameter, QueryParameter
from msgspec import Meta

from app.kit.errors import FieldError, InvalidInput
from app.kit.ids import INT4_MAX
from app.kit.paging import MAX_PAGE
from app.kit.text import NO_NUL

PathId = Annotated[int, PathParameter(ge=1, le=INT4_MAX)]
"""The id in an address. One outside the range is answered as not found: it cannot exist."""

PathWord = Annotated[str, PathParameter(min_length=1, max_length=100, pattern=NO_NUL)]
"""An opaque id in an address."""

OptionalId = Annotated[int | None, QueryParameter(ge=1, le=INT4_MAX)]
OptionalText = Annotated[str | None, QueryParameter(max_length=200, pattern=NO_NUL)]
OptionalWord = Annotated[str | None, QueryParameter(min_length=1, max_length=100, pattern=NO_NUL)]
OptionalYear = Annotated[int | None, QueryParameter(ge=-10_000, le=10_000)]
OptionalMoment = Annotated[datetime | None, QueryParameter(), Meta(tz=True)]
OptionalCursor = Annotated[str | None, QueryParameter(min_length=1, max_length=1024)]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]
BEGINS_WITH_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""As every moment of RFC 3339 does, section 5.6."""


def no_guessing(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """An app-wide guard: `?role=null` is refused, where a lenient reader sees no filter at all, and
    `?until=0.5`, where it sees half a second past 1970; and so is a list's filter that there is
    not, for `?rolle=admin` would show everybody.

    In free text `null` is a word like any other. Raises InvalidInput.
    """
    parameters = handler.parsed_fn_signature.parameters
    is_list = "limit" in parameters
    for name, value in connection.query_params.multi_items():
        if name not in parameters:
            if is_list:
                raise InvalidInput(errors=[FieldError(name, "no parameter of this list")])
            continue
        kinds = (parameters[name].annotation, *get_args(parameters[name].annotation))
        if value.lower() == "null" and str not in kinds:
            raise InvalidInput(errors=[FieldError(name, "leave it out instead of `null`")])
        if datetime in kinds and not BEGINS_WITH_DATE.match(value):
            raise InvalidInput(errors=[FieldError(name, "a moment such as 2026-11-22T10:00:00Z")])
