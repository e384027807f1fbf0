"""The providers that the settings name."""

from app.infra.federation import GitHub, IdentityProvider, OidcClient
from app.settings import Settings


def identity_providers(settings: Settings) -> list[IdentityProvider]:
    """Each with its own client and nothing fetched yet; GitHub stands last."""
    providers: list[IdentityProvider] = [OidcClient(one) for one in settings.oidc_providers]
    if settings.github_client_id:
        github = GitHub(
            client_id=settings.github_client_id,
            client_secret=settings.github_client_secret,
            base_url=settings.github_base_url,
            api_url=settings.github_api_url,
        )
        providers.append(github)
    return providers
