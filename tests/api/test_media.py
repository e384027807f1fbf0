"""Covers over real HTTP: uploaded by teachers, kept for ever, refused when hostile."""

import io

import httpx
import pytest
from PIL import Image

from app.settings import Settings
from tests.support.house import Person, serve, with_settings
from tests.support.library import BOOKS, add_book
from tests.support.problems import code_of


def png(colour: str = "red", size: tuple[int, int] = (300, 450)) -> bytes:
    """A plain picture."""
    packed = io.BytesIO()
    Image.new("RGB", size, colour).save(packed, "PNG")
    return packed.getvalue()


async def upload(
    by: httpx.AsyncClient, book_id: int, data: bytes, **headers: str
) -> httpx.Response:
    files = {"file": ("../../cover.php", data, "image/png")}
    return await by.put(f"{BOOKS}/{book_id}/cover", files=files, headers=headers)


class TestReplaceCover:
    async def test_anonymous_and_learner(
        self, nobody: httpx.AsyncClient, learner: Person, teacher: Person
    ) -> None:
        """Only teachers and admins change the catalogue."""
        book = await add_book(teacher)
        assert code_of(await upload(nobody, book["id"], png())) == (401, "unauthorized")
        assert code_of(await upload(learner.http, book["id"], png())) == (403, "forbidden")

    async def test_three_widths_that_never_change(
        self, teacher: Person, nobody: httpx.AsyncClient
    ) -> None:
        """The addresses hold a hash of the picture; whoever has it need not ask again."""
        book = await add_book(teacher)
        answer = await upload(teacher.http, book["id"], png())
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"] == '"2"'
        cover = answer.json()["cover"]
        for name, width in (("small", 160), ("medium", 320), ("large", 480)):
            picture = await nobody.get(cover[name])
            assert picture.status_code == 200
            assert picture.headers["content-type"] == "image/webp"
            assert "immutable" in picture.headers["cache-control"]
            image = Image.open(io.BytesIO(picture.content), formats=("WEBP",))
            assert image.size == (width, width * 3 // 2)
        same = await upload(teacher.http, (await add_book(teacher))["id"], png())
        assert same.json()["cover"] == cover
        other = await upload(teacher.http, book["id"], png("blue"))
        assert other.json()["cover"] != cover

    async def test_absent_book_and_stale_version(self, teacher: Person) -> None:
        """A cover belongs to the book one has seen."""
        answer = await upload(teacher.http, 2147483647, png())
        assert code_of(answer) == (404, "book-not-found")
        book = await add_book(teacher)
        answer = await upload(teacher.http, book["id"], png(), **{"If-Match": '"9"'})
        assert code_of(answer) == (412, "precondition-failed")
        assert (await teacher.http.get(f"{BOOKS}/{book['id']}")).json()["cover"] is None

    @pytest.mark.parametrize(
        "data", [b"", b"<svg onload=alert(1)>", png()[:200], png(size=(20, 20))], ids=len
    )
    async def test_hostile_is_422_and_leaves_the_book_alone(
        self, teacher: Person, data: bytes
    ) -> None:
        """The reason is written for the person who sent it."""
        book = await add_book(teacher)
        answer = await upload(teacher.http, book["id"], data)
        assert code_of(answer) == (422, "cover-refused")
        assert (await teacher.http.get(f"{BOOKS}/{book['id']}")).json()["version"] == 1

    @pytest.mark.parametrize(
        "request_body",
        [
            {"json": {"file": "x"}},
            {"data": {"file": "x"}},
            {"files": {"a": b"1", "b": b"2"}},
            {"files": {"file": (None, "a field, no file")}},
            {"files": [("file", b"1"), ("file", b"2")]},
            {},
        ],
        ids=str,
    )
    async def test_no_single_file_is_a_problem(
        self, teacher: Person, request_body: dict[str, object]
    ) -> None:
        """Whatever comes instead of a form with one file is refused, never a 500."""
        book = await add_book(teacher)
        answer = await teacher.http.put(f"{BOOKS}/{book['id']}/cover", **request_body)  # type: ignore[arg-type]
        assert answer.status_code in {400, 415, 422}, answer.text

    async def test_too_large_is_413(self, settings: Settings, teacher: Person) -> None:
        """The limit is a setting, and it is said."""
        book = await add_book(teacher)
        async with (
            serve(with_settings(settings, max_upload_bytes=1000)) as small,
            httpx.AsyncClient(base_url=small.url, headers=teacher.http.headers) as client,
        ):
            answer = await upload(client, book["id"], png(size=(900, 900)))
        assert code_of(answer) == (413, "payload-too-large")


class TestGetCover:
    @pytest.mark.parametrize(
        "name",
        [
            "0" * 32 + "-160.webp",
            "0" * 32 + "-161.webp",
            "x.webp",
            "..%2f..%2fetc%2fpasswd",
            "%00",
            "0" * 5000,
        ],
    )
    async def test_unknown_is_404(self, nobody: httpx.AsyncClient, name: str) -> None:
        """Only names that we made lead anywhere."""
        answer = await nobody.get(f"/media/covers/{name}")
        assert answer.status_code == 404
        assert "immutable" not in answer.headers.get("cache-control", "")

    async def test_storage_away_is_503(self, settings: Settings) -> None:
        """The catalogue goes on without its pictures."""
        away = with_settings(settings, s3_endpoint_url="http://127.0.0.1:9")
        async with serve(away) as served, httpx.AsyncClient(base_url=served.url) as client:
            answer = await client.get("/media/covers/" + "0" * 32 + "-160.webp", timeout=30)
            assert code_of(answer) == (503, "unavailable")
            assert (await client.get(BOOKS)).status_code == 200
