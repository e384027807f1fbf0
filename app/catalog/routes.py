"""REST of the catalogue: parse, call one verb, answer. Reading is open to everybody."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import JSONBody, MultipartBody

from app.catalog.policy import can_edit_catalog
from app.catalog.schemas import (
    Book,
    BookQuery,
    Category,
    Chapter,
    CreateBook,
    CreateCategory,
    CreateGroup,
    Group,
    ShelfQuery,
    TableOfContents,
    UpdateBook,
    UpdateCategory,
    UpdateGroup,
)
from app.catalog.service import Catalog, Shelves
from app.http.etag import conditional, created, if_match, versioned
from app.http.params import Limit, OptionalCursor, OptionalId, OptionalText, OptionalYear, PathId
from app.http.reach import for_keys
from app.http.sessions import allowed_by
from app.kit.paging import DEFAULT_PAGE, Page
from app.kit.principal import Principal, Scope

AnyRequest = Request[Any, Any, Any]
UPLOAD_LIMIT_BYTES = 64 * 1024 * 1024
"""Where reading stops for good; the smaller limit of the settings answers with the reason."""
READ = for_keys(Scope.CATALOG_READ)
WRITE = for_keys(Scope.CATALOG_WRITE)


@get("/books", operation_id="listBooks", opt=READ)
async def list_books(
    catalog: NamedDependency[Catalog],
    viewer: NamedDependency[Principal | None],
    q: OptionalText = None,
    sort: OptionalText = None,
    category_id: OptionalId = None,
    group_id: OptionalId = None,
    author: OptionalText = None,
    language: OptionalText = None,
    year: OptionalYear = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[Book]:
    """Books. `q` forgives typos and sorts by relevance unless `sort` says otherwise: id, title,
    author, year, created_at, updated_at, views, downloads or likes, each also with a leading -.
    By relevance at most a thousand come: of more that hold the words, the most liked."""
    query = BookQuery(q, sort, category_id, group_id, author, language, year, limit, cursor)
    return await catalog.list_books(viewer, query)


@post("/books", operation_id="createBook", opt=WRITE, status_code=201)
async def create_book(
    data: JSONBody[CreateBook],
    principal: NamedDependency[Principal],
    catalog: NamedDependency[Catalog],
) -> Response[Book]:
    """Add a book, for teachers and admins."""
    book = await catalog.create_book(principal, data)
    return created(book, book.version, f"/api/v1/books/{book.id}")


@get("/books/{book_id:int}", operation_id="getBook", opt=READ)
async def get_book(
    book_id: PathId, catalog: NamedDependency[Catalog], viewer: NamedDependency[Principal | None]
) -> Response[Book]:
    """One book. Its ETag is the version for `If-Match`; counters move without changing it, so there
    is no 304 here."""
    book = await catalog.visible_book(viewer, book_id)
    return versioned(book, book.version)


@put("/books/{book_id:int}", operation_id="updateBook", opt=WRITE)
async def update_book(
    book_id: PathId,
    data: JSONBody[UpdateBook],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    catalog: NamedDependency[Catalog],
) -> Response[Book]:
    """Change a book, for teachers and admins; absent fields stay. `If-Match` is honoured."""
    book = await catalog.change_book(principal, book_id, data, if_match(request.scope))
    return versioned(book, book.version)


@delete("/books/{book_id:int}", operation_id="deleteBook", opt=WRITE)
async def delete_book(
    book_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    catalog: NamedDependency[Catalog],
) -> None:
    """Remove a book with its text and counts, for teachers and admins."""
    await catalog.delete_book(principal, book_id, if_match(request.scope))


@put(
    "/books/{book_id:int}/cover",
    operation_id="replaceCover",
    guards=[allowed_by(can_edit_catalog)],
    opt=WRITE,
    request_max_body_size=UPLOAD_LIMIT_BYTES,
)
async def replace_cover(
    book_id: PathId,
    data: MultipartBody[UploadFile],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    catalog: NamedDependency[Catalog],
) -> Response[Book]:
    """Upload a cover as the form's only file: JPEG, PNG or WebP of at most 40 megapixels."""
    upload = await data.read()
    book = await catalog.replace_cover(principal, book_id, upload, if_match(request.scope))
    return versioned(book, book.version)


@get("/books/{book_id:int}/chapters", operation_id="listChapters", opt=READ)
async def list_chapters(
    book_id: PathId, catalog: NamedDependency[Catalog], viewer: NamedDependency[Principal | None]
) -> TableOfContents:
    """A book's table of contents; empty where the library has no text of it."""
    return await catalog.contents(viewer, book_id)


@get("/books/{book_id:int}/chapters/{number:int}", operation_id="getChapter", opt=READ)
async def get_chapter(
    book_id: PathId,
    number: PathId,
    catalog: NamedDependency[Catalog],
    viewer: NamedDependency[Principal | None],
) -> Chapter:
    """One chapter as passages of safe HTML; a passage's id is the anchor of its citations."""
    return await catalog.chapter(viewer, book_id, number)


@get("/books/{book_id:int}/file", operation_id="getBookFile", opt=READ, media_type="text/markdown")
async def get_book_file(
    book_id: PathId, catalog: NamedDependency[Catalog], viewer: NamedDependency[Principal | None]
) -> Response[bytes]:
    """The whole text as a Markdown file."""
    file = await catalog.book_file(viewer, book_id)
    headers = {"content-disposition": _attachment(f"{file.name}.md")}
    return Response(file.data, media_type="text/markdown", headers=headers)


@get("/categories", operation_id="listCategories", opt=READ)
async def list_categories(
    shelves: NamedDependency[Shelves],
    q: OptionalText = None,
    sort: OptionalText = None,
    name: OptionalText = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[Category]:
    """Categories, sorted by id, name or created_at, each also with a leading -."""
    return await shelves.list_categories(ShelfQuery(q, sort, name, None, limit, cursor))


@post("/categories", operation_id="createCategory", opt=WRITE, status_code=201)
async def create_category(
    data: JSONBody[CreateCategory],
    principal: NamedDependency[Principal],
    shelves: NamedDependency[Shelves],
) -> Response[Category]:
    """Add a category, for teachers and admins."""
    category = await shelves.create_category(principal, data)
    return created(category, category.version, f"/api/v1/categories/{category.id}")


@get("/categories/{category_id:int}", operation_id="getCategory", opt=READ)
async def get_category(
    category_id: PathId, request: AnyRequest, shelves: NamedDependency[Shelves]
) -> Response[Category]:
    """One category."""
    category = await shelves.category(category_id)
    return conditional(request.scope, category, category.version)


@put("/categories/{category_id:int}", operation_id="updateCategory", opt=WRITE)
async def update_category(
    category_id: PathId,
    data: JSONBody[UpdateCategory],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    shelves: NamedDependency[Shelves],
) -> Response[Category]:
    """Change a category, for teachers and admins; absent fields stay. `If-Match` is honoured."""
    expected = if_match(request.scope)
    category = await shelves.change_category(principal, category_id, data, expected)
    return versioned(category, category.version)


@delete("/categories/{category_id:int}", operation_id="deleteCategory", opt=WRITE)
async def delete_category(
    category_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    shelves: NamedDependency[Shelves],
) -> None:
    """Remove an empty category, for teachers and admins."""
    await shelves.delete_category(principal, category_id, if_match(request.scope))


@get("/groups", operation_id="listGroups", opt=READ)
async def list_groups(
    shelves: NamedDependency[Shelves],
    q: OptionalText = None,
    sort: OptionalText = None,
    name: OptionalText = None,
    category_id: OptionalId = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: OptionalCursor = None,
) -> Page[Group]:
    """Groups, sorted by id, name or created_at, each also with a leading -."""
    return await shelves.list_groups(ShelfQuery(q, sort, name, category_id, limit, cursor))


@post("/groups", operation_id="createGroup", opt=WRITE, status_code=201)
async def create_group(
    data: JSONBody[CreateGroup],
    principal: NamedDependency[Principal],
    shelves: NamedDependency[Shelves],
) -> Response[Group]:
    """Add a group to a category, for teachers and admins."""
    group = await shelves.create_group(principal, data)
    return created(group, group.version, f"/api/v1/groups/{group.id}")


@get("/groups/{group_id:int}", operation_id="getGroup", opt=READ)
async def get_group(
    group_id: PathId, request: AnyRequest, shelves: NamedDependency[Shelves]
) -> Response[Group]:
    """One group."""
    group = await shelves.group(group_id)
    return conditional(request.scope, group, group.version)


@put("/groups/{group_id:int}", operation_id="updateGroup", opt=WRITE)
async def update_group(
    group_id: PathId,
    data: JSONBody[UpdateGroup],
    principal: NamedDependency[Principal],
    request: AnyRequest,
    shelves: NamedDependency[Shelves],
) -> Response[Group]:
    """Change a group, for teachers and admins; in another category its books follow it."""
    group = await shelves.change_group(principal, group_id, data, if_match(request.scope))
    return versioned(group, group.version)


@delete("/groups/{group_id:int}", operation_id="deleteGroup", opt=WRITE)
async def delete_group(
    group_id: PathId,
    principal: NamedDependency[Principal],
    request: AnyRequest,
    shelves: NamedDependency[Shelves],
) -> None:
    """Remove an empty group, for teachers and admins."""
    await shelves.delete_group(principal, group_id, if_match(request.scope))


def _attachment(name: str) -> str:
    """A download's name for old and new browsers (RFC 6266, appendix D)."""
    plain = name.encode("ascii", "replace").decode().translate(str.maketrans('"\\/?', "____"))
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


routes = [
    list_books,
    create_book,
    get_book,
    update_book,
    delete_book,
    replace_cover,
    list_chapters,
    get_chapter,
    get_book_file,
    list_categories,
    create_category,
    get_category,
    update_category,
    delete_category,
    list_groups,
    create_group,
    get_group,
    update_group,
    delete_group,
]
