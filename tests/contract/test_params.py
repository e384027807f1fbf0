"""What an address can say, and what it cannot."""

import pytest

from tests.support.house import Person


@pytest.mark.parametrize("query", ["role=null", "status=NULL", "limit=null"])
async def test_null_is_no_filter(admin: Person, query: str) -> None:
    """A reader who writes `null` would otherwise get everything and believe it was filtered."""
    answer = await admin.http.get(f"/api/v1/users?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")


async def test_null_is_a_word_in_free_text(admin: Person) -> None:
    """One may search for it."""
    answer = await admin.http.get("/api/v1/users?q=null")
    assert (answer.status_code, answer.json()["items"]) == (200, [])
