"""The contract as the app serves it: documents, the error table, and where to read them."""

from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from app.http.openapi import error_table
from app.kit.errors import NotFound


def pretty(document: Any) -> bytes:
    """JSON as it stands in `frontend-contract/`: two spaces, one newline at the end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def contract_routes(openapi: bytes, asyncapi: bytes) -> list[HTTPRouteHandler]:
    """`/api/openapi.json`, `/api/asyncapi.json`, and one address per error code."""
    errors = {row.code: row for row in error_table()}

    @get("/api/openapi.json", include_in_schema=False, sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        """The REST contract."""
        return Response(openapi, media_type=MediaType.JSON)

    @get("/api/asyncapi.json", include_in_schema=False, sync_to_thread=False)
    def asyncapi_json() -> Response[bytes]:
        """The realtime contract."""
        return Response(asyncapi, media_type=MediaType.JSON)

    @get("/errors/{code:str}", include_in_schema=False, sync_to_thread=False)
    def error_kind(code: FromPath[str]) -> Response[bytes]:
        """What an error's `type` points to."""
        if code not in errors:
            raise NotFound
        return Response(pretty(errors[code]), media_type=MediaType.JSON)

    return [openapi_json, asyncapi_json, error_kind]
