"""The contract as the app serves it: documents, the pages to read them, and the error table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from app.http.error_table import error_table
from app.http.headers import POLICY
from app.http.json_schema import pretty
from app.http.pages import Page, load_folder
from app.kit.errors import NotFound

AnyRequest = Request[Any, Any, Any]
PREFIX = "/api/docs"
REST, REALTIME = f"{PREFIX}/index.html", f"{PREFIX}/realtime.html"
POLICIES = {
    REST: POLICY + "; style-src 'self' 'unsafe-inline'",
    REALTIME: POLICY + "; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-eval'",
}
"""Both viewers set style attributes; the AsyncAPI viewer compiles a schema when it is loaded."""


class Documents(Struct, frozen=True):
    """The finished files of the contract."""

    openapi: bytes
    asyncapi: bytes
    errors: bytes


def contract_routes(documents: Documents, pages: Path) -> list[HTTPRouteHandler]:
    """`/api/*.json`, `/api/docs`, `/api/docs/realtime`, and one address per error code."""
    errors = {row.code: row for row in error_table()}
    files = {
        "/api/openapi.json": documents.openapi,
        "/api/asyncapi.json": documents.asyncapi,
        "/api/errors.json": documents.errors,
    }

    @get(list(files), include_in_schema=False, sync_to_thread=False)
    def contract_file(request: AnyRequest) -> Response[bytes]:
        """One file of the contract."""
        return Response(files[request.scope["path"]], media_type=MediaType.JSON)

    @get("/errors/{code:str}", include_in_schema=False, sync_to_thread=False)
    def error_kind(code: FromPath[str]) -> Response[bytes]:
        """What an error's `type` points to."""
        if code not in errors:
            raise NotFound
        return Response(pretty(errors[code]), media_type=MediaType.JSON)

    return [contract_file, error_kind, *_viewer_routes(load_folder(pages, PREFIX))]


def _viewer_routes(files: Mapping[str, Page]) -> list[HTTPRouteHandler]:
    """The viewers, where they have been built."""
    if REST not in files:
        return []
    entrances = {PREFIX: REST, f"{PREFIX}/realtime": REALTIME}

    @get([*entrances, *files], include_in_schema=False, sync_to_thread=False)
    def viewer(request: AnyRequest) -> Response[bytes]:
        """A page or an asset of the viewers."""
        path = request.scope["path"]
        name = entrances.get(path, path)
        answer = files[name].response(request)
        if name in POLICIES:
            answer.headers["content-security-policy"] = POLICIES[name]
        return answer

    return [viewer]
