"""What a refusal says: a document of RFC 9457 with a code of `frontend-contract/errors.json`."""

import httpx


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and stable code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"/errors/{body['code']}"
    return answer.status_code, body["code"]
