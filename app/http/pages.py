"""Serves the built reference app from memory, for every address inside it."""

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from app.http.origins import SAFE_METHODS, header

HASHED = "/assets/"
"""The build puts a content hash into every name under this path: such a file never changes."""

FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
OURS = (
    "/api/",
    "/connection/",
    "/dev/",
    "/emulation",
    "/errors/",
    "/health/",
    "/media/",
    "/metrics",
)


class Page(Struct, frozen=True):
    """One file, ready to send."""

    body: bytes
    media_type: str
    etag: str
    cache_control: str

    def response(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The file, or 304 when the browser has it."""
        headers = {"etag": self.etag, "cache-control": self.cache_control}
        if header(request.scope, b"if-none-match") == self.etag:
            return Response(b"", status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


class Pages:
    """The files of the built app. An absent build serves nothing and says so at `/`."""

    def __init__(self, folder: Path) -> None:
        self._files = load_folder(folder)

    def routes(self) -> list[HTTPRouteHandler]:
        """One handler for all files and `/`."""
        if "/index.html" not in self._files:
            return []

        @get(["/", *self._files], include_in_schema=False, sync_to_thread=False)
        def file(request: Request[Any, Any, Any]) -> Response[bytes]:
            """A file of the build."""
            path = request.scope["path"]
            return self._files[path if path in self._files else "/index.html"].response(request)

        return [file]

    def fallback(self, request: Request[Any, Any, Any]) -> Response[bytes] | None:
        """The app's page for an address inside it; None where a 404 is the truth."""
        index = self._files.get("/index.html")
        path = request.scope["path"]
        wants_page = "text/html" in (header(request.scope, b"accept") or "")
        is_ours = path.startswith(OURS) or "." in path.rpartition("/")[2]
        if index is None or not wants_page or is_ours or request.method not in SAFE_METHODS:
            return None
        return index.response(request)


def load_folder(folder: Path, prefix: str = "") -> Mapping[str, Page]:
    """Every file under a folder by the address it is served at; nothing for an absent folder."""
    return {
        f"{prefix}/{path.relative_to(folder).as_posix()}": _load(path, folder)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _load(path: Path, folder: Path) -> Page:
    body = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type.endswith("javascript"):  # Litestar adds the charset of text/* itself
        media_type += "; charset=utf-8"
    is_hashed = ("/" + path.relative_to(folder).as_posix()).startswith(HASHED)
    tag = hashlib.sha256(body).hexdigest()[:32]
    return Page(body, media_type, f'"{tag}"', FOREVER if is_hashed else ASK_AGAIN)
