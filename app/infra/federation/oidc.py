"""A provider that speaks OpenID Connect: code flow with PKCE, found through its discovery document.

Sources: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9126 (pushed requests),
RFC 9207 (issuer in the answer), RFC 9700 (what went wrong for others).
"""

import hmac
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from joserfc.jwk import KeySet
from msgspec import Struct

from app.infra.federation.cached import Cached
from app.infra.federation.faults import FederationFault
from app.infra.federation.house import Journey, Returned, Vouched
from app.infra.federation.id_token import (
    ALGORITHMS,
    Claims,
    Expected,
    UnknownKey,
    read_id_token,
    read_key_set,
)
from app.infra.federation.outbound import Answer, Outbound
from app.infra.federation.pkce import challenge_of
from app.kit.clock import now
from app.kit.identity_providers import OidcProvider

BASIC = "client_secret_basic"


class Discovery(Struct, frozen=True):
    """What is read of a discovery document (Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    require_pushed_authorization_requests: bool = False
    authorization_response_iss_parameter_supported: bool = False
    id_token_signing_alg_values_supported: tuple[str, ...] = tuple(sorted(ALGORITHMS))
    token_endpoint_auth_methods_supported: tuple[str, ...] = (BASIC,)


class Tokens(Struct, frozen=True):
    """The answer to a redeemed code."""

    id_token: str
    access_token: str = ""


class Pushed(Struct, frozen=True):
    """Where a pushed request waits (RFC 9126, 2.2)."""

    request_uri: str


class UserInfo(Struct, frozen=True):
    """What is read of the userinfo endpoint (Core 1.0, 5.3.2)."""

    sub: str
    email: str | None = None
    email_verified: bool | str = False
    name: str | None = None


class OidcClient:
    """One provider. See `IdentityProvider` for what each verb promises."""

    def __init__(self, provider: OidcProvider) -> None:
        self.slug = provider.slug
        self.name = provider.name
        self._provider = provider
        self._outbound = Outbound(provider.discovery_url, provider.hosts)
        self._discovery = Cached(self._discover)
        self._keys = Cached(self._fetch_keys)

    async def departure(self, journey: Journey) -> str:
        """See `IdentityProvider`."""
        discovery = await self._discovery.get()
        wish = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": journey.redirect_uri,
            "scope": " ".join(self._provider.scopes),
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": challenge_of(journey.verifier),
            "code_challenge_method": "S256",
        }
        if discovery.require_pushed_authorization_requests:
            wish = await self._push(discovery, wish)
        joint = "&" if urlsplit(discovery.authorization_endpoint).query else "?"
        return f"{discovery.authorization_endpoint}{joint}{urlencode(wish)}"

    async def arrival(self, journey: Journey, returned: Returned) -> Vouched:
        """See `IdentityProvider`."""
        discovery = await self._discovery.get()
        self._check_sender(discovery, returned.issuer)
        form = {
            "grant_type": "authorization_code",
            "code": returned.code,
            "redirect_uri": journey.redirect_uri,
            "code_verifier": journey.verifier,
        }
        answer = await self._as_client(discovery, discovery.token_endpoint, form)
        tokens = answer.read(Tokens)
        claims = await self._believed(discovery, tokens, journey.nonce)
        if claims.email is None and discovery.userinfo_endpoint and tokens.access_token:
            return await self._asked(discovery.userinfo_endpoint, tokens, claims)
        return _vouched(claims)

    async def stop(self) -> None:
        """See `IdentityProvider`."""
        await self._outbound.stop()

    # --- what the provider publishes

    async def _discover(self) -> Discovery:
        answer = await self._outbound.get(self._provider.discovery_url)
        if not answer.is_success:
            raise FederationFault("away", f"discovery answered {answer.status}")
        found = answer.read(Discovery)
        if found.issuer.rstrip("/") != self._provider.issuer:
            raise FederationFault("untrusted", "the discovery document is of another issuer")
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            self._outbound.check(url)
        return found

    async def _fetch_keys(self) -> KeySet:
        discovery = await self._discovery.get()
        answer = await self._outbound.get(discovery.jwks_uri)
        if not answer.is_success:
            raise FederationFault("away", f"the key set answered {answer.status}")
        return read_key_set(answer.read(dict[str, Any]))

    # --- steps of a journey

    async def _push(self, discovery: Discovery, wish: dict[str, str]) -> dict[str, str]:
        """Leave the wish with the provider; the browser carries only its number (RFC 9126)."""
        endpoint = discovery.pushed_authorization_request_endpoint
        if endpoint is None:
            raise FederationFault("untrusted", "pushed requests are required, but not taken")
        answer = await self._as_client(discovery, endpoint, wish)
        pushed = answer.read(Pushed)
        return {"client_id": self._provider.client_id, "request_uri": pushed.request_uri}

    def _check_sender(self, discovery: Discovery, issuer: str | None) -> None:
        """Against an answer of one provider that is brought to another (RFC 9207, 2.4)."""
        is_missing = issuer is None and discovery.authorization_response_iss_parameter_supported
        if is_missing or (issuer is not None and issuer != discovery.issuer):
            raise FederationFault("untrusted", "the answer came from another issuer")

    async def _as_client(self, discovery: Discovery, url: str, form: dict[str, str]) -> Answer:
        """Ask as the registered client (RFC 6749, 2.3.1; its parts are form-encoded first)."""
        client_id, secret = self._provider.client_id, self._provider.client_secret.reveal()
        headers = {}
        if secret and BASIC in discovery.token_endpoint_auth_methods_supported:
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
            headers["authorization"] = f"Basic {b64encode(pair).decode()}"
        else:
            form = {**form, "client_id": client_id}
            if secret:
                form["client_secret"] = secret
        answer = await self._outbound.post(url, form, headers)
        if not answer.is_success:
            raise FederationFault("refused", f"{urlsplit(url).path} answered {answer.status}")
        return answer

    async def _believed(self, discovery: Discovery, tokens: Tokens, nonce: str) -> Claims:
        expected = Expected(discovery.issuer, self._provider.client_id, nonce, tokens.access_token)
        algorithms = discovery.id_token_signing_alg_values_supported
        keys = await self._keys.get()
        try:
            return read_id_token(tokens.id_token, keys, algorithms, expected, now())
        except UnknownKey:
            keys = await self._keys.get(anew=True)
            return read_id_token(tokens.id_token, keys, algorithms, expected, now())

    async def _asked(self, url: str, tokens: Tokens, claims: Claims) -> Vouched:
        """Many providers tell the address only here."""
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        answer = await self._outbound.get(url, headers)
        if not answer.is_success:
            raise FederationFault("refused", f"userinfo answered {answer.status}")
        info = answer.read(UserInfo)
        if not hmac.compare_digest(info.sub.encode(), claims.sub.encode()):
            raise FederationFault("untrusted", "userinfo speaks of somebody else")
        return _vouched(info)


def _vouched(said: Claims | UserInfo) -> Vouched:
    # Some providers write the truth value as a text.
    is_verified = said.email_verified in {True, "true"}
    return Vouched(said.sub, said.email, is_verified, said.name)
