"""The live app answers as the document says, to whatever anybody of any role may send.

An app with a database of its own, because an admin who tries everything also closes accounts.
Every role tries every example of the document and every boundary of its schemas (phase `coverage`):
some 40 requests for each operation, so that R4's 50 are 200 for the five roles together. Besides
them `SICERDAS_TEST_EXAMPLES` are drawn at random: 2 for each role and operation, as many as fit
into 75 s on a quiet machine with two cores, or 200 at full size, with which R4's 1 000 are reached.
At full size each role also walks: what one operation answered is given to the next (`stateful`).
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.catalog.service import Imports
from app.kit.principal import Role
from app.kit.secret import Secret
from app.kit.tasks import end_task
from app.settings import Settings
from app.worker import model_of, work
from tests.contract.conftest import committed
from tests.support.house import Served, serve, with_settings
from tests.support.library import course
from tests.support.report import Report, hours, sized
from tests.support.servers import Database

EXAMPLES = os.environ.get("SICERDAS_TEST_EXAMPLES", str(hours(2, 200)))
PHASES = ("examples", "coverage", "fuzzing", *sized((), ("stateful",)))
TIMEOUT_S = 240 + 30 * int(EXAMPLES)
LONG_TEXT = 80
REQUEST_TIMEOUT_S = 15
PASSWORD = "correct-horse-battery"
ENDS_OWN_SESSION = (
    *("logOut", "endAllSessions", "endSession"),
    *("signOutUser", "resetUserFactors"),  # of oneself too
    "deleteMe",
)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
EVERYBODY: tuple[Role | None, ...] = (None, *Role)
LAST = (None, Role.ADMIN)


@dataclass(frozen=True)
class Said:
    """How a run ended: its status, what it counted, and what it wrote."""

    status: int
    counted: dict[str, Any]
    text: str


@pytest.fixture(scope="module")
async def own_app(
    settings: Settings, new_database: Callable[[], Database]
) -> AsyncIterator[Served]:
    """The app with a worker, on a database that nobody else minds."""
    database = new_database()
    own = with_settings(
        settings,
        database_url=Secret(database.app_url),
        database_owner_url=Secret(database.owner_url),
        redis_prefix="contract:",
    )
    async with serve(own) as served:
        model = model_of(own)
        worker = asyncio.create_task(work(served.house, model))
        await furnish(served)
        try:
            yield served
        finally:
            await end_task(worker)
            await model.stop()


async def furnish(served: Served) -> None:
    """One of each thing, so that the id 1 of every example leads somewhere."""
    text = ("Cells", "Cells are small.\n\nThey need energy.")
    await Imports(served.house.db, served.house.media).import_book(course(text))
    headers = {"authorization": f"Bearer {await bearer(served, Role.USER)}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as client:
        report = {"target_type": "book", "target_id": 1, "reason": "A page is missing"}
        for address, body in (("reports", report), ("chat", {"message": "What is a cell?"})):
            (await client.post(f"/api/v1/{address}", json=body)).raise_for_status()


async def bearer(served: Served, role: Role) -> str:
    """The token of a new person of this role."""
    email = f"{role.value}@example.org"
    await served.house.accounts.ensure_account(email, role.value, PASSWORD, role)
    form = {"email": email, "password": PASSWORD, "transport": "bearer"}
    async with httpx.AsyncClient(base_url=served.url) as client:
        answer = await client.post("/api/v1/auth/login", json=form)
    return str(answer.raise_for_status().json()["token"])


@pytest.fixture(scope="module")
async def runs(
    own_app: Served, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[Role | None, asyncio.Task[Said]]]:
    """Three try everything at the same time, a run each; then the admin, who may close their
    accounts, and nobody, who has none."""
    tokens = {role: await bearer(own_app, role) if role else None for role in EVERYBODY}
    document = tmp_path_factory.mktemp("document") / "openapi.json"
    await asyncio.to_thread(
        document.write_text, json.dumps(quick_to_draw(committed("openapi.json")))
    )
    started: dict[Role | None, asyncio.Task[Said]] = {}

    async def run(role: Role | None) -> Said:
        if role in LAST:
            await asyncio.wait([task for other, task in started.items() if other not in LAST])
        folder = tmp_path_factory.mktemp("run")
        return await try_everything(own_app.url, document, tokens[role], folder)

    for role in EVERYBODY:
        started[role] = asyncio.create_task(run(role))
    yield started
    for task in started.values():
        await end_task(task)


def quick_to_draw(schema: Any) -> Any:
    """The document without the patterns of long texts.

    To draw a text of exactly 300 characters from `a*b[a]*` hypothesis tries blindly, for more than
    a minute for each such field: the boundaries never came to their end. The rooms' own tests try
    the patterns.
    """
    if isinstance(schema, list):
        return [quick_to_draw(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    is_long = isinstance(schema.get("pattern"), str) and schema.get("maxLength", 0) >= LONG_TEXT
    return {
        name: quick_to_draw(part)
        for name, part in schema.items()
        if not (is_long and name == "pattern")
    }


async def try_everything(url: str, document: Path, token: str | None, folder: Path) -> Said:
    """One run of schemathesis: its status and what it said."""
    options: list[str] = []
    counted = folder / "counted.json"
    if token:
        options += [part for name in ENDS_OWN_SESSION for part in ("--exclude-operation-id", name)]
        options += ["--header", f"Authorization: Bearer {token}"]
    running = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "schemathesis.cli", "run", document],
        *["--url", url, "--checks", ",".join(CHECKS), "--max-examples", EXAMPLES],
        *["--phases", ",".join(PHASES), "--request-timeout", str(REQUEST_TIMEOUT_S)],
        *["--generation-deterministic", "--no-color", "--no-shrink"],
        *["--continue-on-failure", "--report-json-path", counted, *options],
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, _ = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    return Said(await running.wait(), json.loads(counted.read_bytes()), said.decode())


@pytest.mark.chaos
@pytest.mark.timeout(TIMEOUT_S + 30)
@pytest.mark.parametrize("role", EVERYBODY, ids=lambda role: role.value if role else "nobody")
async def test_nothing_undocumented(
    runs: dict[Role | None, asyncio.Task[Said]], role: Role | None
) -> None:
    """No 5xx, no undocumented status, header or body; wrong input is refused."""
    said = await runs[role]
    cases, operations = said.counted["test_cases"], said.counted["operations"]
    report = Report(f"R4-{role.value if role else 'nobody'}", cases["generated"], clients=1)
    report.extra = {
        "operations": operations["tested"],
        "drawn_each": EXAMPLES,
        "failures": cases["unique_failures"],
        "minutes": round(said.counted["running_time"] / 60, 1),
    }
    report.demand("nothing undocumented", said.status == 0)
    ran = {name for name, phase in said.counted["phases"].items() if phase["status"] == "success"}
    report.demand("every phase ran", ran == set(PHASES))
    report.print()
    assert not report.is_broken, said.text[-20_000:]
