"""`/metrics` for Prometheus. Each metric answers the question that stands beside it.

One registry per app: with several workers every process answers for itself, so scrape each.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Message, Receive, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from app.infra.db import AWAY
from app.kit.errors import AppError

LOOK_TIMEOUT_S = 2.0
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
UNKNOWN = "unmatched"
"""All addresses that no route answers: their names are the caller's, so they make no label."""


class Metrics:
    """What one process counts."""

    def __init__(
        self,
        gauges: Mapping[str, tuple[str, Callable[[], float]]],
        look: Callable[[], Awaitable[None]],
    ) -> None:
        """`look` renews what the gauges read and may fail: then they show what was seen last."""
        self.registry = CollectorRegistry()
        self._look = look
        labels = ("method", "route", "status")
        # How busy is which address, and does it fail?
        self.requests = Counter(
            "http_requests", "Answered requests", labels, registry=self.registry
        )
        # How long do people wait for it? Streams count until their end.
        self.seconds = Histogram(
            "http_request_seconds",
            "Time to the end of the answer",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        for name, (question, read) in gauges.items():
            Gauge(name, question, registry=self.registry).set_function(read)

    def route(self) -> HTTPRouteHandler:
        """The address that Prometheus reads."""

        @get("/metrics", include_in_schema=False)
        async def metrics() -> Response[bytes]:
            """Everything this process counts."""
            with contextlib.suppress(AppError, *AWAY):
                async with asyncio.timeout(LOOK_TIMEOUT_S):
                    await self._look()
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

        return metrics

    def around(self, app: ASGIApp) -> ASGIApp:
        """Count every answer by its route template, never by the address with its ids."""

        async def handle(scope: Any, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = 500
            started = time.perf_counter()

            async def observing_send(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, observing_send)
            finally:
                method, route = scope["method"], scope.get("path_template") or UNKNOWN
                self.requests.labels(method, route, status).inc()
                self.seconds.labels(method, route).observe(time.perf_counter() - started)

        return handle
