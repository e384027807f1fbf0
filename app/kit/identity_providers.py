"""OpenID providers as an operator describes them: what `SICERDAS_OIDC_PROVIDERS` may say."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from app.kit.secret import Secret

WELL_KNOWN = "/.well-known/openid-configuration"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
GITHUB = "github"
"""GitHub speaks no OpenID Connect; its slug is taken by settings of its own."""

Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Text = Annotated[str, Meta(min_length=1, max_length=300)]


class OidcProvider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider. Its slug stands for one issuer for ever: people are known by slug and subject.

    `hosts` are further hosts of the same provider that its discovery document may point at.
    """

    slug: Slug
    client_id: Text
    client_secret: Secret = Secret("")
    """Empty for a public client: then PKCE alone proves who redeems the code."""
    name: Text = ""
    discovery_url: Text = ""
    scopes: tuple[Text, ...] = ("openid", "email", "profile")
    hosts: tuple[Text, ...] = ()

    @property
    def issuer(self) -> str:
        """What the issuer must be called, but for a slash at its end (Discovery 1.0, 4.1)."""
        return self.discovery_url.removesuffix(WELL_KNOWN).rstrip("/")


PRESETS: dict[str, dict[str, Any]] = {
    "google": {
        "name": "Google",
        "discovery_url": f"https://accounts.google.com{WELL_KNOWN}",
        "hosts": (
            "oauth2.googleapis.com",
            "www.googleapis.com",
            "openidconnect.googleapis.com",
        ),
    }
}
"""What need not be said of a provider with this slug."""


def is_safe_address(url: str) -> bool:
    """Whether nobody on the way can read or change what is asked there: TLS, or this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )


def parse_oidc_providers(raw: str) -> tuple[OidcProvider, ...]:
    """The JSON list of an environment variable. Raises ValueError, which never shows a secret."""
    try:
        said = msgspec.json.decode(raw, type=list[OidcProvider], dec_hook=_secret)
    except msgspec.DecodeError as fault:
        raise ValueError(f"must be a JSON list of providers: {fault}") from None
    providers = tuple(_completed(provider) for provider in said)
    slugs = [provider.slug for provider in providers]
    if len(set(slugs)) < len(slugs):
        raise ValueError("two providers have the same slug")
    return providers


def _completed(said: OidcProvider) -> OidcProvider:
    """With its preset, and checked."""
    if said.slug == GITHUB:
        raise ValueError("github has variables of its own: SICERDAS_GITHUB_CLIENT_ID and _SECRET")
    missing = {
        field: value
        for field, value in PRESETS.get(said.slug, {}).items()
        if not getattr(said, field)
    }
    provider = msgspec.structs.replace(said, **missing)
    if not provider.discovery_url.endswith(WELL_KNOWN):
        raise ValueError(f"{said.slug}: discovery_url must end with {WELL_KNOWN}")
    if not is_safe_address(provider.discovery_url):
        raise ValueError(f"{said.slug}: discovery_url must begin with https://")
    if "openid" not in provider.scopes:
        raise ValueError(f"{said.slug}: the scopes must hold openid")
    return provider if provider.name else msgspec.structs.replace(provider, name=said.slug.title())


def _secret(kind: type, value: Any) -> Any:
    if kind is not Secret or not isinstance(value, str):
        raise ValueError("a secret is a text")  # what msgspec adds the place to
    return Secret(value)
