"""Turns away an address that asks far too often, before anything is read, parsed or looked up."""

from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive, Send

from app.http.problems import PROBLEM_JSON, problem_body, problem_headers
from app.infra.ratelimit import LocalCounters, Rate, network_of, too_many
from app.kit.errors import AppError

REFUSE = {"http": "http.response", "websocket": "websocket.http.response"}


class AddressGuard:
    """Counts what comes from an address, in this process: a flood shall cost Redis nothing."""

    def __init__(self, name: str, limit_per_minute: int) -> None:
        self._rule = Rate(name, limit_per_minute, 60.0)
        self._counters = LocalCounters()

    def refusal(self, scope: Any) -> AppError | None:
        """Count one; the error when it is one too many."""
        host = scope["client"][0] if scope.get("client") else ""
        refused = self._counters.try_charge(((self._rule, network_of(host)),))
        return None if refused is None else too_many(refused)


def with_flood_guard(app: ASGIApp, limit_per_minute: int) -> ASGIApp:
    """Around the whole app."""
    guard = AddressGuard("requests-address", limit_per_minute)

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] not in REFUSE:
            await app(scope, receive, send)
            return
        error = guard.refusal(scope)
        if error is None:
            await app(scope, receive, send)
        else:
            await refuse(error, scope, send)

    return handle


async def refuse(error: AppError, scope: Any, send: Any) -> None:
    """Answer with a problem, before anything was accepted."""
    kind = REFUSE[scope["type"]]
    body = msgspec.json.encode(problem_body(error, scope["path"]))
    headers = {"content-type": PROBLEM_JSON, **problem_headers(error)}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": error.status, "headers": pairs})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})
