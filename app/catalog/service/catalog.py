"""Books: who may see and change them, their text, their passages, their counters."""

from datetime import datetime

from app.catalog.policy import can_edit_catalog
from app.catalog.queries import books, texts
from app.catalog.schemas import (
    Book,
    BookFile,
    BookNotFound,
    BookQuery,
    Chapter,
    ChapterNotFound,
    ChapterTitle,
    Counters,
    CreateBook,
    Passage,
    PassageNotFound,
    PassageView,
    TableOfContents,
    TextNotFound,
    Totals,
    UpdateBook,
)
from app.catalog.service.passages import searched_words, telling_words
from app.catalog.service.rows import (
    as_bigint,
    book_of,
    category_for,
    counters_from,
    given,
    id_of,
    locked_book,
    settle_place,
    tidy_values,
    unknown_places,
)
from app.infra.db import Database, Queryable
from app.infra.listing import Conditions, Listing, PageRequest, SortKey, fetch_page
from app.kit.paging import Page
from app.kit.personal import Afterwards, Sections, nothing_afterwards
from app.kit.principal import Principal
from app.media.service import Media

SORTS = {
    "id": SortKey("b.id", int),
    "title": SortKey("b.title_key"),
    "author": SortKey("b.author_key"),
    "year": SortKey("coalesce(b.year, 2147483647)", int),
    "created_at": SortKey("b.created_at", datetime),
    "updated_at": SortKey("b.updated_at", datetime),
    "views": SortKey("k.views", int),
    "downloads": SortKey("k.downloads", int),
    "likes": SortKey("k.likes", int),
}
LATEST_YEAR = {"year": SortKey("coalesce(b.year, -2147483648)", int)}
"""Books without a year come last in both directions; each direction has its index."""

COUNTED = {"views", "downloads", "likes"}
BY_RELEVANCE = "-relevance"
MIN_FUZZY_LETTERS = 4
MAX_FUZZY_WORDS = 8
MAX_QUESTION_CHARACTERS = 2000


class Catalog:
    """The library's books. Other rooms ask it for visible books, passages and counting."""

    def __init__(self, db: Database, media: Media) -> None:
        self._db = db
        self._media = media

    async def visible_book(self, viewer: Principal | None, book_id: int) -> Book:
        """The book, if this person may see it. Raises BookNotFound."""
        row = await books.book_by_id(self._db, id_of(viewer), as_bigint(book_id))
        if row is None:
            raise BookNotFound
        return book_of(row)

    async def list_books(self, viewer: Principal | None, query: BookQuery) -> Page[Book]:
        """One page of the books that answer a question. Raises InvalidInput."""
        where = Conditions()
        where.param(id_of(viewer))  # $1 of every statement on books
        sorts = {**SORTS, **(LATEST_YEAR if query.sort == "-year" else {})}
        where.add("b.category_id = {}::bigint", query.category_id)
        where.add("b.group_id = {}::bigint", query.group_id)
        where.add("b.author_key = lower(immutable_unaccent({}))", query.author)
        where.add("b.language = {}", query.language)
        where.add("b.year = {}::bigint", query.year)
        text = (query.q or "").strip()
        sort = query.sort or (BY_RELEVANCE if text else "title")
        if text:
            place = where.param(text)
            words = [where.param(word) for word in searched_words(text)]
            sorts["relevance"] = SortKey(books.relevance(place), int)
            if sort.removeprefix("-") == "relevance":
                where.terms.append(books.best_matches(place, words, list(where.terms)))
            else:
                where.terms.append(books.matches(place, words))
        # The table that holds the key also breaks ties, so that one index serves both.
        tie = "k.book_id" if sort.removeprefix("-") in COUNTED else "b.id"
        listing = Listing(books.LIST, sorts, sort, tie)
        page = PageRequest(sort, query.limit, query.cursor)
        rows, cursor = await fetch_page(self._db, listing, where, page)
        return Page([book_of(row) for row in rows], cursor)

    async def create_book(self, principal: Principal, new: CreateBook) -> Book:
        """Add a book. Raises Forbidden, UnknownPlace, GroupInOtherCategory, ExtraTooLarge."""
        can_edit_catalog(principal)
        values = tidy_values(given(new))
        values["created_by"] = principal.user_id
        async with self._db.transaction() as tx:
            values["category_id"] = await category_for(tx, new.category_id, new.group_id)
            with unknown_places():
                book_id = await books.insert_book(tx, values)
        return await self.visible_book(principal, book_id)

    async def change_book(
        self, principal: Principal, book_id: int, change: UpdateBook, expected: int | None
    ) -> Book:
        """Change a book; `expected` is the version it was read in, if the caller says so.

        Raises Forbidden, BookNotFound, PreconditionFailed and whatever `create_book` refuses.
        """
        can_edit_catalog(principal)
        values = tidy_values(given(change))
        async with self._db.transaction() as tx:
            row = await locked_book(tx, book_id, expected)
            await settle_place(tx, values, row["group_id"])
            with unknown_places():
                await books.update_book(tx, row["id"], values)
            if "language" in values:
                await texts.set_language(tx, row["id"], values["language"])
        return await self.visible_book(principal, book_id)

    async def delete_book(self, principal: Principal, book_id: int, expected: int | None) -> None:
        """Remove a book with its text and counts. Raises as `change_book`."""
        can_edit_catalog(principal)
        async with self._db.transaction() as tx:
            row = await locked_book(tx, book_id, expected)
            await books.delete_book(tx, row["id"])

    async def replace_cover(
        self, principal: Principal, book_id: int, upload: bytes, expected: int | None
    ) -> Book:
        """Give a book an uploaded cover.

        Raises as `change_book`, and CoverRefused, PayloadTooLarge, Unavailable.
        """
        can_edit_catalog(principal)
        await self.visible_book(principal, book_id)
        cover_hash = await self._media.store_upload(upload)
        async with self._db.transaction() as tx:
            row = await locked_book(tx, book_id, expected)
            await books.update_book(tx, row["id"], {"cover_hash": cover_hash})
        return await self.visible_book(principal, book_id)

    async def contents(self, viewer: Principal | None, book_id: int) -> TableOfContents:
        """A book's chapters in order. Raises BookNotFound."""
        book = await self.visible_book(viewer, book_id)
        rows = await texts.chapter_titles(self._db, book.id)
        return TableOfContents([ChapterTitle(**row) for row in rows])

    async def chapter(self, viewer: Principal | None, book_id: int, number: int) -> Chapter:
        """One chapter to read. Raises BookNotFound, ChapterNotFound."""
        book = await self.visible_book(viewer, book_id)
        row = await texts.chapter_of(self._db, book.id, as_bigint(number))
        if row is None:
            raise ChapterNotFound
        passages = await texts.passages_of(self._db, book.id, number)
        return Chapter(**row, passages=[PassageView(**passage) for passage in passages])

    async def book_file(self, viewer: Principal | None, book_id: int) -> BookFile:
        """The whole text. Raises BookNotFound, TextNotFound, Unavailable."""
        book = await self.visible_book(viewer, book_id)
        key = await books.file_key_of(self._db, book.id)
        if key is None:
            raise TextNotFound
        return BookFile(book.title, await self._media.text(key))

    async def search_passages(
        self, query: str, *, book_id: int | None = None, limit: int = 8
    ) -> list[Passage]:
        """The passages that best answer a question, best first; misspelt words are guessed."""
        words = telling_words(query[:MAX_QUESTION_CHARACTERS])
        rows = await texts.passages_with_words(self._db, " ".join(words), book_id, limit)
        if not rows:
            long = [word for word in words if len(word) >= MIN_FUZZY_LETTERS][:MAX_FUZZY_WORDS]
            rows = await texts.passages_spelled_like(self._db, long, book_id, limit)
        return [Passage(**row) for row in rows]

    async def passage(self, passage_id: str) -> Passage:
        """One citable passage. Raises PassageNotFound."""
        row = await texts.passage_by_id(self._db, passage_id)
        if row is None:
            raise PassageNotFound
        return Passage(**row)

    async def personal_data(self, user_id: int) -> Sections:
        """Which books a person added."""
        return {"books_added": await books.added_by(self._db, user_id)}

    async def forget(self, tx: Queryable, user_id: int) -> Afterwards:
        """Books stay in the library."""
        await books.unname_author_of_entries(tx, user_id)
        return nothing_afterwards

    async def counters(self, book_id: int) -> Counters:
        """The counts of one book. Raises BookNotFound."""
        return counters_from(await books.counters_of(self._db, as_bigint(book_id)))

    async def count(
        self, tx: Queryable, book_id: int, *, views: int = 0, downloads: int = 0, likes: int = 0
    ) -> Counters:
        """Add to a book's counts in the caller's transaction. Raises BookNotFound."""
        return counters_from(await books.add_to_counters(tx, book_id, views, downloads, likes))

    async def totals(self) -> Totals:
        """The sums over the whole library."""
        row = await books.totals(self._db)
        return Totals(**(row or {}))
