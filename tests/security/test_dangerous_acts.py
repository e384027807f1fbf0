"""What an admin, or the owner of an open browser, does only after a fresh proof (ASVS 5.0, 7.5)."""

from typing import Any

import pytest

from app.kit.principal import Role
from tests.support.problems import code_of
from tests.support.world import World

V1 = "/api/v1"
ACTS = [
    ("PUT", "/users/{id}/role", {"role": "teacher"}),
    ("POST", "/users/{id}/deactivate", {"reason": "Spam"}),
    ("POST", "/users/{id}/reactivate", {}),
    ("POST", "/users/{id}/verify", {}),
    ("POST", "/users/{id}/impersonate", {"reason": "Ticket 17"}),
    ("POST", "/auth/api-keys", {"name": "Script", "scopes": ["chat:use"]}),
]


@pytest.mark.parametrize(("method", "path", "body"), ACTS)
async def test_v7_5_1_old_proof_is_not_enough(
    world: World, method: str, path: str, body: dict[str, Any]
) -> None:
    """Refused with a code of its own, and allowed once the password was given again."""
    admin, person = await world.someone(Role.ADMIN), await world.someone()
    await world.db.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '25 hours' WHERE user_id = $1",
        admin.id,
    )
    url = V1 + path.format(id=person.id)
    refused = await world.http.request(method, url, json=body, headers=admin.bearer)
    assert code_of(refused) == (403, "fresh-proof-required")
    await world.db.execute(
        "UPDATE sessions SET authenticated_at = now() WHERE user_id = $1", admin.id
    )
    done = await world.http.request(method, url, json=body, headers=admin.bearer)
    assert done.is_success
