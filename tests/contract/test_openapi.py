"""The REST document is valid, strict, complete, and its names are frozen."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.conftest import CONTRACT, node

VERBS = {"get", "put", "post", "delete"}
OPERATIONS = """
addPasskey askExport askTutor deleteMe getExport getExportFile linkExport
changeEmail changePassword confirmIdentity createApiKey createBook
createCategory createGroup deactivateUser decideReport deleteBook deleteCategory
deleteConversation deleteGroup disableTotp enableTotp endAllSessions endImpersonation
endOtherSessions endSession fileReport followAnswer getBook getBookFile getCategory getChapter
getConversation getCover getFactors getGroup getInfo getMe getMessage getReport getSession
getStats getUser giveSecondFactor impersonateUser listApiKeys listAudit listBooks listCategories
listChapters listConversations listGroups listIdentities listMyReports listProviders listReports
listSessions listUsers logIn logOut reactivateUser realtimeToken recordInteraction removePasskey
renameConversation renamePasskey renewRecoveryCodes replaceCover resetPassword resetUserFactors
retryAnswer revokeApiKey sendPasswordReset sendSignInLink sendVerification setUserRole
signInByMail signInWithPasskey signOutUser signUp startFederated startLink
startPasskeyConfirmation startPasskeyRegistration startPasskeySecondFactor startPasskeySignIn
startTotp stopAnswer unlinkIdentity updateBook updateCategory updateGroup updateMe verifyAudit
verifyEmail verifyUser
"""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its address."""
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            assert verb in VERBS
            yield f"{verb} {path}", operation


def test_document_is_valid_openapi_3_1() -> None:
    """The official schema of OpenAPI 3.1 accepts it."""
    done = node("openapi.js", CONTRACT / "openapi.json")
    assert done.returncode == 0, done.stdout + done.stderr


def test_operation_ids_are_frozen(openapi: dict[str, Any]) -> None:
    """The client's names change only on purpose: say here which one came or went."""
    names = sorted(operation["operationId"] for _, operation in operations(openapi))
    assert names == sorted(OPERATIONS.split())


def test_every_body_refuses_unknown_fields(openapi: dict[str, Any]) -> None:
    """What a client may send is closed; what it receives may grow."""
    for where, operation in operations(openapi):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            name = schema.get("$ref", "").rpartition("/")[2]
            body = openapi["components"]["schemas"][name] if name else schema
            assert body["additionalProperties"] is False, where


def test_every_failure_is_a_problem_document(openapi: dict[str, Any]) -> None:
    """One form of error everywhere."""
    shared = openapi["components"]["responses"]
    for where, operation in operations(openapi):
        failures = {s: r for s, r in operation["responses"].items() if re.match(r"[45]", s)}
        assert {"4XX", "5XX"} <= failures.keys(), where
        for response in failures.values():
            body = shared[response["$ref"].rpartition("/")[2]]["content"]
            assert list(body) == ["application/problem+json"], where


def test_every_operation_has_words_and_one_success(openapi: dict[str, Any]) -> None:
    """Summary, description, a known tag, and at least one 2xx."""
    tags = {tag["name"] for tag in openapi["tags"]}
    for where, operation in operations(openapi):
        assert operation["summary"], where
        assert operation["description"], where
        assert set(operation["tags"]) <= tags, where
        assert any(status.startswith("2") for status in operation["responses"]), where


def test_every_parameter_is_bounded(openapi: dict[str, Any]) -> None:
    """No number without limits, no text without a length."""
    for where, operation in operations(openapi):
        for parameter in operation["parameters"]:
            schema = parameter.get("schema", {})
            if schema.get("type") == "integer":
                assert {"minimum", "maximum"} <= schema.keys(), (where, parameter["name"])
            if schema.get("type") == "string" and parameter["in"] != "header":
                bounds = {"maxLength", "enum", "pattern", "format"}
                assert bounds & schema.keys(), (where, parameter["name"])


@pytest.mark.parametrize(
    ("where", "status", "media_type"),
    [
        ("post /api/v1/auth/signup", "202", "application/json"),
        ("post /api/v1/chat", "200", "application/json"),
        ("post /api/v1/chat", "200", "text/event-stream"),
        ("get /api/v1/chat/messages/{message_id}/events", "200", "text/event-stream"),
        ("post /api/v1/chat/messages/{message_id}/retry", "202", "application/json"),
        ("get /api/v1/books/{book_id}/file", "200", "text/markdown"),
        ("get /media/covers/{name}", "200", "image/webp"),
        ("post /api/v1/reports", "200", "application/json"),
        ("post /api/v1/reports", "201", "application/json"),
    ],
)
def test_unusual_successes_are_described(
    openapi: dict[str, Any], where: str, status: str, media_type: str
) -> None:
    """Streams, files, and answers besides the usual one."""
    assert media_type in dict(operations(openapi))[where]["responses"][status]["content"]


def test_upload_is_a_form_with_one_file(openapi: dict[str, Any]) -> None:
    """A cover travels as multipart."""
    body = dict(operations(openapi))["put /api/v1/books/{book_id}/cover"]["requestBody"]
    assert list(body["content"]) == ["multipart/form-data"]


def test_decision_requires_its_version(openapi: dict[str, Any]) -> None:
    """`If-Match` is optional everywhere but here."""
    required = [
        where
        for where, operation in operations(openapi)
        for parameter in operation["parameters"]
        if parameter.get("name") == "If-Match" and parameter["required"]
    ]
    assert required == ["put /api/v1/reports/{report_id}"]


def test_operations_name_the_scope_of_a_key(openapi: dict[str, Any]) -> None:
    """Where an API key is accepted, the document says which scope it needs."""
    scheme = openapi["components"]["securitySchemes"]["api_key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    found = {
        operation["operationId"]: [
            way["api_key"] for way in operation.get("security", []) if "api_key" in way
        ]
        for _, operation in operations(openapi)
    }
    assert found["createBook"] == [["catalog:write"]]
    assert found["decideReport"] == [["reports:decide"]]
    for name in ("createApiKey", "listUsers", "changePassword", "realtimeToken"):
        assert found[name] == [], name


def test_conditional_reads_say_304(openapi: dict[str, Any]) -> None:
    """Who takes `If-None-Match` may answer 304, and only they."""
    for where, operation in operations(openapi):
        takes = any(p.get("name") == "If-None-Match" for p in operation["parameters"])
        assert takes == ("304" in operation["responses"]), where
