"""How far an API key, or an admin in somebody's name, reaches: one rule for every route.

A handler that declares a scope (`opt=for_keys(Scope.CHAT_USE)`) takes keys that have it; any other
refuses keys. An admin in somebody's name may read, and may use what a key could be made for, but
decides nothing: whatever belongs to the account itself stays with its owner. So a new route is out
of reach for both until it says otherwise.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from app.http.origins import SAFE_METHODS
from app.http.sessions import PRINCIPAL_KEY
from app.kit.errors import KeyNotAccepted, NotWhileImpersonating, ScopeMissing
from app.kit.principal import Principal, Scope

SCOPE = "key_scope"
HANDS = "impersonator"
MAY_ACT, MAY_NOT_LOOK = "may act", "may not look"


def for_keys(scope: Scope) -> dict[str, Any]:
    """The `opt` of a handler that takes API keys with this scope."""
    return {SCOPE: scope}


def for_impersonators() -> dict[str, Any]:
    """The `opt` of a mutation that an admin in somebody's name needs."""
    return {HANDS: MAY_ACT}


def for_the_person_alone() -> dict[str, Any]:
    """The `opt` of a read that is not even shown to an admin in somebody's name."""
    return {HANDS: MAY_NOT_LOOK}


def check_key(principal: Principal, scope: Scope | None) -> None:
    """Raises KeyNotAccepted, ScopeMissing."""
    if principal.key_id is None:
        return
    if scope is None:
        raise KeyNotAccepted
    if scope not in principal.scopes:
        raise ScopeMissing(f"This API key needs the scope {scope}", scope=scope.value)


def check_impersonator(
    principal: Principal, scope: Scope | None, hands: str | None, *, is_safe: bool
) -> None:
    """Raises NotWhileImpersonating."""
    if principal.impersonator_id is None or hands == MAY_ACT:
        return
    is_everyday = is_safe or scope not in {None, Scope.REPORTS_DECIDE}
    if hands == MAY_NOT_LOOK or not is_everyday:
        raise NotWhileImpersonating


def within_reach(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The app-wide guard. Raises KeyNotAccepted, ScopeMissing, NotWhileImpersonating."""
    principal: Principal | None = connection.scope["state"].get(PRINCIPAL_KEY)
    if principal is None:
        return
    scope = handler.opt.get(SCOPE)
    check_key(principal, scope)
    is_safe = connection.scope.get("method") in SAFE_METHODS
    check_impersonator(principal, scope, handler.opt.get(HANDS), is_safe=is_safe)
