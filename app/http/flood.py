"""Turns away an address that asks far too often, before anything is read, parsed or looked up."""

from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive, Send

from app.http.problems import PROBLEM_JSON, problem_body, problem_headers
from app.infra.ratelimit import LocalCounters, Rate, network_of, too_many
from app.kit.errors import AppError

REFUSE = {"http": "http.response", "websocket": "websocket.http.response"}


class FloodGuard:
    """Counted by this process alone: a flood shall cost Redis nothing."""

    def __init__(self, limit_per_minute: int, name: str = "requests-address") -> None:
        self._rule = Rate(name, limit_per_minute, 60.0)
        self._counters = LocalCounters()

    def admits(self, scope: Any) -> bool:
        """Count one request; False, and not counted, when there were too many."""
        return self.refusal(scope) is None

    def around(self, app: ASGIApp) -> ASGIApp:
        """Put it around the whole app."""

        async def handle(scope: Any, receive: Receive, send: Send) -> None:
            error = self.refusal(scope) if scope["type"] in REFUSE else None
            if error is None:
                await app(scope, receive, send)
            else:
                await refuse(error, scope, send)

        return handle

    def refusal(self, scope: Any) -> AppError | None:
        """Count one request; the error when there were too many."""
        host = scope["client"][0] if scope.get("client") else ""
        refused = self._counters.try_charge(((self._rule, network_of(host)),))
        return None if refused is None else too_many(refused)


async def refuse(error: AppError, scope: Any, send: Any) -> None:
    """Answer with a problem, before anything was accepted."""
    kind = REFUSE[scope["type"]]
    body = msgspec.json.encode(problem_body(error, scope["path"]))
    headers = {"content-type": PROBLEM_JSON, **problem_headers(error)}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": error.status, "headers": pairs})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})
