"""Turns away an address that asks far too often, before anything is read, parsed or looked up."""

from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive, Send

from app.http.problems import PROBLEM_JSON, problem_body, problem_headers
from app.infra.ratelimit import LocalCounters, Rate, network_of, too_many
from app.kit.errors import AppError

REFUSE = {"http": "http.response", "websocket": "websocket.http.response"}


def with_flood_guard(app: ASGIApp, limit_per_minute: int) -> ASGIApp:
    """Around the whole app. Counted by this process alone: a flood shall cost Redis nothing."""
    rule = Rate("requests-address", limit_per_minute, 60.0)
    counters = LocalCounters()

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] not in REFUSE:
            await app(scope, receive, send)
            return
        host = scope["client"][0] if scope.get("client") else ""
        refused = counters.try_charge(((rule, network_of(host)),))
        if refused is None:
            await app(scope, receive, send)
        else:
            await _refuse(too_many(refused), scope, send)

    return handle


async def _refuse(error: AppError, scope: Any, send: Any) -> None:
    kind = REFUSE[scope["type"]]
    body = msgspec.json.encode(problem_body(error, scope["path"]))
    headers = {"content-type": PROBLEM_JSON, **problem_headers(error)}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": error.status, "headers": pairs})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})
