"""The tutor over real HTTP: one JSON body, a stream, conversations, limits and bad input."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.kit.paging import encode_cursor
from app.worker import model_of, work
from tests.support.chat_http import V1, ask, events_of, message_of, status_becomes, streamed
from tests.support.fake_llm import FakeLLM, Script
from tests.support.house import MakePerson, Person, Served
from tests.support.problems import code_of
from tests.support.tutor import until

SLOW = Script([f"word{number} " for number in range(300)], delay_s=0.02)


@pytest.fixture(scope="module", autouse=True)
async def worker(served: Served) -> AsyncIterator[None]:
    """A worker on the run's house, as `python -m app worker` runs it."""
    model = model_of(served.settings)
    working = asyncio.create_task(work(served.house, model))
    yield
    working.cancel()
    await asyncio.wait({working})
    await model.stop()


@pytest.fixture
async def reader(person: MakePerson) -> Person:
    """Somebody who has not asked anything yet."""
    return await person()


class TestAsk:
    async def test_anonymous_is_refused(self, nobody: httpx.AsyncClient) -> None:
        """Every address of the room but /info."""
        assert code_of(await nobody.post(f"{V1}/chat", json={"message": "x"})) == (
            401,
            "unauthorized",
        )
        for path in ("conversations", "conversations/abc", "messages/1", "messages/1/events"):
            assert code_of(await nobody.get(f"{V1}/chat/{path}")) == (401, "unauthorized")
        for verb in ("stop", "retry"):
            answer = await nobody.post(f"{V1}/chat/messages/1/{verb}")
            assert code_of(answer) == (401, "unauthorized")

    async def test_answer_as_one_body(self, reader: Person, fake_llm: FakeLLM) -> None:
        """The fixed shape, and the conversation goes on under its id."""
        with fake_llm.script("axolotl", Script(["Ax", "olotl."])):
            answer = await ask(reader, "axolotl?")
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) == {"conversation_id", "message_id", "text", "sources"}
        assert body["text"] == "Axolotl."
        assert isinstance(body["message_id"], int)
        again = await ask(reader, "and?", conversation_id=body["conversation_id"])
        assert again.json()["conversation_id"] == body["conversation_id"]
        kept = await reader.http.get(f"{V1}/chat/conversations/{body['conversation_id']}")
        conversation = kept.json()
        assert conversation["title"] == "axolotl?"
        assert [m["user_message"] for m in conversation["messages"]] == ["axolotl?", "and?"]
        assert [m["status"] for m in conversation["messages"]] == ["completed", "completed"]

    async def test_answer_as_a_stream(self, reader: Person, fake_llm: FakeLLM) -> None:
        """The same events as on the channel, each with an id; the text grows in steps."""
        script = Script([f"bandicoot{n} 🦓 " for n in range(30)], delay_s=0.05)
        with fake_llm.script("bandicoot", script):
            async with streamed(reader, "bandicoot?") as answer:
                events = [event async for event in events_of(answer)]
        kinds = [event["type"] for _, event in events]
        assert kinds[:3] == ["started", "sources", "delta"]
        assert kinds[-1] == "completed"
        deltas = [event for _, event in events if event["type"] == "delta"]
        assert len(deltas) >= 5
        text = ""
        for event in deltas:
            assert event["pos"] == len(text)
            text += event["text"]
        assert text == script.text == events[-1][1]["text"]
        assert events[-1][0] == f"1-{len(text)}"

    async def test_going_away_stops_nothing(self, reader: Person, fake_llm: FakeLLM) -> None:
        """Disconnect is not stop; the stream can be continued where it broke."""
        script = Script([f"civet{n} " for n in range(80)], delay_s=0.02)
        with fake_llm.script("civet", script):
            async with streamed(reader, "civet?") as answer:
                seen, last_id = "", ""
                async for last_id, event in events_of(answer):  # noqa: B007  # wanted after the loop
                    message_id = event["message_id"]
                    seen += event["text"] if event["type"] == "delta" else ""
                    if len(seen) > 20:
                        break
            path = f"{V1}/chat/messages/{message_id}/events"
            headers = {"last-event-id": last_id}
            async with reader.http.stream("GET", path, headers=headers, timeout=20) as answer:
                rest = [event async for _, event in events_of(answer)]
        assert {event["type"] for event in rest} <= {"delta", "completed"}
        assert seen + "".join(e["text"] for e in rest if e["type"] == "delta") == script.text

    async def test_no_model_keeps_the_question(self, reader: Person, fake_llm: FakeLLM) -> None:
        """503 model-unavailable names the turn; a retry answers."""
        with fake_llm.script("dingo", Script(status=401)):
            answer = await ask(reader, "dingo?")
        assert code_of(answer) == (503, "model-unavailable")
        problem = answer.json()
        row = await message_of(reader, problem["message_id"])
        assert (row["status"], row["error"]) == ("failed", "model-unavailable")
        assert row["user_message"] == "dingo?"
        assert row["conversation_id"] == problem["conversation_id"]
        retried = await reader.http.post(f"{V1}/chat/messages/{row['id']}/retry")
        assert (retried.status_code, retried.json()["message_id"]) == (202, row["id"])
        assert (await status_becomes(reader, row["id"], "completed"))["attempt"] == 2
        again = await reader.http.post(f"{V1}/chat/messages/{row['id']}/retry")
        assert code_of(again) == (409, "answer-not-retryable")

    async def test_broken_answer_is_its_own_problem(
        self, reader: Person, fake_llm: FakeLLM
    ) -> None:
        """503 model-broke-off; the text so far is kept."""
        with fake_llm.script("eland", Script(["Half an ", "answer"], break_after=1)):
            answer = await ask(reader, "eland?")
        assert code_of(answer) == (503, "model-broke-off")
        row = await message_of(reader, answer.json()["message_id"])
        assert row["ai_response"].strip() == "Half an"

    async def test_s9_stop_within_a_second(self, reader: Person, fake_llm: FakeLLM) -> None:
        """The waiting JSON request gets the text so far; a second question must wait its turn."""
        with fake_llm.script("fossa", SLOW):
            asking = asyncio.create_task(ask(reader, "fossa?"))
            listed = f"{V1}/chat/conversations"
            items = await until(lambda: _items(reader, listed))
            conversation_id = items[0]["id"]
            twin = await ask(reader, "me too", conversation_id=conversation_id)
            assert code_of(twin) == (409, "answer-in-progress")
            messages = (await reader.http.get(f"{listed}/{conversation_id}")).json()["messages"]
            stop = f"{V1}/chat/messages/{messages[0]['id']}/stop"
            async with asyncio.timeout(1.5):
                assert (await reader.http.post(stop)).status_code == 200
                answer = await asking
        assert answer.status_code == 200
        assert SLOW.text.startswith(answer.json()["text"])
        assert (await message_of(reader, messages[0]["id"]))["status"] == "stopped"

    async def test_pace_is_limited_per_person(self, reader: Person, stranger: Person) -> None:
        """The sixth answer in a minute is 429 and says when to come back and what the rule is;
        others are not concerned."""
        for _ in range(5):
            assert (await ask(reader, "hello")).status_code == 200
        answer = await ask(reader, "hello")
        assert code_of(answer) == (429, "too-many-answers")
        wait_s = answer.json()["retry_after"]
        assert 1 <= wait_s <= 61
        assert answer.headers["retry-after"] == str(wait_s)
        assert answer.headers["ratelimit"] == f'"answers";r=0;t={wait_s}'
        assert answer.headers["ratelimit-policy"] == '"answers";q=5;w=60'
        assert (await ask(stranger, "hello")).status_code == 200

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"{}",
            b'{"message": ""}',
            b'{"message": " \\n\\t "}',
            b'{"message": "a\\u0000b"}',
            b'{"message": "\\ud800"}',
            b'{"message": 7}',
            b'{"message": "hi", "role": "system"}',
            b'{"message": "hi", "conversation_id": 7}',
            b'{"message": "hi", "conversation_id": "../../etc"}',
            b'{"message": "hi", "conversation_id": "\\u0000"}',
            b'{"message": "hi", "book_id": 0}',
            b'{"message": "hi", "book_id": 99999999999999999999}',
            b'{"message": "' + b"x" * 4001 + b'"}',
            b"\xff\xfe",
        ],
    )
    async def test_bad_input_is_refused(self, reader: Person, body: bytes) -> None:
        """400 with a code; nothing is written."""
        headers = {"content-type": "application/json"}
        answer = await reader.http.post(f"{V1}/chat", content=body, headers=headers)
        status, code = code_of(answer)
        assert (status, code) in [(400, "invalid-input"), (400, "malformed-json")]
        listed = await reader.http.get(f"{V1}/chat/conversations")
        assert listed.json()["items"] == []

    async def test_unknown_book_and_conversation_are_absent(self, reader: Person) -> None:
        """404, and no empty conversation is left behind."""
        assert (await ask(reader, "hi", book_id=2_000_000_000)).status_code == 404
        assert (await ask(reader, "hi", conversation_id="nosuch")).status_code == 404
        listed = await reader.http.get(f"{V1}/chat/conversations")
        assert listed.json() == {"items": [], "next": None}


class TestConversations:
    async def test_strangers_see_nothing(self, reader: Person, stranger: Person) -> None:
        """Somebody else's conversation and turns look absent, for every method."""
        body = (await ask(reader, "private")).json()
        thread = f"{V1}/chat/conversations/{body['conversation_id']}"
        turn = f"{V1}/chat/messages/{body['message_id']}"
        http = stranger.http
        for answer in [
            await http.get(thread),
            await http.put(thread, json={"title": "mine now"}),
            await http.delete(thread),
            await http.get(turn),
            await http.get(f"{turn}/events"),
            await http.post(f"{turn}/stop"),
            await http.post(f"{turn}/retry"),
            await http.post(
                f"{V1}/chat", json={"message": "x", "conversation_id": body["conversation_id"]}
            ),
        ]:
            assert code_of(answer) == (404, "not-found")
        assert (await reader.http.get(thread)).json()["title"] == "private"

    async def test_rename_and_delete(self, reader: Person) -> None:
        """A title can change; a deleted conversation is gone with its turns."""
        body = (await ask(reader, "temporary")).json()
        thread = f"{V1}/chat/conversations/{body['conversation_id']}"
        renamed = await reader.http.put(thread, json={"title": " Kept "})
        assert renamed.json()["title"] == "Kept"
        for title in ("", " ", "a\nb", "x" * 301):
            answer = await reader.http.put(thread, json={"title": title})
            assert code_of(answer) == (400, "invalid-input")
        assert (await reader.http.delete(thread)).status_code == 204
        assert code_of(await reader.http.get(thread)) == (404, "not-found")
        answer = await reader.http.get(f"{V1}/chat/messages/{body['message_id']}")
        assert code_of(answer) == (404, "not-found")

    async def test_list_pages_by_last_use(self, reader: Person) -> None:
        """Newest first, each once, the cursor leads on; a foreign cursor is refused."""
        for word in ("one", "two", "three"):
            assert (await ask(reader, word)).status_code == 200
        path = f"{V1}/chat/conversations"
        first = (await reader.http.get(path, params={"limit": 2})).json()
        rest = (await reader.http.get(path, params={"limit": 2, "cursor": first["next"]})).json()
        titles = [item["title"] for item in first["items"] + rest["items"]]
        assert titles == ["three", "two", "one"]
        assert rest["next"] is None
        forged = encode_cursor(("0001-01-01T00:00:00+23:00", "a"))
        for params in (
            {"cursor": "xyz"},
            {"cursor": forged},
            {"limit": 0},
            {"limit": 101},
            {"limit": "many"},
        ):
            answer = await reader.http.get(path, params=params)
            assert code_of(answer) == (400, "invalid-input")

    @pytest.mark.parametrize("number", ["0", "-1", "99999999999", "abc"])
    async def test_impossible_message_ids(self, reader: Person, number: str) -> None:
        """No 500 for a number that cannot exist."""
        answer = await reader.http.get(f"{V1}/chat/messages/{number}")
        assert answer.status_code in {400, 404}
        assert answer.headers["content-type"] == "application/problem+json"


async def test_info_names_model_and_languages(nobody: httpx.AsyncClient) -> None:
    """Public: pages need it before anybody signs in."""
    body = (await nobody.get(f"{V1}/info")).json()
    assert body["name"] == "sicerdas"
    assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])
    assert body["model"] == {"name": "scripted", "demo": False}
    assert body["languages"] == ["en", "id"]


async def _items(reader: Person, path: str) -> Any:
    return (await reader.http.get(path)).json()["items"]
