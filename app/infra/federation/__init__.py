"""Other houses that vouch for people: OpenID Connect providers, and GitHub with its own manners.

The only place that speaks to them. What they answer is untrusted until it is checked here.
"""

from app.infra.federation.cached import Cached
from app.infra.federation.faults import FederationFault
from app.infra.federation.github import GitHub
from app.infra.federation.house import IdentityProvider, Journey, Returned, Vouched
from app.infra.federation.oidc import OidcClient

__all__ = [
    "Cached",
    "FederationFault",
    "GitHub",
    "IdentityProvider",
    "Journey",
    "OidcClient",
    "Returned",
    "Vouched",
]
