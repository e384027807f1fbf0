"""Pictures over HTTP. Their addresses hold a hash of the content, so they are kept for ever."""

from litestar import Response, get
from litestar.di import NamedDependency

from app.http.params import PathWord
from app.http.reach import for_keys
from app.kit.principal import Scope
from app.media.service import WEBP, Media

FOREVER = "public, max-age=31536000, immutable"
READ = for_keys(Scope.CATALOG_READ)


@get("/media/covers/{name:str}", operation_id="getCover", opt=READ, media_type=WEBP)
async def get_cover(name: PathWord, media: NamedDependency[Media]) -> Response[bytes]:
    """One cover in one width, as named by the `cover` of a book."""
    picture = await media.cover(name)
    headers = {"cache-control": FOREVER, "x-content-type-options": "nosniff"}
    return Response(picture, media_type=WEBP, headers=headers)


root_routes = [get_cover]
"""Served at `/`, not under `/api/v1`."""
