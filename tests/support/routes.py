"""The app's own table of addresses: what tests walk that must not forget a route."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from app.main import create_app
from app.settings import Settings

FILES = ("app.http.pages", "app.http.docs")
"""Rooms that serve built files: public, and read only."""


@dataclass(frozen=True)
class Address:
    """One method of one address; `path` has `{name}` where a part varies."""

    name: str
    method: str
    path: str
    handler: Any

    @property
    def is_file(self) -> bool:
        """A file of the build."""
        return self.handler.fn.__module__ in FILES and "{" not in self.path

    @property
    def changes_something(self) -> bool:
        """An unsafe method (RFC 9110, 9.2.1)."""
        return self.method not in {"GET", "HEAD", "OPTIONS", "ANY"}


def addresses(app: Litestar) -> Iterator[Address]:
    """Every route of the app; `ANY` where the handler chooses among methods itself."""
    for route in app.routes:
        handlers = getattr(route, "route_handlers", None) or (route.route_handler,)
        for handler in handlers:
            is_http = isinstance(handler, HTTPRouteHandler)
            methods = handler.http_methods - {"OPTIONS"} if is_http else {"ANY"}
            for method in methods:
                own_name = handler.operation_id if is_http else None
                name = own_name or f"{method} {route.path_format}"
                yield Address(name, method, route.path_format, handler)


def all_addresses(settings: Settings) -> list[Address]:
    """Those of an app that is never started."""
    return sorted(addresses(create_app(settings)), key=lambda one: (one.path, one.method))
