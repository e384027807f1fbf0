"""What holds for every address: headers, HEAD, unknown addresses, pages, metrics, health."""

import httpx
import pytest

from tests.support.house import Person

SECURITY = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "x-request-id",
)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/books", 200),
        ("GET", "/api/v1/nothing-here", 404),
        ("GET", "/api/v1/users/me", 401),
        ("DELETE", "/api/v1/auth/login", 405),
        ("GET", "/health/live", 200),
        ("GET", "/nowhere", 404),
    ],
)
async def test_v3_4_every_answer_has_the_security_headers(
    nobody: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Found or not, allowed or not: no answer goes out bare."""
    answer = await nobody.request(method, path)
    assert answer.status_code == status
    for name in SECURITY:
        assert name in answer.headers, name


async def test_head_is_get_without_a_body(nobody: httpx.AsyncClient) -> None:
    """RFC 9110, 9.3.2: same status and headers, no content."""
    get = await nobody.get("/api/v1/categories")
    head = await nobody.head("/api/v1/categories")
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("path", ["/api/v1/nothing-here", "/errors/nothing", "/x.php"])
async def test_unknown_address_is_a_problem_even_for_a_browser(
    nobody: httpx.AsyncClient, path: str
) -> None:
    """Addresses that belong to the API never turn into a page."""
    answer = await nobody.get(path, headers={"accept": "text/html"})
    assert answer.json()["code"] == "not-found"


async def test_oversize_body_is_refused(learner: Person) -> None:
    """The limit of the settings holds, in the one form of error."""
    body = {"name": "x" * 2_000_000}
    answer = await learner.http.put("/api/v1/users/me", json=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'{"name": "\xff"}', b'"x"', b"nul"])
async def test_malformed_bodies_are_400(learner: Person, body: bytes) -> None:
    """No body makes a 500."""
    headers = {"content-type": "application/json"}
    answer = await learner.http.put("/api/v1/users/me", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"] in {"malformed-json", "invalid-input"}


async def test_ids_beyond_every_bound_are_404(nobody: httpx.AsyncClient) -> None:
    """A number that no row can have is an absent thing."""
    for number in ("0", "-1", "2147483648", "9" * 30):
        answer = await nobody.get(f"/api/v1/books/{number}")
        assert answer.status_code == 404, number


async def test_metrics_count_by_route_and_never_by_id(nobody: httpx.AsyncClient) -> None:
    """Labels are bounded: templates, and one name for everything unknown."""
    await nobody.get("/api/v1/books/2147483647")
    await nobody.get("/made-up-by-a-scanner")
    text = (await nobody.get("/metrics")).text
    assert 'route="/api/v1/books/{book_id}"' in text or "{book_id:int}" in text
    assert "2147483647" not in text
    assert "made-up-by-a-scanner" not in text
    assert "realtime_connections" in text
    assert "jobs_dead" in text


async def test_health_names_every_part(nobody: httpx.AsyncClient) -> None:
    """Ready means that everything behind the app answers."""
    answer = await nobody.get("/health/ready")
    assert answer.status_code == 200
    parts = {"process": "ok", "database": "ok", "redis": "ok", "storage": "ok"}
    assert answer.json() == {"status": "ok", "parts": parts}
