"""What the app asks of every provider, whatever language it speaks."""

from typing import Protocol

from msgspec import Struct


class Journey(Struct, frozen=True):
    """One way there and back; its secrets are known to nobody else."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str
    """PKCE, RFC 7636: only who holds it can redeem the code."""


class Returned(Struct, frozen=True):
    """What the browser brought back."""

    code: str
    issuer: str | None = None
    """RFC 9207: who says to have sent the browser."""


class Vouched(Struct, frozen=True):
    """Whom the provider vouches for. Only the subject never changes or moves to somebody else."""

    subject: str
    email: str | None = None
    is_verified: bool = False
    name: str | None = None


class IdentityProvider(Protocol):
    """One configured provider."""

    @property
    def slug(self) -> str:
        """Its name in addresses and in the database."""
        ...

    @property
    def name(self) -> str:
        """Its name for people."""
        ...

    async def departure(self, journey: Journey) -> str:
        """The address that the browser is sent to. Raises FederationFault."""
        ...

    async def arrival(self, journey: Journey, returned: Returned) -> Vouched:
        """Redeem the code, and say who came. Raises FederationFault."""
        ...

    async def stop(self) -> None:
        """Leave no connection."""
        ...
