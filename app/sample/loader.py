"""Loads the sample library and the demo accounts; a second run finds everything in its place."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from app.catalog.schemas import ImportedBook
from app.catalog.service import Imports
from app.catalog.service.imports import fingerprint
from app.house import House
from app.infra.images.covers import draw_cover
from app.kit.principal import Role
from app.media.schemas import CoverWidth
from app.piccolo_app import TABLES
from app.sample import collection
from app.settings import Settings

PASSWORD = "sicerdas-demo"  # noqa: S105  # shown to everybody who runs the demo
ACCOUNTS = {
    "admin": ("Ayu Admin", Role.ADMIN),
    "teacher": ("Tono Teacher", Role.TEACHER),
    "moderator": ("Maya Moderator", Role.MODERATOR),
    "moderator2": ("Made Moderator", Role.MODERATOR),
    "learner": ("Lia Learner", Role.USER),
    "learner2": ("Lukas Learner", Role.USER),
}
UPLOADS = 6


class LoadReport(Struct, frozen=True):
    """What a run did."""

    books: int
    changed: int
    covers: int
    accounts: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.books} books ({self.changed} new or changed), {self.covers} covers drawn, "
            f"{self.accounts} accounts, {self.seconds:.1f} s"
        )


async def load(settings: Settings, folder: Path = collection.FOLDER) -> LoadReport:
    """Bring the whole collection into the library. Raises Unavailable when a server is away."""
    began = time.monotonic()
    async with _opened(House(settings)) as house:
        imports = Imports(house.db, house.media)
        for category in collection.taxonomy(folder):
            await imports.ensure_places(category.name, category.description, category.groups)
        books = list(collection.books(folder))
        changed, coverless = await _load_books(imports, books)
        await _draw_covers(imports, coverless)
        for name, (full_name, role) in ACCOUNTS.items():
            await house.accounts.ensure_account(f"{name}@example.org", full_name, PASSWORD, role)
    took = time.monotonic() - began
    return LoadReport(len(books), changed, len(coverless), len(ACCOUNTS), took)


@asynccontextmanager
async def _opened(house: House) -> AsyncIterator[House]:
    """The house without its realtime half: nobody is connected to a loader."""
    await house.db.start(TABLES)
    try:
        await house.storage.start()
        try:
            await house.storage.ensure_bucket()
            yield house
        finally:
            await house.storage.stop()
    finally:
        house.passwords.close()
        await house.db.stop()


async def _load_books(
    imports: Imports, books: Sequence[ImportedBook]
) -> tuple[int, list[tuple[int, ImportedBook]]]:
    """How many were new or changed, and those that have no cover yet."""
    known = await imports.known([book.slug for book in books])
    changed = 0
    coverless: list[tuple[int, ImportedBook]] = []
    for book in books:
        mark, state = known.get(book.slug, ("", None))
        if state is None or mark != fingerprint(book):
            state = await imports.import_book(book)
            changed += 1
        if not state.has_cover:
            coverless.append((state.book_id, book))
    return changed, coverless


async def _draw_covers(imports: Imports, coverless: list[tuple[int, ImportedBook]]) -> None:
    """Draw on every core; store while others are still being drawn."""
    if not coverless:
        return
    loop = asyncio.get_running_loop()
    turns = asyncio.Semaphore(UPLOADS)
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit the open connections

    async def cover(pool: ProcessPoolExecutor, book_id: int, book: ImportedBook) -> None:
        async with turns:
            pictures = await loop.run_in_executor(pool, _draw, book)
            await imports.set_cover(book_id, pictures)

    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        async with asyncio.TaskGroup() as group:
            for book_id, book in coverless:
                group.create_task(cover(pool, book_id, book))


def _draw(book: ImportedBook) -> list[bytes]:
    return draw_cover(
        book.title, book.author, book.category, book.group, book.slug, tuple(CoverWidth)
    )
