"""Path and query parameters with their bounds.

Litestar's `FromQuery` and `FromPath` drop the constraints of a msgspec `Meta`; only what stands in
`QueryParameter` and `PathParameter` itself is checked. So every bounded parameter is declared here.
"""

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


def no_null(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """An app-wide guard: `?role=null` is refused, where a lenient reader sees no filter at all.

    In free text it is a word like any other. Raises InvalidInput.
    """
    parameters = handler.parsed_fn_signature.parameters
    for name, value in connection.query_params.multi_items():
        if name in parameters and value.lower() == "null":
            kind = parameters[name].annotation
            if str not in (kind, *get_args(kind)):
                raise InvalidInput(errors=[FieldError(name, "leave it out instead of `null`")])
