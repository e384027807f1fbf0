"""S11: secrets are told to nobody, and no words break the log (ASVS 5.0, 14.2.4, 16.2, 16.4, 16.5).

The app runs as a process of its own, as an operator starts it; everything that it says is read.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from app.http.sessions import COOKIE_NAME
from app.kit.errors import InvalidInput
from tests.support.house import PASSWORD, Served
from tests.support.processes import AppProcess

V1 = "/api/v1"
BREAKS = ["\r\n", "\n", "\r", "\u2028", "\u0085", "\x0b", "\x1b[2J"]


@pytest.fixture(scope="module")
def app(app_environment: dict[str, str]) -> Iterator[AppProcess]:
    """`python -m app serve` with JSON lines, as in production."""
    with AppProcess.serve({**app_environment, "SICERDAS_LOG_FORMAT": "json"}) as process:
        process.wait_ready()
        yield process


@pytest.fixture
def http(app: AppProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, timeout=30) as client:
        yield client


def lines_of(app: AppProcess) -> list[dict[str, object]]:
    """Every line that the app has said: each one JSON object."""
    return [json.loads(line) for line in app.output().splitlines() if line.strip()]


class Canaries:
    """Words that occur nowhere else."""

    def __init__(self) -> None:
        self.given: dict[str, str] = {}

    def new(self, kind: str) -> str:
        """One more."""
        word = f"canary{uuid4().hex}"
        self.given[f"{kind} {len(self.given)}"] = word
        return word

    def found_in(self, text: str) -> set[str]:
        """Which of them a text holds."""
        return {kind for kind, word in self.given.items() if word in text}


def say_everything(http: httpx.Client, canaries: Canaries) -> list[httpx.Response]:
    """Give the app secrets in every place that takes one, rightly and wrongly."""
    email = f"{uuid4().hex}@example.org"
    right, wrong = canaries.new("password"), canaries.new("wrong password")
    said = [http.post(f"{V1}/auth/signup", json={"email": email, "password": right})]
    http.cookies.clear()
    form = {"email": email, "password": right, "transport": "bearer"}
    token = http.post(f"{V1}/auth/login", json=form).json()["token"]
    canaries.given["session token"] = token
    who = {"authorization": f"Bearer {token}"}
    realtime = http.get(f"{V1}/realtime/token", headers=who).json()["token"]
    canaries.given["realtime token"] = realtime
    new = canaries.new("new password")
    change = {"current_password": wrong, "new_password": new}
    bad_json = b'{"password": "' + canaries.new("broken body").encode() + b'", '
    json_kind = {"content-type": "application/json"}
    said += [
        http.post(f"{V1}/auth/login", json={**form, "password": wrong}),
        http.post(f"{V1}/auth/login", json={**form, "password": [canaries.new("typed")]}),
        http.post(f"{V1}/auth/login", json={**form, canaries.new("field"): right}),
        http.post(f"{V1}/auth/login", content=bad_json, headers=json_kind),
        http.post(f"{V1}/auth/login", content=canaries.new("text"), headers=json_kind),
        http.put(f"{V1}/auth/password", json=change, headers=who),
        http.put(f"{V1}/auth/password", json={**change, "new_password": "short"}, headers=who),
        http.get(f"{V1}/users/me", headers={"authorization": f"Bearer {canaries.new('bearer')}"}),
        http.get(f"{V1}/users/me", headers={"cookie": f"{COOKIE_NAME}={canaries.new('cookie')}"}),
        http.get(f"{V1}/users/me", headers={"authorization": f"Basic {canaries.new('basic')}"}),
        http.put(f"{V1}/users/me", json={"name": canaries.new("name") * 50}, headers=who),
        http.post(f"{V1}/chat", json={"message": canaries.new("chat") * 999}, headers=who),
        http.post(
            f"{V1}/chat",
            json={"message": canaries.new("question"), "conversation_id": "absent"},
            headers=who,
        ),
        http.post(
            f"{V1}/reports",
            json={"target_type": "book", "target_id": 1, "reason": canaries.new("r") * 99},
            headers=who,
        ),
        http.post(
            f"{V1}/reports",
            json={"target_type": canaries.new("kind"), "target_id": 1, "reason": "x"},
            headers=who,
        ),
        http.post(
            f"{V1}/auth/login",
            json=form,
            headers={"origin": f"https://{canaries.new('origin')}.example"},
        ),
        http.get(f"{V1}/books", params={"q": canaries.new("search"), "limit": 0}),
        http.post(f"{V1}/auth/logout", headers={**who, "idempotency-key": canaries.new("key")}),
        http.post("/emulation", content=canaries.new("frame")),
    ]
    return said


PUBLIC = ("name", "field", "kind", "search")
"""What a refusal may repeat to the one who said it; a log may not."""


def test_v16_2_5_no_canary_is_ever_told(app: AppProcess, http: httpx.Client) -> None:
    """Twenty secrets and private words: none in the log, in an error or in a metric."""
    canaries = Canaries()
    answers = say_everything(http, canaries)
    assert len(canaries.given) >= 20
    refusals = [answer for answer in answers if answer.status_code >= 400]
    assert len(refusals) >= 14
    for answer in refusals:
        told = canaries.found_in(answer.text + str(answer.headers))
        assert all(kind.startswith(PUBLIC) for kind in told), (told, answer.text)
    assert canaries.found_in(http.get("/metrics").text) == set()
    assert canaries.found_in(app.output()) == set()


def test_v16_4_1_a_line_break_never_breaks_a_log_line(app: AppProcess, http: httpx.Client) -> None:
    """Whatever people send, each line is one JSON object with its time in UTC, level and event."""
    for number, text in enumerate(BREAKS):
        forged = f'{number}{text}{{"event": "forged", "level": "info"}}'
        http.post(f"{V1}/auth/login", json={"email": forged, "password": forged})
        http.put(f"{V1}/users/{number}", params={"q": forged})
        http.post(f"{V1}/nothing{quote(forged)}", json={})
        http.delete(f"{V1}/auth/sessions/{quote(forged)}")
    lines = lines_of(app)
    assert lines
    for line in lines:
        assert line["event"] != "forged"
        assert {"event", "level", "timestamp"} <= line.keys()
        assert datetime.fromisoformat(str(line["timestamp"])).utcoffset() == timedelta(0)


def test_v16_3_1_refusals_are_in_the_log(app: AppProcess, http: httpx.Client) -> None:
    """Who, from where, what and why: enough for an alarm, and no words of theirs."""
    http.post(f"{V1}/auth/login", json={"email": "a@example.org", "password": PASSWORD})
    line = next(line for line in lines_of(app) if line.get("code") == "wrong-credentials")
    assert line["event"] == "request.denied"
    assert line["address"] == "127.0.0.1"
    assert line["path"] == f"{V1}/auth/login"
    assert line["request_id"]


async def test_v16_5_1_a_fault_of_ours_says_nothing(
    served: Served,
    nobody: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An error that nobody expected is 500 with an id; what happened stands in the log alone."""
    secret = f"dsn=postgresql://{uuid4().hex}"

    async def broken(*_args: object) -> None:
        await asyncio.sleep(0)
        raise RuntimeError(secret)

    monkeypatch.setattr(type(served.house.catalog), "list_books", broken)
    answer = await nobody.get(f"{V1}/books")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert secret not in answer.text
    assert "Traceback" not in answer.text
    assert "catalog" not in answer.text
    logged = capsys.readouterr().out
    assert secret in logged
    assert answer.headers["x-request-id"] in logged


def test_v1_3_11_no_line_break_reaches_a_mail_header(http: httpx.Client) -> None:
    """An address is one line; nobody adds a receiver."""
    for text in ("\r\nBcc: all@example.org\r\n", "\nbcc:x@example.org", "\rx", ", b@c.org", "\x00"):
        form = {"email": f"a{text}@example.org", "password": PASSWORD}
        answer = http.post(f"{V1}/auth/signup", json=form)
        assert (answer.status_code, answer.json()["code"]) == (400, InvalidInput.code), text
