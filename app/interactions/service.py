"""Counting: a row for every fact, and the book's counters in the same transaction."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from app.catalog.schemas import BookQuery
from app.catalog.service import Catalog
from app.infra.db import Database, Queryable
from app.interactions.policy import can_see_library_stats
from app.interactions.queries import (
    counted_by,
    delete_like,
    delete_likes_of,
    insert_like,
    insert_once_per_window,
    unname,
)
from app.interactions.schemas import Counters, RecordInteraction, Stats
from app.kit.clock import now
from app.kit.personal import Afterwards, Sections
from app.kit.principal import Principal
from app.kit.secret import Secret

PublishValue = Callable[[str, bytes, int], Awaitable[None]]
"""Channel, finished JSON, version. Never raises: the counters themselves are safe already."""

VIEWER_BYTES = 16
TOP = 10


class Interactions:
    """Views, downloads and likes. `publish` tells the book's channel after the commit."""

    def __init__(
        self,
        db: Database,
        catalog: Catalog,
        publish: PublishValue,
        *,
        secret: Secret,
        view_window_s: int,
    ) -> None:
        self._db = db
        self._catalog = catalog
        self._publish = publish
        self._key = hashlib.blake2b(secret.reveal().encode(), person=b"viewer").digest()
        self._view_window_s = view_window_s

    async def record(self, principal: Principal, fact: RecordInteraction) -> Counters:
        """Count what somebody did; a repetition counts nothing. Raises BookNotFound."""
        await self._catalog.counters(fact.book_id)
        async with self._db.transaction() as tx:
            counted = await self._count(tx, principal.user_id, fact)
        if counted is None:
            return await self._catalog.counters(fact.book_id)
        await self._publish(
            channel_of(counted.book_id), msgspec.json.encode(counted), counted.version
        )
        return counted

    async def counters(self, book_id: int) -> Counters:
        """The counts of one book. Raises BookNotFound."""
        return await self._catalog.counters(book_id)

    async def stats(self, principal: Principal, book_id: int | None) -> Stats:
        """One book's counts; without a book the library's. Raises BookNotFound, Forbidden."""
        if book_id is not None:
            return Stats(**msgspec.structs.asdict(await self.counters(book_id)))
        can_see_library_stats(principal)
        totals = await self._catalog.totals()
        viewed = await self._catalog.list_books(principal, BookQuery(sort="-views", limit=TOP))
        liked = await self._catalog.list_books(principal, BookQuery(sort="-likes", limit=TOP))
        return Stats(
            **msgspec.structs.asdict(totals),
            most_viewed=list(viewed.items),
            most_liked=list(liked.items),
        )

    async def personal_data(self, user_id: int) -> Sections:
        """What a person viewed, downloaded and likes."""
        return {"interactions": await counted_by(self._db, user_id)}

    async def forget(self, tx: Queryable, user_id: int) -> Afterwards:
        """Likes are taken back; what was viewed stays counted, by nobody."""
        books = await delete_likes_of(tx, user_id)
        counted = [await self._catalog.count(tx, book_id, likes=-1) for book_id in books]
        await unname(tx, user_id)

        async def tell() -> None:
            for counts in counted:
                data = msgspec.json.encode(counts)
                await self._publish(channel_of(counts.book_id), data, counts.version)

        return tell

    async def _count(self, tx: Queryable, user_id: int, fact: RecordInteraction) -> Counters | None:
        """The new counts, or None when this was counted before."""
        book_id = fact.book_id
        if fact.type == "like":
            if await insert_like(tx, user_id, book_id):
                return await self._catalog.count(tx, book_id, likes=1)
        elif fact.type == "unlike":
            if await delete_like(tx, user_id, book_id):
                return await self._catalog.count(tx, book_id, likes=-1)
        elif await insert_once_per_window(
            tx, user_id, book_id, fact.type, self._viewer(user_id), self._window_start()
        ):
            views, downloads = int(fact.type == "view"), int(fact.type == "download")
            return await self._catalog.count(tx, book_id, views=views, downloads=downloads)
        return None

    def _viewer(self, user_id: int) -> bytes:
        """Who is counted, as a keyed hash: unreadable without the installation's secret."""
        name = f"user:{user_id}".encode()
        return hashlib.blake2b(name, key=self._key, digest_size=VIEWER_BYTES).digest()

    def _window_start(self) -> datetime:
        """Windows stand on a fixed grid, so that one unique index decides and nothing is locked."""
        seconds = int(now().timestamp())
        return datetime.fromtimestamp(seconds - seconds % self._view_window_s, UTC)


def channel_of(book_id: int) -> str:
    """The channel of a book's counters."""
    return f"book:{book_id}"
