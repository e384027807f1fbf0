"""GitHub: OAuth 2 without ID tokens; who came, and which address is theirs, its API tells."""

from typing import TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from app.infra.federation.faults import FederationFault
from app.infra.federation.house import Journey, Returned, Vouched
from app.infra.federation.outbound import Outbound
from app.infra.federation.pkce import challenge_of
from app.kit.identity_providers import GITHUB
from app.kit.secret import Secret

SCOPE = "read:user user:email"
API_VERSION = "2022-11-28"

T = TypeVar("T")


class Token(Struct, frozen=True):
    """The answer to a redeemed code; a refusal is a 200 with `error`."""

    access_token: str = ""
    error: str = ""


class Account(Struct, frozen=True):
    """A user of GitHub. The login may be renamed and taken by another, the number never."""

    id: int
    login: str
    name: str | None = None


class Address(Struct, frozen=True):
    """One of their addresses."""

    email: str
    primary: bool = False
    verified: bool = False


class GitHub:
    """GitHub or a GitHub Enterprise Server. See `IdentityProvider` for what each verb promises."""

    slug = GITHUB
    name = "GitHub"

    def __init__(
        self, *, client_id: str, client_secret: Secret, base_url: str, api_url: str
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._base_url = base_url
        self._api_url = api_url
        self._site = Outbound(base_url)
        self._api = Outbound(api_url)

    async def departure(self, journey: Journey) -> str:
        """See `IdentityProvider`."""
        wish = {
            "client_id": self._client_id,
            "redirect_uri": journey.redirect_uri,
            "scope": SCOPE,
            "state": journey.state,
            "code_challenge": challenge_of(journey.verifier),
            "code_challenge_method": "S256",
        }
        return f"{self._base_url}/login/oauth/authorize?{urlencode(wish)}"

    async def arrival(self, journey: Journey, returned: Returned) -> Vouched:
        """See `IdentityProvider`."""
        form = {
            "client_id": self._client_id,
            "client_secret": self._client_secret.reveal(),
            "code": returned.code,
            "redirect_uri": journey.redirect_uri,
            "code_verifier": journey.verifier,
        }
        answer = await self._site.post(f"{self._base_url}/login/oauth/access_token", form)
        token = answer.read(Token) if answer.is_success else Token(error=str(answer.status))
        if not token.access_token:
            raise FederationFault("refused", f"the code was not taken: {token.error[:80]}")
        account = await self._asked("/user", token, Account)
        addresses = await self._asked("/user/emails", token, list[Address])
        primary = next((one for one in addresses if one.primary), None)
        return Vouched(
            subject=str(account.id),
            email=primary.email if primary else None,
            is_verified=primary is not None and primary.verified,
            name=account.name or account.login,
        )

    async def stop(self) -> None:
        """See `IdentityProvider`."""
        await self._site.stop()
        await self._api.stop()

    async def _asked(self, path: str, token: Token, kind: type[T]) -> T:
        headers = {
            "authorization": f"Bearer {token.access_token}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": API_VERSION,
        }
        answer = await self._api.get(self._api_url + path, headers)
        if not answer.is_success:
            raise FederationFault("refused", f"{path} answered {answer.status}")
        return answer.read(kind)
