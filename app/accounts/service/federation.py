"""The journey to another provider and back: begun by a page, ended by a browser's arrival.

The state is known to this browser, the provider and us; it is bound to the browser by a cookie,
counts once and for ten minutes, and remembers which provider was asked (RFC 9700, 2.1 and 4.4).
"""

import secrets
from collections.abc import Iterable
from urllib.parse import urlencode

import structlog
from asyncpg import Record

from app.accounts import policy
from app.accounts.queries import identities as queries
from app.accounts.schemas import (
    Arrival,
    Callback,
    Client,
    ForeignSignIn,
    ProviderAway,
    ProviderFailed,
    ProviderView,
    SignInCancelled,
    StaleSignIn,
)
from app.accounts.service.identities import Identities
from app.accounts.service.throttle import DoorThrottle
from app.infra.db import AWAY, Database, translate
from app.infra.federation import FederationFault, IdentityProvider, Journey, Returned, Vouched
from app.kit.errors import AppError, NotFound, Unavailable
from app.kit.principal import Principal
from app.kit.secret import token_hash

SECRET_BYTES = 32
"""256 bits: RFC 9700 asks for unguessable, RFC 7636, 4.1 for 32 bytes."""
LOGIN_PAGE, ACCOUNT_PAGE = "/login", "/account"

log = structlog.get_logger()


class Federation:
    """Signing in with, and linking to, the configured providers."""

    def __init__(
        self,
        db: Database,
        providers: Iterable[IdentityProvider],
        identities: Identities,
        throttle: DoorThrottle,
        *,
        lifetime_s: int,
    ) -> None:
        self._db = db
        self._providers = {provider.slug: provider for provider in providers}
        self._identities = identities
        self._throttle = throttle
        self._lifetime_s = lifetime_s

    def list_providers(self) -> list[ProviderView]:
        """Those that people may sign in with, in the operator's order."""
        return [ProviderView(one.slug, one.name) for one in self._providers.values()]

    async def start_sign_in(
        self, slug: str, next_path: str, origin: str, browser: str, client: Client
    ) -> str:
        """The address at the provider that this browser goes to.

        Raises NotFound, TooManyRequests, ProviderAway, ProviderFailed.
        """
        return await self._start(slug, next_path, origin, browser, client, None)

    async def start_link(
        self, principal: Principal, slug: str, origin: str, browser: str, client: Client
    ) -> str:
        """The same, to link what comes back to this account. Raises FreshProofRequired too."""
        policy.require_fresh(principal)
        owner = (principal.user_id, principal.session_id)
        return await self._start(slug, ACCOUNT_PAGE, origin, browser, client, owner)

    async def finish(
        self,
        slug: str,
        said: Callback,
        browser: str | None,
        viewer: Principal | None,
        client: Client,
    ) -> Arrival:
        """Where the browser goes on. Never raises what is expected: a page must tell it."""
        page = LOGIN_PAGE
        try:
            row = await self._take(slug, said, browser)
            if row["user_id"] is not None:
                page = ACCOUNT_PAGE
            _check_session(row, viewer)
            who = await self._ask(self._provider(slug), row, said)
            if viewer is not None and row["user_id"] is not None:
                await self._identities.link(viewer, slug, who)
                return Arrival(f"{ACCOUNT_PAGE}?{urlencode({'linked': slug})}")
            admission = await self._identities.enter(slug, who, client)
        except AWAY as fault:
            log.warning("federation.interrupted", provider=slug, cause=repr(fault))
            return _failed(page, translate(fault) or Unavailable())
        except AppError as fault:
            log.info("federation.refused", provider=slug, code=fault.code)
            return _failed(page, fault)
        return Arrival(row["next_path"], admission)

    async def trim(self) -> None:
        """Forget journeys from which nobody came back."""
        await queries.delete_old_states(self._db)

    async def stop(self) -> None:
        """Leave no connection."""
        for provider in self._providers.values():
            await provider.stop()

    # --- steps

    def _provider(self, slug: str) -> IdentityProvider:
        provider = self._providers.get(slug)
        if provider is None:
            raise NotFound
        return provider

    async def _start(
        self,
        slug: str,
        next_path: str,
        origin: str,
        browser: str,
        client: Client,
        owner: tuple[int, str] | None,
    ) -> str:
        provider = self._provider(slug)
        await self._throttle.admit_federated(client.address)
        journey = Journey(
            redirect_uri=f"{origin}/api/v1/auth/federated/{slug}/callback",
            state=secrets.token_urlsafe(SECRET_BYTES),
            nonce=secrets.token_urlsafe(SECRET_BYTES),
            verifier=secrets.token_urlsafe(SECRET_BYTES),
        )
        try:
            url = await provider.departure(journey)
        except FederationFault as fault:
            raise _expected(slug, fault) from None
        await queries.insert_state(
            self._db,
            hashes=(token_hash(journey.state), token_hash(browser)),
            provider=slug,
            journey=journey,
            next_path=next_path,
            owner=owner,
            lifetime_s=self._lifetime_s,
        )
        return url

    async def _take(self, slug: str, said: Callback, browser: str | None) -> Record:
        """The journey that this browser began; another's attempt does not end it.

        Raises StaleSignIn, ForeignSignIn.
        """
        state_hash = token_hash(said.state or "")
        row = await queries.take_state(self._db, state_hash, token_hash(browser or ""))
        if row is None and await queries.is_under_way(self._db, state_hash):
            raise ForeignSignIn
        if row is None or not row["is_fresh"] or row["provider"] != slug:
            raise StaleSignIn
        return row

    async def _ask(self, provider: IdentityProvider, row: Record, said: Callback) -> Vouched:
        if said.error == "access_denied":
            raise SignInCancelled
        if said.error is not None or not said.code:
            raise _expected(provider.slug, FederationFault("refused", f"said {said.error!r}"[:80]))
        journey = Journey(row["redirect_uri"], said.state or "", row["nonce"], row["verifier"])
        try:
            return await provider.arrival(journey, Returned(said.code, said.iss))
        except FederationFault as fault:
            raise _expected(provider.slug, fault) from None


def _check_session(row: Record, viewer: Principal | None) -> None:
    """A link is made in the session that asked for it, or not at all. Raises ForeignSignIn."""
    if row["user_id"] is not None and (viewer is None or viewer.session_id != row["session_id"]):
        raise ForeignSignIn


def _expected(slug: str, fault: FederationFault) -> AppError:
    log.warning("federation.failed", provider=slug, kind=fault.kind, cause=fault.detail)
    return ProviderAway() if fault.kind == "away" else ProviderFailed()


def _failed(page: str, fault: AppError) -> Arrival:
    return Arrival(f"{page}?{urlencode({'error': fault.code})}")
