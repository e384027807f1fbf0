"""The composition root of the API: settings in, one Litestar app out."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from app.accounts import routes as accounts_routes
from app.audit import routes as audit_routes
from app.catalog import routes as catalog_routes
from app.chat import routes as chat_routes
from app.contract import documents
from app.house import House
from app.http.bodies import StrictRequest, no_upload
from app.http.cors import with_cors
from app.http.dev_mail import dev_mail_routes
from app.http.docs import contract_routes
from app.http.door import SocketDoor
from app.http.flood import FloodGuard
from app.http.headers import with_head, with_headers
from app.http.health import Check, health_routes
from app.http.idempotency import IdempotencyMiddleware
from app.http.known_sessions import KnownSessions
from app.http.listening import listening_route
from app.http.metrics import Metrics
from app.http.origins import CALLED_ADDRESS
from app.http.pages import Pages
from app.http.params import no_guessing
from app.http.problems import handlers
from app.http.reach import within_reach
from app.http.sessions import (
    Doors,
    SessionMiddleware,
    provide_principal,
    provide_viewer,
    signed_in,
)
from app.http.sockets import DOOR, socket_route
from app.http.standing import Standing
from app.http.streams import Gate, stream_routes
from app.infra.db import translate
from app.infra.logs import adopt_library_logs
from app.infra.mail import DevOutbox
from app.interactions import routes as interactions_routes
from app.media import routes as media_routes
from app.reports import routes as reports_routes
from app.settings import Settings

FEATURES = [
    accounts_routes,
    audit_routes,
    catalog_routes,
    interactions_routes,
    reports_routes,
    chat_routes,
]
REQUIRED_PARTS = frozenset({"database", "process"})
"""Without these no request succeeds; without the others the app serves what it still can."""


def from_env() -> Litestar:
    """The app of `python -m app serve`: everything from the environment."""
    settings = Settings.from_env()
    adopt_library_logs(settings.log_format)
    return create_app(settings)


def create_app(settings: Settings) -> Litestar:
    """One app with its own house; nothing is opened before the lifespan starts."""
    house = House(settings)
    pages = Pages(settings.frontend_dist)
    metrics = Metrics(_gauges(house), house.jobs.look)
    flood = FloodGuard(settings.requests_per_address_per_minute)
    origins = (*(settings.public_origins or (CALLED_ADDRESS,)), *settings.cors_origins)
    known = KnownSessions(house.node, house.identity_of_session_token)
    gate = Gate(
        house.node,
        known.authenticate,
        origins,
        emulated_per_minute=settings.emulated_frames_per_address_per_minute,
    )
    door = SocketDoor(
        house.node, known.authenticate, origins, recall=known.recall, admits=flood.admits
    )

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with house.running():
            yield

    app = Litestar(
        route_handlers=[
            Router("/api/v1", route_handlers=_feature_routes()),
            *media_routes.root_routes,
            socket_route(door),
            *stream_routes(gate),
            listening_route(gate),
            *health_routes(_checks(house), required=REQUIRED_PARTS),
            metrics.route(),
            *_dev_routes(settings),
            *pages.routes(),
        ],
        dependencies=_dependencies(house),
        guards=[signed_in, within_reach, no_guessing],
        middleware=[
            SessionMiddleware(
                Doors(
                    by_token=house.sessions.principal_by_token,
                    by_key=house.api_keys.principal_by_key,
                    replaced=house.sessions.replace,
                ),
                origins,
            ),
            IdempotencyMiddleware(house.idempotency, max_body_bytes=settings.max_body_bytes),
        ],
        exception_handlers=handlers(pages.fallback, translate, no_upload),
        lifespan=[lifespan],
        state=State({"house": house, "drain": house.node.drain, DOOR: door}),
        request_class=StrictRequest,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=None,
        logging_config=None,
    )
    for handler in contract_routes(documents(app), settings.contract_dir / "docs" / "dist"):
        app.register(handler)
    guarded = flood.around(with_head(app.asgi_handler))
    app.asgi_handler = metrics.around(with_headers(with_cors(guarded, settings.cors_origins)))
    return app


def _feature_routes() -> list[ControllerRouterHandler]:
    return [route for feature in FEATURES for route in feature.routes]


def _dev_routes(settings: Settings) -> list[HTTPRouteHandler]:
    """What only `dev` serves."""
    return dev_mail_routes(DevOutbox(settings.dev_outbox).newest) if settings.dev_outbox else []


def _dependencies(house: House) -> dict[str, Provide]:
    shared: dict[str, Any] = {
        "settings": house.settings,
        "tokens": house.tokens,
        "accounts": house.accounts,
        "sessions": house.sessions,
        "letterbox": house.letterbox,
        "mailed_links": house.mailed_links,
        "api_keys": house.api_keys,
        "user_admin": house.user_admin,
        "federation": house.federation,
        "identities": house.identities,
        "impersonation": house.impersonation,
        "two_step": house.two_step,
        "factors": house.factors,
        "passkeys": house.passkeys,
        "privacy": house.privacy,
        "audit": house.audit,
        "catalog": house.catalog,
        "shelves": house.shelves,
        "media": house.media,
        "interactions": house.interactions,
        "reports": house.reports,
        "chat": house.chat,
        "standing": Standing(
            house.node, house.sessions.principal_by_session, house.api_keys.principal_by_id
        ),
    }
    provided = {name: _constant(thing) for name, thing in shared.items()}
    provided["principal"] = Provide(provide_principal)
    provided["viewer"] = Provide(provide_viewer)
    return provided


def _gauges(house: House) -> dict[str, tuple[str, Callable[[], float]]]:
    node, jobs = house.node, house.jobs
    return {
        "jobs_waiting": ("How many jobs are not done yet?", lambda: jobs.counts.waiting),
        "jobs_dead": ("How many jobs were given up?", lambda: jobs.counts.dead),
        "realtime_connections": ("How many sockets are open?", lambda: node.state.connections),
        "realtime_channels": ("How many channels are heard here?", lambda: node.state.channels),
        "realtime_broker_connected": ("Is Redis there?", lambda: float(node.state.connected)),
    }


def _constant(thing: Any) -> Provide:
    return Provide(lambda: thing, sync_to_thread=False)


def _checks(house: House) -> dict[str, Check]:
    async def database() -> None:
        await house.db.fetchval("SELECT 1")

    async def redis() -> None:
        if not house.node.state.connected:
            raise ConnectionError(house.node.state.last_error)

    async def process() -> None:
        if house.node.draining:
            raise ConnectionError("this process is about to end")

    return {
        "process": process,
        "database": database,
        "redis": redis,
        "storage": house.storage.check,
    }
