"""Liveness and readiness: alive means the loop runs, ready means everything behind it answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

Check = Callable[[], Awaitable[None]]
CHECK_TIMEOUT_S = 2.0


def health_routes(
    checks: Mapping[str, Check], *, required: frozenset[str]
) -> list[HTTPRouteHandler]:
    """`/health/live` and `/health/ready`; only a `required` part that is away makes it 503."""

    @get("/health/live", include_in_schema=False, sync_to_thread=False)
    def live() -> dict[str, str]:
        """Alive."""
        return {"status": "ok"}

    @get("/health/ready", include_in_schema=False)
    async def ready() -> Response[dict[str, object]]:
        """Ready, with the state of every part."""
        results = await asyncio.gather(*(_run(check) for check in checks.values()))
        parts = dict(zip(checks, results, strict=True))
        away = [name for name, state in parts.items() if state != "ok"]
        is_ready = not required.intersection(away)
        status = "ok" if not away else "degraded" if is_ready else "unavailable"
        body: dict[str, object] = {"status": status, "parts": parts}
        return Response(body, status_code=200 if is_ready else 503)

    return [live, ready]


async def _run(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as fault:  # noqa: BLE001  # the last resort of a probe: any failure is its answer
        return f"away: {type(fault).__name__}"
    return "ok"
