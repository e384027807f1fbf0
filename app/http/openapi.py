"""The OpenAPI 3.1 document, from the handlers and msgspec's own schemas, sorted and byte-stable.

Litestar's generator is not used: it loses the bounds of nested types and that strict structs refuse
unknown fields.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.http.error_table import Problem
from app.http.json_schema import Schemas, sort_keys
from app.http.operations import API_KEY, Handler, operation, refusal_components
from app.http.sessions import COOKIE_NAME

SECURITY: dict[str, dict[str, Any]] = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE_NAME,
        "description": "Browsers. Unsafe methods need an Origin of the application's own.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": 'Other clients: the token of a login with `"transport": "bearer"`.',
    },
}
FOR_KEYS: dict[str, dict[str, Any]] = {
    API_KEY: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sic_...",
        "description": "Programs: an API key of `POST /api/v1/auth/api-keys`, where an operation "
        "names its scope. The rights are those of the key's owner.",
    },
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeating a request under its key within a day answers the first answer again; "
    "where that held a secret, 409 `request-already-carried-out`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}
DESCRIPTION = """\
REST of a learning library whose every screen is alive. What moves while you look comes over the
[realtime side](/api/docs/realtime).

Every failure is `application/problem+json` (RFC 9457) with a stable `code`. Lists are
`{"items": [...], "next": cursor}`. `Idempotency-Key` and `If-Match` are optional and honoured;
decisions on reports require `If-Match`.
"""


def openapi_document(app: Litestar, version: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The document of an app; `tags` names and describes the rooms in the order of reading."""
    schemas = Schemas()
    schemas.of(Problem)
    security: list[Any] = [{name: []} for name in SECURITY]
    paths: dict[str, Any] = {}
    for handler in _handlers(app):
        verb = next(iter(handler.route.http_methods - {"HEAD", "OPTIONS"})).lower()
        paths.setdefault(handler.path, {})[verb] = operation(handler, schemas, security)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "sicerdas", "version": version, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": refusal_components(),
            "parameters": {"IdempotencyKey": IDEMPOTENCY_KEY},
            "securitySchemes": SECURITY | FOR_KEYS,
        },
    }
    finished: dict[str, Any] = sort_keys(document)
    return finished


def _handlers(app: Litestar) -> list[Handler]:
    """Every handler that belongs to the contract, sorted by address."""
    found = [
        Handler.of(handler, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if isinstance(handler, HTTPRouteHandler) and handler.resolve_include_in_schema()
    ]
    return sorted(found, key=lambda handler: (handler.path, str(handler.route.operation_id)))
