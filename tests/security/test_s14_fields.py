"""S14: nobody writes a field that is not theirs, and nobody reads one (ASVS 5.0, 8.2.3, 15.3)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.kit.principal import Role
from app.settings import Settings
from tests.contract.conftest import committed
from tests.security.matrix import ROWS
from tests.security.matrix.calls import Call, allowed_call, scene_for
from tests.security.matrix.rows import COLUMNS, REFUSED
from tests.support.routes import Address, all_addresses
from tests.support.state import state_of
from tests.support.world import World

JSON = "application/json"
EXTRA: dict[str, Any] = {
    "role": "admin",
    "is_admin": True,
    "id": 1,
    "user_id": 1,
    "password_hash": "x",
    "email_verified_at": "2026-01-01T00:00:00Z",
    "version": 999,
    "status": "resolved",
    "__proto__": {"role": "admin"},
    "constructor": {},
}
SECRET = {"password", "password_hash", "token_hash", "secret", "totp_secret", "hash", "key_hash"}
"""Names that no answer may hold."""
SHOWN = {"AuditEntry", "TotpStarted"}
"""The audit chain's own hashes, for admins; a secret shown once to the one whose it is."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return committed("openapi.json")


@pytest.fixture(scope="module")
def table(settings: Settings) -> list[Address]:
    """The routes of the contract."""
    return [one for one in all_addresses(settings) if one.path.startswith("/api/v1/")]


async def send(call: Call, body: Any) -> Any:
    who = call.scene.who.bearer if call.scene.who else {}
    return await call.scene.world.http.request(
        call.address.method, call.url, json=body, headers={**call.given.headers, **who}
    )


async def test_v15_3_3_every_body_refuses_a_field_too_many(
    world: World, table: list[Address], document: dict[str, Any]
) -> None:
    """Whatever else somebody adds to a good body is 400 with its name, and nothing is done."""
    tried = 0
    for address in table:
        if "data" not in address.handler.fn.__annotations__ or address.name == "replaceCover":
            continue
        call = await allowed_call(world, address)
        before = await state_of(world.db)
        for name, value in EXTRA.items():
            if name in (call.given.json or {}):
                continue
            answer = await send(call, {**(call.given.json or {}), name: value})
            assert answer.status_code == 400, (address.name, name, answer.text)
            told = answer.json()
            if name not in fields_of(document, address):
                assert told["errors"][0]["field"] == name, (address.name, told)
        assert await state_of(world.db) == before, address.name
        tried += 1
    assert tried >= 15


def fields_of(document: dict[str, Any], address: Address) -> set[str]:
    """What a body may hold."""
    operation = document["paths"][address.path][address.method.lower()]
    schema = operation["requestBody"]["content"][JSON]["schema"]
    return set(resolved(document, schema).get("properties", {}))


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema behind its reference."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def unlisted(document: dict[str, Any], schema: Any, value: Any, at: str) -> Iterator[str]:
    """Every field of a value that its schema does not name, and every named one that is missing."""
    schema = resolved(document, schema)
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        found = [list(unlisted(document, one, value, at)) for one in variants]
        yield from min(found, key=len)
    elif isinstance(value, list):
        for item in value:
            yield from unlisted(document, schema.get("items", {}), item, f"{at}[]")
    elif isinstance(value, dict) and schema.get("additionalProperties") in (None, False):
        named = schema.get("properties", {})
        yield from (f"{at}.{name} is not listed" for name in value.keys() - named.keys())
        yield from (
            f"{at}.{name} is missing" for name in set(schema.get("required", [])) - value.keys()
        )
        for name in value.keys() & named.keys():
            yield from unlisted(document, named[name], value[name], f"{at}.{name}")
    elif isinstance(value, dict) and "object" not in str(schema.get("type", "object")):
        yield f"{at} is an object"


@pytest.mark.parametrize("column", COLUMNS)
async def test_v15_3_1_every_answer_has_the_fields_of_its_contract(
    world: World, table: list[Address], document: dict[str, Any], column: str
) -> None:
    """For every role and route: not one field that the contract does not list, none missing."""
    wrong: list[str] = []
    for address in table:
        row = ROWS.get(address.name)
        if row is None or row.cells[column] >= REFUSED:
            continue
        scene = await scene_for(world, column)
        given = await row.arrange(scene)
        headers = {**given.headers, **(scene.who.bearer if scene.who else {})}
        async with world.http.stream(
            address.method,
            address.path.format(**given.path),
            json=given.json if address.changes_something else None,
            files=given.files,
            headers=headers,
        ) as answer:
            is_json = answer.headers.get("content-type", "").startswith(JSON)
            if not (answer.is_success and is_json):
                continue
            body = json.loads(await answer.aread() or b"null")
        told = document["paths"][address.path][address.method.lower()]["responses"]
        schema = told[str(answer.status_code)]["content"][JSON]["schema"]
        wrong += unlisted(document, schema, body, address.name)
    assert wrong == []


def test_the_check_of_fields_finds_what_it_should(document: dict[str, Any]) -> None:
    """The test above can fail."""
    schema = {"$ref": "#/components/schemas/SessionsEnded"}
    assert list(unlisted(document, schema, {"ended": 1, "role": "x"}, "a")) == [
        "a.role is not listed"
    ]
    assert list(unlisted(document, schema, {}, "a")) == ["a.ended is missing"]


def test_v15_3_1_no_answer_has_a_secret_by_name(document: dict[str, Any]) -> None:
    """What is kept as a hash has no place in any answer."""
    for name, schema in document["components"]["schemas"].items():
        is_answer = schema.get("additionalProperties") is not False
        if is_answer and name not in SHOWN:
            assert SECRET.isdisjoint(schema.get("properties", {})), name


async def test_v8_2_3_fields_that_only_some_may_see(world: World) -> None:
    """The reporter is not told who decided; nobody else is told what somebody likes."""
    owner, moderator = await world.someone(), await world.someone(Role.MODERATOR)
    report = await world.report(owner)
    decided = await world.http.put(
        f"/api/v1/reports/{report.id}",
        json={"status": "resolved"},
        headers={**moderator.bearer, "if-match": f'"{report.version}"'},
    )
    assert decided.json()["decided_by"] == moderator.id
    seen = await world.http.get(f"/api/v1/reports/{report.id}", headers=owner.bearer)
    assert seen.json()["decided_by"] is None
    book = await world.book()
    like = {"book_id": book.id, "type": "like"}
    await world.http.post("/api/v1/interactions", json=like, headers=owner.bearer)
    likes = [
        (await world.http.get(f"/api/v1/books/{book.id}", headers=headers)).json()["liked"]
        for headers in ({}, owner.bearer, moderator.bearer)
    ]
    assert likes == [None, True, False]
