"""One OpenAPI operation from one handler: its signature, its docstring and what it calls.

A handler that calls `if_match` takes the header of that name, one that calls `conditional` may
answer 304 (see `app.http.etag`): read from the code, so that the document cannot say otherwise.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from litestar import Response
from litestar.datastructures import UploadFile
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import BodyKwarg, KwargDefinition, PathParameter, QueryParameter
from msgspec import Meta

from app.http.json_schema import Schemas
from app.http.problems import PROBLEM_JSON
from app.http.reach import SCOPE

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
SUMMARY_MAX = 120
REFUSED = 400
API_KEY = "api_key"
"""The security scheme; what an operation lists under it are scopes (OpenAPI 3.1, 4.8.30)."""
PHRASES = {200: "Done", 201: "Made", 202: "Accepted; it goes on", 204: "Done; nothing to say"}
REFUSALS = {
    "400": ("BadInput", "The input is malformed or not valid; `errors` names the parts"),
    "401": ("SignInFirst", "Nobody is signed in, or the session has ended"),
    "404": ("Absent", "Absent, or hidden from this person"),
    "412": ("Stale", "It has changed since the version that `If-Match` names"),
    "428": ("VersionMissing", "`If-Match` is missing"),
    "4XX": ("Refused", "Refused; `code` says why"),
    "5XX": (
        "Failed",
        "Failed on our side, or a part is away; `temporary` in errors.json says which",
    ),
}
IF_MATCH = "The version this change is made on; 412 when it is older"
IF_NONE_MATCH = "The ETag that the client has; 304 when it is current"
VERSION = {"type": "string", "pattern": r'^(W/)?"?[0-9]{1,18}"?$', "examples": ['"3"']}
NO_VERSION = 428
ETAG = {"description": 'The version, for `If-Match`: `"3"`', "schema": {"type": "string"}}
LOCATION = {"description": "Address of the new thing", "schema": {"type": "string"}}


@dataclass(frozen=True)
class Handler:
    """A handler as the document needs it."""

    route: HTTPRouteHandler
    path: str
    hints: dict[str, Any]
    calls: frozenset[str]

    @classmethod
    def of(cls, route: HTTPRouteHandler, path: str) -> "Handler":
        """Read one handler."""
        function: Any = route.fn
        hints = get_type_hints(function, include_extras=True)
        return cls(route, path, hints, frozenset(function.__code__.co_names))

    @property
    def needs_sign_in(self) -> bool:
        """The same rule as `app.http.sessions.signed_in`."""
        return "principal" in self.hints

    @property
    def is_safe(self) -> bool:
        """A read."""
        return "GET" in self.route.http_methods

    @property
    def tag(self) -> str:
        """The room that answers."""
        return str(self.route.fn.__module__).split(".")[1]


def operation(handler: Handler, schemas: Schemas, security: list[Any]) -> dict[str, Any]:
    """The operation object."""
    text = " ".join((handler.route.fn.__doc__ or "").split())
    described: dict[str, Any] = {
        "operationId": handler.route.operation_id,
        "summary": handler.route.summary or _first_sentence(text),
        "description": text,
        "tags": [handler.tag],
        "parameters": list(_parameters(handler, schemas)),
        "responses": {**_successes(handler, schemas), **_refusals(handler)},
    }
    if "data" in handler.hints:
        described["requestBody"] = _body(handler.hints["data"], schemas)
    scope = handler.route.opt.get(SCOPE)
    accepted = security if scope is None else [*security, {API_KEY: [scope.value]}]
    if handler.needs_sign_in:
        described["security"] = accepted
    elif "viewer" in handler.hints:
        described["security"] = [{}, *accepted]
    return described


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;]) ", text, maxsplit=1)[0].rstrip(".;")[:SUMMARY_MAX]


def _parameters(handler: Handler, schemas: Schemas) -> Iterator[dict[str, Any]]:
    defaults = handler.route.parsed_fn_signature.parameters
    for name, hint in handler.hints.items():
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, PathParameter):
                schema = schemas.of(_bounded(hint, mark))
                if schema["type"] == "integer":
                    schema["examples"] = [1]
                yield {"name": name, "in": "path", "required": True, "schema": schema}
            elif isinstance(mark, QueryParameter):
                schema = schemas.of(_bounded(hint, mark))
                default = defaults[name].default
                if isinstance(default, int | str):
                    schema["default"] = default
                yield {"name": name, "in": "query", "required": False, "schema": schema}
    yield from _header_parameters(handler)


def _header_parameters(handler: Handler) -> Iterator[dict[str, Any]]:
    if "if_match" in handler.calls:
        yield _header(
            "If-Match", IF_MATCH, VERSION, required=NO_VERSION in (handler.route.responses or {})
        )
    if "conditional" in handler.calls:
        yield _header("If-None-Match", IF_NONE_MATCH, {"type": "string", "examples": ['"3"']})
    if not handler.is_safe:
        yield {"$ref": "#/components/parameters/IdempotencyKey"}


def _header(
    name: str, description: str, schema: dict[str, Any], *, required: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
    }


def _bounded(hint: Any, mark: KwargDefinition) -> Any:
    """The parameter's type with its bounds; null cannot be said in an address."""
    inner, *marks = get_args(hint)
    metas = [meta for meta in marks if isinstance(meta, Meta)]
    members = [kind for kind in get_args(inner) if kind is not type(None)]
    if get_origin(inner) in {Union, UnionType} and len(members) == 1:
        inner = members[0]
    names = ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
    bounds = {name: getattr(mark, name) for name in names if getattr(mark, name) is not None}
    if bounds:
        metas.append(Meta(**bounds))
    for meta in metas:
        inner = Annotated[inner, meta]
    return inner


def _body(hint: Any, schemas: Schemas) -> dict[str, Any]:
    kind, *marks = get_args(hint)
    media_type = next(mark.media_type for mark in marks if isinstance(mark, BodyKwarg))
    if kind is UploadFile:
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {"file": file},
            "required": ["file"],
            "additionalProperties": False,
        }
    else:
        schema = schemas.of(kind)
    return {
        "required": True,
        "content": {str(getattr(media_type, "value", media_type)): {"schema": schema}},
    }


def _successes(handler: Handler, schemas: Schemas) -> dict[str, Any]:
    route = handler.route
    kind = _answered(handler.hints["return"])
    default = route.status_code or 200
    answers: dict[int, dict[str, Any]] = {default: {"description": PHRASES[default]}}
    media_type = str(getattr(route.media_type, "value", route.media_type) or MediaType.JSON.value)
    if kind is not type(None):
        answers[default]["content"] = {media_type: {"schema": _content(kind, media_type, schemas)}}
    for status, spec in (route.responses or {}).items():
        if status < REFUSED:
            _add(answers, status, spec, schemas)
    headers = _headers(handler)
    for answer in answers.values() if headers else ():
        answer["headers"] = headers
    if "conditional" in handler.calls:
        answers[304] = {"description": "`If-None-Match` names the current version"}
    return {str(status): answer for status, answer in answers.items()}


def _answered(kind: Any) -> Any:
    """The body that the first success carries; others are declared beside it."""
    if get_origin(kind) in {Union, UnionType} and get_origin(get_args(kind)[0]) is Response:
        kind = get_args(kind)[0]
    return get_args(kind)[0] if get_origin(kind) is Response else kind


def _add(
    answers: dict[int, dict[str, Any]], status: int, spec: ResponseSpec, schemas: Schemas
) -> None:
    """Merge what the handler declares beside its return type: a status, or another media type."""
    answer = answers.setdefault(status, {"description": spec.description})
    if spec.data_container is None:
        return
    media_type = str(getattr(spec.media_type, "value", spec.media_type))
    content = answer.setdefault("content", {})
    content[media_type] = {"schema": _content(spec.data_container, media_type, schemas)}


def _content(kind: Any, media_type: str, schemas: Schemas) -> dict[str, Any]:
    if media_type == EVENT_STREAM:
        return _stream({} if kind is bytes else schemas.of(kind))
    if kind is bytes:
        return {"type": "string", "contentMediaType": media_type}
    return schemas.of(kind)


def _stream(data: dict[str, Any]) -> dict[str, Any]:
    """One event of a stream, as OpenAPI 3.2 says it with `itemSchema`; 3.1 has no word for it."""
    text = {"type": "string", "contentMediaType": JSON, "contentSchema": data}
    return {
        "description": "One event; `id` goes back as `Last-Event-ID` to continue from there.",
        "type": "object",
        "properties": {"id": {"type": "string"}, "data": text},
        "required": ["data"],
    }


def _headers(handler: Handler) -> dict[str, Any]:
    headers = {}
    if handler.calls & {"conditional", "versioned", "created"}:
        headers["ETag"] = ETAG
    if "created" in handler.calls:
        headers["Location"] = LOCATION
    return headers


def refusal_components() -> dict[str, Any]:
    """The responses that all operations share: one form of error, whatever the status."""
    body = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {name: {"description": text, "content": body} for name, text in REFUSALS.values()}


def _refusals(handler: Handler) -> dict[str, Any]:
    possible = {
        "400": "data" in handler.hints or any(_marks(handler)),
        "401": handler.needs_sign_in,
        "404": "{" in handler.path,
        "412": "if_match" in handler.calls,
        "428": NO_VERSION in (handler.route.responses or {}),
        "4XX": True,
        "5XX": True,
    }
    return {
        status: {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
        for status, may_come in possible.items()
        if may_come
    }


def _marks(handler: Handler) -> Iterator[KwargDefinition]:
    for hint in handler.hints.values():
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, PathParameter | QueryParameter):
                yield mark
