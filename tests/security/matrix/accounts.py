"""Doors, one's own account and sessions, people and the audit log for admins."""

from app.accounts.queries.identities import insert_identity
from app.accounts.schemas import CreateApiKey
from app.kit.ids import new_id
from app.kit.principal import Role, Scope
from tests.security.matrix.rows import Given, Row, Scene, everybody, only, own, sends, signed_in
from tests.support.house import PASSWORD


async def sign_up(scene: Scene) -> Given:
    address = f"{scene.world.name('new').replace(' ', '')}@example.org"
    return Given(json={"email": address, "password": PASSWORD})


async def log_in(scene: Scene) -> Given:
    return Given(json={"email": scene.owner.principal.email, "password": PASSWORD})


async def a_session(scene: Scene) -> Given:
    another = await scene.world.session_of(scene.owner.id)
    return Given({"session_id": another.principal.session_id})


async def a_person(scene: Scene) -> Given:
    return Given({"user_id": scene.owner.id})


async def a_new_role(scene: Scene) -> Given:
    return Given({"user_id": scene.owner.id}, json={"role": Role.TEACHER.value})


async def a_reason(scene: Scene) -> Given:
    return Given({"user_id": scene.owner.id}, json={"reason": "Spam"})


async def no_provider(_scene: Scene) -> Given:
    """None is configured in the world: who may, is told that it is absent."""
    return Given({"provider": "absent"}, json={})


async def an_identity(scene: Scene) -> Given:
    identity_id = new_id()
    await insert_identity(
        scene.world.db, identity_id, scene.owner.id, "absent", identity_id, "owner@example.org"
    )
    return Given({"identity_id": identity_id})


async def an_errand(scene: Scene) -> Given:
    return Given({"user_id": scene.owner.id}, json={"reason": "Ticket 17"})


async def an_api_key(scene: Scene) -> Given:
    form = CreateApiKey(name="Script", scopes=[Scope.CATALOG_READ])
    made = await scene.world.house.api_keys.create_key(scene.owner.principal, form)
    return Given({"key_id": made.api_key.id})


ROWS = {
    "signUp": Row(everybody(201), sign_up),
    "logIn": Row(everybody(200), log_in),
    "logOut": Row(signed_in(204)),
    "changePassword": Row(
        signed_in(200), sends(current_password=PASSWORD, new_password="another-horse-battery")
    ),
    "realtimeToken": Row(signed_in(200)),
    "getSession": Row(everybody(200)),
    "listSessions": Row(signed_in(200)),
    "endSession": Row(own(204), a_session),
    "endOtherSessions": Row(signed_in(200)),
    "endAllSessions": Row(signed_in(200)),
    "listProviders": Row(everybody(200)),
    "startFederated": Row(everybody(404), no_provider),
    "GET /api/v1/auth/federated/{provider}/callback": Row(everybody(303), no_provider),
    "startLink": Row(signed_in(404), no_provider),
    "listIdentities": Row(signed_in(200)),
    "unlinkIdentity": Row(own(204), an_identity),
    "listApiKeys": Row(signed_in(200)),
    "createApiKey": Row(signed_in(201), sends(name="Script", scopes=["catalog:read"])),
    "revokeApiKey": Row(own(204), an_api_key),
    "getMe": Row(signed_in(200)),
    "updateMe": Row(signed_in(200), sends(name="Another")),
    "listUsers": Row(only("admin", status=200)),
    "getUser": Row(only("admin", status=200), a_person),
    "setUserRole": Row(only("admin", status=200), a_new_role),
    "deactivateUser": Row(only("admin", status=200), a_reason),
    "reactivateUser": Row(only("admin", status=200), a_person),
    "verifyUser": Row(only("admin", status=200), a_person),
    "impersonateUser": Row(only("admin", status=200), an_errand),
    "endImpersonation": Row(signed_in(409)),
    "signOutUser": Row(only("admin", status=200), a_person),
    "listAudit": Row(only("admin", status=200)),
    "verifyAudit": Row(only("admin", status=200)),
}
