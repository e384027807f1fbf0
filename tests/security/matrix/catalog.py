"""Books and shelves: open for reading, changed by teachers and admins."""

import io

from PIL import Image

from app.catalog.service import Imports
from tests.security.matrix.rows import Given, Row, Scene, everybody, only, sends, signed_in
from tests.support.library import course

AUTHORS = ("teacher", "admin")
TEXT = ("Cells", "Cells are small.\n\nThey need energy.")


async def a_book(scene: Scene) -> Given:
    return Given({"book_id": (await scene.world.book()).id}, json={"title": "Another"})


async def read_a_book(scene: Scene) -> Given:
    return Given({"book_id": (await scene.world.book()).id})


async def read_a_text(scene: Scene) -> Given:
    imports = Imports(scene.world.house.db, scene.world.house.media)
    book_id = (await imports.import_book(course(TEXT))).book_id
    return Given({"book_id": book_id, "number": 1})


async def a_cover(scene: Scene) -> Given:
    packed = io.BytesIO()
    Image.new("RGB", (160, 240), "red").save(packed, "PNG")
    files = {"file": ("cover.png", packed.getvalue(), "image/png")}
    return Given({"book_id": (await scene.world.book()).id}, files=files)


async def a_category(scene: Scene) -> Given:
    name = scene.world.name("Renamed")
    return Given({"category_id": (await scene.world.category()).id}, json={"name": name})


async def a_group(scene: Scene) -> Given:
    name = scene.world.name("Renamed")
    return Given({"group_id": (await scene.world.group()).id}, json={"name": name})


async def new_category(scene: Scene) -> Given:
    return Given(json={"name": scene.world.name("New")})


async def new_group(scene: Scene) -> Given:
    category_id = (await scene.world.category()).id
    return Given(json={"name": scene.world.name("New"), "category_id": category_id})


async def a_view(scene: Scene) -> Given:
    return Given(json={"book_id": (await scene.world.book()).id, "type": "view"})


ROWS = {
    "listBooks": Row(everybody(200)),
    "getBook": Row(everybody(200), read_a_book),
    "listChapters": Row(everybody(200), read_a_text),
    "getChapter": Row(everybody(200), read_a_text),
    "getBookFile": Row(everybody(200), read_a_text),
    "createBook": Row(only(*AUTHORS, status=201), sends(title="New")),
    "updateBook": Row(only(*AUTHORS, status=200), a_book),
    "deleteBook": Row(only(*AUTHORS, status=204), read_a_book),
    "replaceCover": Row(only(*AUTHORS, status=200), a_cover),
    "listCategories": Row(everybody(200)),
    "getCategory": Row(everybody(200), a_category),
    "createCategory": Row(only(*AUTHORS, status=201), new_category),
    "updateCategory": Row(only(*AUTHORS, status=200), a_category),
    "deleteCategory": Row(only(*AUTHORS, status=204), a_category),
    "listGroups": Row(everybody(200)),
    "getGroup": Row(everybody(200), a_group),
    "createGroup": Row(only(*AUTHORS, status=201), new_group),
    "updateGroup": Row(only(*AUTHORS, status=200), a_group),
    "deleteGroup": Row(only(*AUTHORS, status=204), a_group),
    "recordInteraction": Row(signed_in(200), a_view),
    "getStats": Row(only(*AUTHORS, status=200)),
}
