"""The app serves its own contract: documents, viewers, and a page for every error."""

import re
from typing import Any

import httpx
import pytest

from tests.contract.conftest import CONTRACT, committed


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json", "errors.json"])
async def test_document_is_the_committed_one(nobody: httpx.AsyncClient, name: str) -> None:
    """What is served is what is in the folder."""
    answer = await nobody.get(f"/api/{name}")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.content == (CONTRACT / name).read_bytes()


@pytest.mark.parametrize("error", committed("errors.json")["errors"], ids=lambda row: row["code"])
async def test_type_of_every_error_leads_to_a_page(
    nobody: httpx.AsyncClient, error: dict[str, Any]
) -> None:
    """`/errors/<code>` explains the code."""
    answer = await nobody.get(f"/errors/{error['code']}")
    assert answer.status_code == 200
    assert answer.json() == error


async def test_unknown_error_code_is_not_found(nobody: httpx.AsyncClient) -> None:
    """Only codes that exist have a page."""
    assert (await nobody.get("/errors/no-such-code")).status_code == 404


@pytest.mark.parametrize("page", ["/api/docs", "/api/docs/realtime"])
async def test_viewer_loads_only_from_here(nobody: httpx.AsyncClient, page: str) -> None:
    """Every asset of the page is ours, exists, and no script stands in the page itself."""
    answer = await nobody.get(page)
    assert answer.status_code == 200, "run `make setup`: it builds the viewers"
    assert "script-src 'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*src=)", answer.text) == []
    assets = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    for asset in assets:
        if asset.startswith("data:") or asset == "/":
            continue
        assert asset.startswith("/api/"), asset
        assert (await nobody.get(asset)).status_code == 200, asset


async def test_only_the_realtime_viewer_may_eval(nobody: httpx.AsyncClient) -> None:
    """The relaxation stays on the one page that needs it."""
    for path, may in (
        ("/api/docs", False),
        ("/api/docs/realtime", True),
        ("/api/docs/docs.css", False),
    ):
        policy = (await nobody.get(path)).headers["content-security-policy"]
        assert ("'unsafe-eval'" in policy) is may, path
