"""REST of one's own API keys."""

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.accounts.routes.answers import NO_STORE
from app.accounts.schemas import ApiKey, CreateApiKey, NewApiKey
from app.accounts.service import ApiKeys
from app.http.params import Limit, OptionalCursor, PathWord
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal


@get("/auth/api-keys", operation_id="listApiKeys")
async def list_api_keys(
    principal: NamedDependency[Principal],
    api_keys: NamedDependency[ApiKeys],
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[ApiKey]:
    """One's own API keys, the newest first."""
    return await api_keys.list_keys(principal, limit, cursor)


@post("/auth/api-keys", operation_id="createApiKey", status_code=201)
async def create_api_key(
    data: JSONBody[CreateApiKey],
    principal: NamedDependency[Principal],
    api_keys: NamedDependency[ApiKeys],
) -> Response[NewApiKey]:
    """Make a key for a program, for `Authorization: Bearer`. The key is shown this once."""
    made = await api_keys.create_key(principal, data)
    return Response(made, status_code=201, headers=NO_STORE)


@delete("/auth/api-keys/{key_id:str}", operation_id="revokeApiKey")
async def revoke_api_key(
    key_id: PathWord,
    principal: NamedDependency[Principal],
    api_keys: NamedDependency[ApiKeys],
) -> None:
    """Revoke one of one's own keys; it opens nothing from now on."""
    await api_keys.revoke_key(principal, key_id)


routes = [list_api_keys, create_api_key, revoke_api_key]
