"""Filing and deciding reports over HTTP."""

from typing import Any

import httpx

from tests.support.house import Person

URL = "/api/v1/reports"


def about(person: Person, **changes: Any) -> dict[str, Any]:
    """The body of a report about a person."""
    return {"target_type": "user", "target_id": person.id, "reason": "Rude name", **changes}


async def filed(by: Person, target: Person) -> dict[str, Any]:
    """A report that was taken."""
    answer = await by.http.post(URL, json=about(target))
    return answer.raise_for_status().json()


async def decide(by: Person, report: dict[str, Any], status: str, version: int) -> httpx.Response:
    """The answer to a decision on that version."""
    headers = {"If-Match": f'"{version}"'}
    return await by.http.put(f"{URL}/{report['id']}", json={"status": status}, headers=headers)
