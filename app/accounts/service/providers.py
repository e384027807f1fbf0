"""The doors that lead through other providers, as the settings name them."""

from app.accounts.service.doorway import Doorway
from app.accounts.service.federation import Federation
from app.accounts.service.identities import Identities
from app.accounts.service.sessions import Sessions
from app.accounts.service.throttle import DoorThrottle
from app.audit.service import Audit
from app.infra.db import Database
from app.infra.federation import GitHub, IdentityProvider, OidcClient
from app.infra.mail import Postman
from app.settings import Settings


def federated_doors(
    db: Database,
    sessions: Sessions,
    doorway: Doorway,
    throttle: DoorThrottle,
    audit: Audit,
    postman: Postman,
    settings: Settings,
) -> tuple[Identities, Federation]:
    """Both know the same providers; nothing is fetched from them yet."""
    providers = identity_providers(settings)
    names = {provider.slug: provider.name for provider in providers}
    identities = Identities(db, sessions, doorway, throttle, audit, postman, names=names)
    lifetime_s = settings.federated_state_s
    return identities, Federation(db, providers, identities, throttle, lifetime_s=lifetime_s)


def identity_providers(settings: Settings) -> list[IdentityProvider]:
    """Each with its own client; GitHub stands last."""
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
