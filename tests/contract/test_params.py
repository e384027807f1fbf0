"""What an address can say, and what it cannot."""

import pytest

from tests.support.house import Person


@pytest.mark.parametrize("query", ["role=null", "status=NULL", "limit=null"])
async def test_null_is_no_filter(admin: Person, query: str) -> None:
    """A reader who writes `null` would otherwise get everything and believe it was filtered."""
    answer = await admin.http.get(f"/api/v1/users?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")


@pytest.mark.parametrize("moment", ["0", "0.5", "-1", "1e3", "1763800000", "2026", "20261122"])
async def test_a_number_is_no_moment(admin: Person, moment: str) -> None:
    """A lenient reader takes seconds since 1970 and finds another span than the one meant."""
    for name in ("since", "until"):
        answer = await admin.http.get(f"/api/v1/audit?{name}={moment}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")


@pytest.mark.parametrize("moment", ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5%2B07:00"])
async def test_a_moment_is_a_moment(admin: Person, moment: str) -> None:
    """As RFC 3339 writes it."""
    assert (await admin.http.get(f"/api/v1/audit?until={moment}")).status_code == 200


LISTS = "users audit books categories groups reports reports/mine auth/sessions auth/api-keys"


@pytest.mark.parametrize("path", [*LISTS.split(), "chat/conversations"])
async def test_a_list_has_no_filter_that_it_does_not_know(admin: Person, path: str) -> None:
    """`?rolle=teacher` would show everybody to whoever believes that it was heard."""
    answer = await admin.http.get(f"/api/v1/{path}?rolle=teacher&limit=1")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
    assert answer.json()["errors"][0]["field"] == "rolle"
    assert (await admin.http.get(f"/api/v1/{path}?limit=1")).status_code == 200


async def test_null_is_a_word_in_free_text(admin: Person) -> None:
    """One may search for it."""
    answer = await admin.http.get("/api/v1/users?q=null")
    assert (answer.status_code, answer.json()["items"]) == (200, [])
