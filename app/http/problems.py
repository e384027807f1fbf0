"""Every failure as `application/problem+json` (RFC 9457), from the one table in `kit.errors`."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.types import ExceptionHandlersMap

from app.http.origins import SAFE_METHODS
from app.kit.errors import (
    AppError,
    BadRequest,
    FieldError,
    Internal,
    InvalidInput,
    MalformedJson,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)

PROBLEM_JSON = "application/problem+json"
BY_STATUS: Mapping[int, type[AppError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}

UNAUTHORIZED = 401
EVENTS: Mapping[int, str] = {
    400: "request.invalid",
    401: "request.denied",
    403: "request.denied",
    413: "request.invalid",
    415: "request.invalid",
    429: "request.limited",
}
"""What the log says of refusals that may be somebody's attempt."""

Fallback = Callable[[Request[Any, Any, Any]], Response[bytes] | None]
Translate = Callable[[Exception], AppError | None]
log = structlog.get_logger()


def problem_body(error: AppError, instance: str) -> dict[str, Any]:
    """The members of a problem document."""
    return {
        "type": f"/errors/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "instance": instance,
        **error.extra,
    }


def problem_headers(error: AppError) -> dict[str, str]:
    """What stands beside the document; a failure is never cached."""
    headers = {"cache-control": "no-store"}
    if "retry_after" in error.extra:
        headers["retry-after"] = str(error.extra["retry_after"])
    if "policy" in error.extra:
        headers |= _rate_headers(error.extra)
    if error.status == 401:  # noqa: PLR2004  # RFC 9110, 11.6.1: a 401 names the scheme
        headers["www-authenticate"] = "Bearer"
    return headers


def problem_response(error: AppError, instance: str) -> Response[bytes]:
    """The finished answer."""
    headers = problem_headers(error)
    body = msgspec.json.encode(problem_body(error, instance))
    return Response(body, status_code=error.status, media_type=PROBLEM_JSON, headers=headers)


def _rate_headers(extra: Mapping[str, Any]) -> dict[str, str]:
    """draft-ietf-httpapi-ratelimit-headers, version 10: what is left, and what the rule is."""
    name = f'"{extra["policy"]}"'
    return {
        "ratelimit": f"{name};r=0;t={extra['retry_after']}",
        "ratelimit-policy": f"{name};q={extra['limit']};w={extra['window']}",
    }


def handlers(fallback: Fallback, *translate: Translate) -> ExceptionHandlersMap:
    """The app's exception handlers.

    `fallback` may answer an unknown address with a page; `translate` turns a driver's failures into
    expected errors.
    """

    def answer(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
        if isinstance(fault, NotFoundException):
            page = fallback(request)
            if page is not None:
                return page
        return problem_response(_as_app_error(request, fault, translate), request.url.path)

    return {AppError: answer, HTTPException: answer, Exception: answer}


def _as_app_error(
    request: Request[Any, Any, Any], fault: Exception, translate: tuple[Translate, ...]
) -> AppError:
    expected = _expected(fault)
    if expected is not None:
        _tell_of_refusal(request, expected)
        return expected
    for attempt in translate:
        known = attempt(fault)
        if known is not None:
            log.warning(
                "request.refused", path=request.url.path, code=known.code, cause=repr(fault)
            )
            return known
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=fault)
    return Internal()


def _expected(fault: Exception) -> AppError | None:
    if isinstance(fault, AppError):
        return fault
    return _from_litestar(fault) if isinstance(fault, HTTPException) else None


def _tell_of_refusal(request: Request[Any, Any, Any], refusal: AppError) -> None:
    """For whoever watches the log (ASVS 5.0, 16.3): who was refused what, and never their words.

    A visitor who merely looks is no attempt.
    """
    event = EVENTS.get(refusal.status)
    principal = request.scope["state"].get("principal")
    if event is None or (refusal.status == UNAUTHORIZED and request.method in SAFE_METHODS):
        return
    log.info(
        event,
        method=request.method,
        path=request.url.path,
        code=refusal.code,
        address=request.client.host if request.client else "",
        user_id=principal.user_id if principal else None,
    )


def _from_litestar(fault: HTTPException) -> AppError | None:
    if isinstance(fault, ValidationException):
        named = _field_errors(fault.extra)
        return NotFound() if _names_nothing(fault.extra) else InvalidInput(errors=named)
    if isinstance(fault, SerializationException) or isinstance(
        fault.__cause__, msgspec.DecodeError | SerializationException
    ):
        return MalformedJson(str(fault.__cause__ or fault.detail))
    if isinstance(fault, MethodNotAllowedException | NotFoundException):
        return BY_STATUS[fault.status_code]()
    if fault.status_code in BY_STATUS:
        return BY_STATUS[fault.status_code](fault.detail)
    if isinstance(fault, ClientException):
        return BadRequest(fault.detail)
    return None


def _names_nothing(extra: Any) -> bool:
    """Whether the address itself is out of range: such an id cannot exist."""
    items = extra if isinstance(extra, list) else []
    return any(isinstance(item, dict) and item.get("source") == "path" for item in items)


def _field_errors(extra: Any) -> list[FieldError]:
    items = extra if isinstance(extra, list) else []
    return [
        FieldError(str(item.get("key") or "body"), str(item.get("message", "")))
        for item in items
        if isinstance(item, dict)
    ]
