"""The OpenAPI 3.1 document: Litestar's, plus our one form of error, sorted and byte-stable."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from litestar import Litestar
from msgspec import Struct

from app.http.problems import PROBLEM_JSON
from app.kit.errors import FieldError, error_classes

PROBLEM = "Problem"
SECURITY = {
    "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-sicerdas"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
VERBS = ("get", "put", "post", "delete", "patch")


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
    """One row of the error table."""

    code: str
    status: int
    socket_code: int
    title: str
    description: str


def error_table() -> list[ErrorKind]:
    """Every stable error code with its two renderings, sorted."""
    rows = {
        kind.code: ErrorKind(
            kind.code, kind.status, kind().socket_code, kind.title, (kind.__doc__ or "").strip()
        )
        for kind in error_classes()
    }
    return [rows[code] for code in sorted(rows)]


def openapi_document(app: Litestar) -> dict[str, Any]:
    """The finished document of an app."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    schemas: dict[str, Any] = document["components"].setdefault("schemas", {})
    _, problem = msgspec.json.schema_components(
        [Problem], ref_template="#/components/schemas/{name}"
    )
    schemas.update(problem)
    document["components"]["securitySchemes"] = SECURITY
    _close_strict_structs(schemas)
    signed_in = _operations_for_signed_in(app)
    for operation in _operations(document):
        _document_errors(operation)
        if operation["operationId"] in signed_in:
            operation["security"] = [{name: []} for name in SECURITY]
    finished: dict[str, Any] = sort_keys(document)
    return finished


def sort_keys(value: Any) -> Any:
    """The same document with every object's keys in order; lists keep theirs."""
    if isinstance(value, Mapping):
        return {str(key): sort_keys(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [sort_keys(item) for item in value]
    return value


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for verb in VERBS:
            if verb in path:
                yield path[verb]


def _operations_for_signed_in(app: Litestar) -> set[str]:
    return {
        str(handler.operation_id)
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if "principal" in handler.parsed_fn_signature.parameters
    }


def _document_errors(operation: dict[str, Any]) -> None:
    """Litestar describes its own error bodies; ours have one form."""
    responses = operation["responses"]
    for status in [status for status in responses if re.fullmatch(r"[45]\d\d", status)]:
        del responses[status]
    body = {PROBLEM_JSON: {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}}
    responses["4XX"] = {"description": "Refused; `code` says why", "content": body}
    responses["5XX"] = {"description": "Failed on our side, or a part is away", "content": body}


def _close_strict_structs(schemas: dict[str, Any]) -> None:
    """Litestar leaves out that strict structs refuse unknown fields."""
    strict = {kind.__name__ for kind in _strict_structs(Struct)}
    for name, schema in schemas.items():
        if name in strict and schema.get("type") == "object":
            schema["additionalProperties"] = False


def _strict_structs(base: type[Struct]) -> Iterator[type[Struct]]:
    for kind in base.__subclasses__():
        if kind.__struct_config__.forbid_unknown_fields:
            yield kind
        yield from _strict_structs(kind)
