"""Pictures and texts in the object store, under keys made of their content."""

import asyncio
import hashlib
import re
from collections.abc import Sequence

from app.infra.images import ImageRefused, Limits, as_webp
from app.infra.storage import ObjectMissing, Storage
from app.kit.errors import NotFound, PayloadTooLarge
from app.media.schemas import CoverRefused, CoverWidth

WEBP = "image/webp"
MARKDOWN = "text/markdown; charset=utf-8"
HASH_CHARACTERS = 32
COVER_NAME = re.compile(r"([0-9a-f]{32})-(160|320|480)\.webp")
MEBIBYTE = 1024 * 1024


class Media:
    """Stores and hands out covers and whole texts; knows nothing of the books they belong to."""

    def __init__(
        self,
        storage: Storage,
        *,
        max_upload_bytes: int = 12 * MEBIBYTE,
        cache_bytes: int = 32 * MEBIBYTE,
        uploads_at_once: int = 2,
    ) -> None:
        self._storage = storage
        self._max_upload_bytes = max_upload_bytes
        self._limits = Limits()
        self._recent = RecentObjects(cache_bytes)
        self._turns = asyncio.Semaphore(uploads_at_once)

    async def store_upload(self, data: bytes) -> str:
        """Check, re-encode and store an uploaded picture; answers the cover's hash.

        Raises PayloadTooLarge, CoverRefused, Unavailable.
        """
        if len(data) > self._max_upload_bytes:
            raise PayloadTooLarge(f"A picture may have at most {self._max_upload_bytes} bytes")
        try:
            async with self._turns:
                pictures = await as_webp(data, tuple(CoverWidth), self._limits)
        except ImageRefused as fault:
            raise CoverRefused(str(fault)) from fault
        return await self.store_cover(pictures)

    async def store_cover(self, pictures: Sequence[bytes]) -> str:
        """Store finished WebP pictures, one for each CoverWidth; answers the cover's hash."""
        digest = hashlib.sha256(b"".join(pictures)).hexdigest()[:HASH_CHARACTERS]
        for width, picture in zip(CoverWidth, pictures, strict=True):
            await self._storage.put(f"covers/{digest}-{width}.webp", picture, WEBP)
        return digest

    async def cover(self, name: str) -> bytes:
        """One stored picture by the last part of its address. Raises NotFound, Unavailable."""
        if COVER_NAME.fullmatch(name) is None:
            raise NotFound("There is no such picture")
        key = f"covers/{name}"
        known = self._recent.get(key)
        if known is not None:
            return known
        try:
            picture = await self._storage.get(key)
        except ObjectMissing as fault:
            raise NotFound("There is no such picture") from fault
        self._recent.add(key, picture)
        return picture

    async def store_text(self, text: str) -> str:
        """Store a whole text as Markdown; answers its key."""
        data = text.encode()
        key = f"texts/{hashlib.sha256(data).hexdigest()[:HASH_CHARACTERS]}.md"
        await self._storage.put(key, data, MARKDOWN)
        return key

    async def text(self, key: str) -> bytes:
        """A stored text. Raises NotFound, Unavailable."""
        try:
            return await self._storage.get(key)
        except ObjectMissing as fault:
            raise NotFound("The text of this book is not in the file store") from fault


class RecentObjects:
    """A few immutable objects in memory; at the bound the one unused for longest is dropped."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """The object, which is now the most recently used, or None."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def add(self, key: str, data: bytes) -> None:
        """Keep an object, unless it alone would take more than a tenth of the room."""
        if key in self._kept or len(data) * 10 > self._max_bytes:
            return
        self._kept[key] = data
        self._bytes += len(data)
        while self._bytes > self._max_bytes:
            oldest = next(iter(self._kept))
            self._bytes -= len(self._kept.pop(oldest))
