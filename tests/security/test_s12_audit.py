"""S12: each privileged verb writes exactly one entry, and no other verb writes any."""

from typing import Any

import pytest

from app.settings import Settings
from tests.security.matrix import ROWS
from tests.security.matrix.rows import COLUMNS, ROLES, Scene
from tests.support.routes import Address, all_addresses
from tests.support.world import World

REFUSED = 300

AUDITED = {
    "askExport": "user.export-asked",
    "changePassword": "user.password-changed",
    "createApiKey": "api-key.created",
    "deactivateUser": "user.deactivated",
    "decideReport": "report.decided",
    "deleteMe": "user.erased",
    "disableTotp": "user.totp-disabled",
    "enableTotp": "user.totp-enabled",
    "fileReport": "report.filed",
    "impersonateUser": "user.impersonated",
    "reactivateUser": "user.reactivated",
    "removePasskey": "user.passkey-removed",
    "renewRecoveryCodes": "user.recovery-codes-renewed",
    "resetPassword": "user.password-reset",
    "resetUserFactors": "user.factors-reset",
    "revokeApiKey": "api-key.revoked",
    "setUserRole": "user.role-set",
    "signOutUser": "user.signed-out",
    "unlinkIdentity": "user.identity-unlinked",
    "verifyUser": "user.verified",
}
"""Privileged verbs, and those that change how somebody comes in."""

ELSEWHERE = {
    "addPasskey": "needs an authenticator: tests/api/test_passkeys.py",
    "endImpersonation": "needs an admin in somebody's name: tests/api/test_impersonation.py",
}

EVERYDAY = """
    askTutor changeEmail confirmIdentity createBook createCategory createGroup deleteBook
    deleteCategory deleteConversation deleteGroup endAllSessions endOtherSessions endSession
    giveSecondFactor linkExport logIn logOut recordInteraction renameConversation renamePasskey
    replaceCover retryAnswer sendPasswordReset sendSignInLink sendVerification signInByMail
    signInWithPasskey signUp startFederated startLink startPasskeyConfirmation
    startPasskeyRegistration startPasskeySecondFactor startPasskeySignIn startTotp stopAnswer
    updateBook updateCategory updateGroup updateMe verifyEmail
"""
QUIET = set(EVERYDAY.split())
"""Everyday use, one's own sign-ins, and steps that nothing follows from yet."""


@pytest.fixture(scope="module")
def mutations(settings: Settings) -> dict[str, Address]:
    """Every address that changes something, by its name."""
    found = [one for one in all_addresses(settings) if one.changes_something]
    return {one.name: one for one in found}


def test_v16_3_1_every_mutation_says_whether_it_is_audited(mutations: dict[str, Address]) -> None:
    """A new one belongs into AUDITED with its action, or into QUIET; see this module."""
    named = AUDITED.keys() | ELSEWHERE.keys() | QUIET
    assert mutations.keys() - named == set(), "tests/security/test_s12_audit.py: AUDITED or QUIET"
    assert named - mutations.keys() == set(), "These are no mutations any more"
    assert not AUDITED.keys() & QUIET


def best_column(name: str) -> str:
    """A role that is allowed to, the owner before all others."""
    allowed = [one for one in COLUMNS if ROWS[name].cells[one] < REFUSED and one != "nobody"]
    return "owner" if "owner" in allowed or not allowed else allowed[-1]


async def carried_out(world: World, address: Address) -> tuple[bool, list[Any]]:
    """Whether it succeeded, and the entries that it wrote."""
    column, owner = best_column(address.name), await world.someone()
    who = owner if column == "owner" else await world.someone(ROLES[column])
    given = await ROWS[address.name].arrange(Scene(world, who, owner))
    last = await world.db.fetchval("SELECT coalesce(max(id), 0) FROM audit_log")
    async with world.http.stream(
        address.method,
        address.path.format(**given.path),
        json=given.json,
        files=given.files,
        headers={**who.bearer, **given.headers},
    ) as answer:
        is_done = answer.status_code < REFUSED
    sql = "SELECT action, actor_id FROM audit_log WHERE id > $1 ORDER BY id"
    return is_done, [(row["action"], row["actor_id"]) for row in await world.db.fetch(sql, last)]


async def test_v16_3_3_each_privileged_verb_writes_exactly_one_entry(
    world: World, mutations: dict[str, Address]
) -> None:
    """Done once, written once, under its own name."""
    wrong = {}
    for name, action in AUDITED.items():
        is_done, entries = await carried_out(world, mutations[name])
        if not is_done or [entry[0] for entry in entries] != [action]:
            wrong[name] = (is_done, entries)
    assert wrong == {}


async def test_everyday_verbs_write_none(world: World, mutations: dict[str, Address]) -> None:
    """The log of deeds is no log of visits."""
    found = {name: (await carried_out(world, mutations[name]))[1] for name in sorted(QUIET)}
    assert {name: entries for name, entries in found.items() if entries} == {}


async def test_refused_verbs_write_none(world: World, mutations: dict[str, Address]) -> None:
    """What did not happen is not in the log."""
    wrong = {}
    for name in AUDITED:
        owner, who = await world.someone(), await world.someone()
        address = mutations[name]
        given = await ROWS[name].arrange(Scene(world, None, owner))
        last = await world.db.fetchval("SELECT coalesce(max(id), 0) FROM audit_log")
        path = address.path.format(**given.path)
        headers = {**given.headers, "authorization": f"Bearer {who.token}x"}
        answer = await world.http.request(address.method, path, json={}, headers=headers)
        count = await world.db.fetchval("SELECT count(*) FROM audit_log WHERE id > $1", last)
        if answer.status_code < REFUSED or count:
            wrong[name] = (answer.status_code, count)
    assert wrong == {}
