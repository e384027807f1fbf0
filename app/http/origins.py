"""Which pages may use a person's cookie: exact origins, never suffixes (ASVS 5.0, 3.5, 4.4.2)."""

from collections.abc import Collection
from typing import Any

from app.kit.errors import ForeignOrigin, UnsupportedMediaType

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_KINDS = ("application/json", "multipart/form-data")
"""Bodies that a foreign HTML form cannot send without a preflight, and our own upload form."""


CALLED_ADDRESS = "the called address"
"""Stands in a list for the address under which we were called; no browser sends such an Origin."""


def header(scope: Any, name: bytes) -> str | None:
    """One header's text; a header that comes twice is joined, so that no half of it is trusted."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(values) if values else None


def own_origins(scope: Any, configured: Collection[str]) -> Collection[str]:
    """The configured origins; with none configured, the address under which we were called."""
    if configured and CALLED_ADDRESS not in configured:
        return configured
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    called = f"{scheme}://{header(scope, b'host')}"
    return (called, *(origin for origin in configured if origin != CALLED_ADDRESS))


def own_origin(scope: Any, configured: Collection[str]) -> str:
    """The one of our origins that the request came to; a page's own when it says so."""
    ours = own_origins(scope, configured)
    said = header(scope, b"origin")
    return said if said is not None and said in ours else next(iter(ours))


def check_origin(scope: Any, configured: Collection[str], *, has_cookie: bool) -> None:
    """Refuse an unsafe request that another site made with this person's browser.

    `Origin` decides; where a browser sends none, `Sec-Fetch-Site` does; a request with neither is
    no browser's and may pass only without a session cookie. Raises ForeignOrigin.
    """
    if scope["method"] in SAFE_METHODS:
        return
    origin = header(scope, b"origin")
    if origin is not None:
        allowed = origin in own_origins(scope, configured)
    else:
        site = header(scope, b"sec-fetch-site")
        allowed = not has_cookie if site is None else site == "same-origin"
    if not allowed:
        raise ForeignOrigin("Send this from the application's own pages, or use a bearer token")


def check_body_kind(scope: Any) -> None:
    """A cookie request's body must be JSON or an upload form. Raises UnsupportedMediaType."""
    has_body = (
        header(scope, b"content-length") not in {None, "0"}
        or header(scope, b"transfer-encoding") is not None
    )
    if scope["method"] in SAFE_METHODS or not has_body:
        return
    kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if kind not in BODY_KINDS:
        raise UnsupportedMediaType("Send application/json")
