"""REST of one's own data: its export, and the end of the account."""

from typing import Annotated

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.accounts.routes.answers import NO_STORE
from app.accounts.schemas.privacy import ExportLink, ExportState
from app.accounts.service import Privacy
from app.http.reach import for_the_person_alone
from app.http.sessions import expired_cookie
from app.kit.principal import Principal

ARCHIVE = "application/json"
Until = Annotated[int, QueryParameter(ge=0, le=2**53)]
Signature = Annotated[str, QueryParameter(min_length=64, max_length=64, pattern=r"^[0-9a-f]+$")]


@post("/users/me/export", operation_id="askExport", status_code=202)
async def ask_export(
    principal: NamedDependency[Principal], privacy: NamedDependency[Privacy]
) -> ExportState:
    """Begin to gather everything that is kept about oneself, as one JSON file; it is removed after
    a week. Asks for a fresh proof."""
    return await privacy.ask_export(principal)


@get("/users/me/export", operation_id="getExport", opt=for_the_person_alone())
async def get_export(
    principal: NamedDependency[Principal], privacy: NamedDependency[Privacy]
) -> ExportState:
    """How far one's newest export is."""
    return await privacy.export_state(principal)


@post("/users/me/export/link", operation_id="linkExport", status_code=200)
async def link_export(
    principal: NamedDependency[Principal], privacy: NamedDependency[Privacy]
) -> Response[ExportLink]:
    """A link to the finished file: good for some minutes and in one's own session only. Asks for a
    fresh proof."""
    return Response(await privacy.export_link(principal), headers=NO_STORE)


@get(
    "/users/me/export/file",
    operation_id="getExportFile",
    media_type=ARCHIVE,
    opt=for_the_person_alone(),
)
async def get_export_file(
    until: Until,
    signature: Signature,
    principal: NamedDependency[Principal],
    privacy: NamedDependency[Privacy],
) -> Response[bytes]:
    """The file behind a link of `linkExport`."""
    data = await privacy.archive(principal, until, signature)
    headers = {**NO_STORE, "content-disposition": 'attachment; filename="my-data.json"'}
    return Response(data, media_type=ARCHIVE, headers=headers)


@delete("/users/me", operation_id="deleteMe", status_code=204)
async def delete_me(
    principal: NamedDependency[Principal], privacy: NamedDependency[Privacy]
) -> Response[None]:
    """Delete one's account, at once and for good: everything goes but reports, decisions and audit
    entries, which lose the name. The address is free again. Asks for a fresh proof."""
    await privacy.delete_account(principal)
    return Response(None, status_code=204, cookies=[expired_cookie()])


routes = [ask_export, get_export, link_export, get_export_file, delete_me]
