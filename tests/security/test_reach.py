"""How far API keys reach: a table of all routes, and what the seam itself says."""

import pytest

from app.accounts.schemas import CreateApiKey
from app.http.reach import (
    HANDS,
    MAY_ACT,
    MAY_NOT_LOOK,
    SCOPE,
    check_impersonator,
    check_key,
)
from app.kit.errors import KeyNotAccepted, NotWhileImpersonating, ScopeMissing
from app.kit.principal import Principal, Role, Scope
from app.settings import Settings
from tests.support.routes import Address, all_addresses
from tests.support.world import HERE, Actor, World

IN_PERSON = Principal(1, Role.USER, "s", "", "")
PROGRAM = Principal(1, Role.USER, "", "", "", key_id="k", scopes=frozenset({Scope.CHAT_USE}))
ADMIN_INSIDE = Principal(1, Role.USER, "s", "", "", impersonator_id=2)


@pytest.fixture(scope="module")
def table(settings: Settings) -> list[Address]:
    """Every address of the contract."""
    found = [one for one in all_addresses(settings) if one.path.startswith(("/api/v1", "/media"))]
    assert len(found) > 50
    return found


async def key_of(world: World, owner: Actor, *scopes: Scope) -> dict[str, str]:
    """The headers of a program."""
    form = CreateApiKey(name="Script", scopes=list(scopes))
    made = await world.house.api_keys.create_key(owner.principal, form)
    return {"authorization": f"Bearer {made.key}"}


async def refusal(world: World, address: Address, headers: dict[str, str]) -> str:
    """The code of the answer, or nothing when the request came through."""
    path = address.path.format_map(Ones())
    body = {} if address.changes_something else None
    answer = await world.http.request(address.method, path, headers=headers, json=body)
    return str(answer.json()["code"]) if answer.status_code == 403 else ""


class Ones(dict[str, str]):
    """Any part of an address."""

    def __missing__(self, key: str) -> str:
        return "1"


async def test_v8_2_1_a_route_without_a_scope_refuses_every_key(
    world: World, table: list[Address]
) -> None:
    """Account, admin and key routes, and whatever is added without saying so."""
    owner = await world.someone(Role.ADMIN)
    every = await key_of(world, owner, *Scope)
    unscoped = [one for one in table if SCOPE not in one.handler.opt]
    found = {one.name: await refusal(world, one, every) for one in unscoped}
    assert {"createApiKey", "listUsers", "changePassword", "realtimeToken"} <= found.keys()
    assert set(found.values()) == {"api-key-not-accepted"}, found


async def test_v8_2_1_a_route_with_a_scope_refuses_keys_that_lack_it(
    world: World, table: list[Address]
) -> None:
    """Every scope but the one that is needed."""
    owner = await world.someone(Role.ADMIN)
    wrong = {}
    for scope in Scope:
        lacking = await key_of(world, owner, *(one for one in Scope if one is not scope))
        for address in (one for one in table if one.handler.opt.get(SCOPE) is scope):
            code = await refusal(world, address, lacking)
            if code != "scope-missing":
                wrong[address.name] = code
    assert wrong == {}


async def test_v8_2_1_an_admin_in_somebodys_name_is_kept_from_their_affairs(
    world: World, table: list[Address]
) -> None:
    """Every mutation that no key could be made for, every decision, and what they alone may see."""
    admin, person = await world.someone(Role.ADMIN), await world.someone(Role.MODERATOR)
    _, token = await world.house.impersonation.begin(admin.principal, person.id, "Test", HERE)
    inside = {"authorization": f"Bearer {token}"}
    everyday = set(Scope) - {Scope.REPORTS_DECIDE}
    closed = [
        one
        for one in table
        if one.handler.opt.get(HANDS) == MAY_NOT_LOOK
        or (
            one.changes_something
            and one.handler.opt.get(SCOPE) not in everyday
            and one.handler.opt.get(HANDS) != MAY_ACT
        )
    ]
    names = {one.name for one in closed}
    own = {"changePassword", "changeEmail", "startTotp", "addPasskey", "unlinkIdentity"}
    own |= {"createApiKey", "askExport", "getExport", "deleteMe", "confirmIdentity"}
    assert own | {"setUserRole", "impersonateUser", "decideReport", "updateMe"} <= names
    found = {one.name: await refusal(world, one, inside) for one in closed}
    assert set(found.values()) == {"not-while-impersonating"}, found
    open_to_them = {one.name for one in table if one.handler.opt.get(HANDS) == MAY_ACT}
    assert open_to_them == {"endImpersonation", "logOut"}


def test_every_scope_opens_something(table: list[Address]) -> None:
    """No scope is an empty word."""
    assert {one.handler.opt.get(SCOPE) for one in table} - {None} == set(Scope)


def test_people_need_no_scope() -> None:
    """Whoever is signed in is held by roles alone."""
    check_key(IN_PERSON, None)
    check_key(IN_PERSON, Scope.REPORTS_DECIDE)


def test_key_needs_a_declared_scope_of_its_own() -> None:
    """Three cases, one seam."""
    check_key(PROGRAM, Scope.CHAT_USE)
    with pytest.raises(KeyNotAccepted):
        check_key(PROGRAM, None)
    with pytest.raises(ScopeMissing) as refused:
        check_key(PROGRAM, Scope.CATALOG_WRITE)
    assert refused.value.extra == {"scope": "catalog:write"}


@pytest.mark.parametrize(
    ("scope", "hands", "is_safe", "may"),
    [
        (None, None, True, True),
        (None, None, False, False),
        (None, "may act", False, True),
        (None, "may not look", True, False),
        (Scope.CHAT_USE, None, False, True),
        (Scope.REPORTS_DECIDE, None, False, False),
        (Scope.REPORTS_READ, None, True, True),
    ],
)
def test_an_admin_in_somebodys_name(
    scope: Scope | None, hands: str | None, is_safe: bool, may: bool
) -> None:
    """Reads, everyday use and what says so; never an account's own affairs, never a decision."""
    check_impersonator(IN_PERSON, scope, hands, is_safe=is_safe)
    if may:
        check_impersonator(ADMIN_INSIDE, scope, hands, is_safe=is_safe)
    else:
        with pytest.raises(NotWhileImpersonating):
            check_impersonator(ADMIN_INSIDE, scope, hands, is_safe=is_safe)
