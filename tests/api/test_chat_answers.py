"""Answers as leased jobs: what a reader sees through stops, outages and dying workers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.chat.schemas import AnswerInProgress, AnswerNotRetryable, AnswerStatus
from app.kit.errors import NotFound
from tests.support.fake_llm import FakeLLM, Script
from tests.support.servers import Database as MigratedDatabase
from tests.support.tutor import Tutor, new_tutor, until

SLOW = Script([f"word{number} " for number in range(400)], delay_s=0.02)


@pytest.fixture
async def tutor(session_database: MigratedDatabase, fake_llm: FakeLLM) -> AsyncIterator[Tutor]:
    """A tutor without limits on the pace."""
    async with new_tutor(session_database.app_url, fake_llm) as made:
        yield made


class TestFollowing:
    async def test_r18_database_and_every_tab_hold_what_the_model_said(
        self, tutor: Tutor, fake_llm: FakeLLM
    ) -> None:
        """20 answers at once: database == early tab == tab joining midway == scripted text."""
        reader = await tutor.reader()

        async def one(number: int) -> None:
            word = f"subject{number}q"
            script = Script([f"{word} é{n} 🦓 " for n in range(100)], delay_s=0.03)
            with fake_llm.script(word, script):
                asked = await tutor.ask(reader, f"What is {word}?")
                early = await tutor.follower(reader, asked.conversation_id)
                await tutor.has_text(reader, asked.message_id, 20)
                late = await tutor.follower(reader, asked.conversation_id)
                ends = await asyncio.gather(
                    early.read_until_end(asked.message_id), late.read_until_end(asked.message_id)
                )
                row = await tutor.chat.message(reader, asked.message_id)
            assert row.ai_response == script.text
            for tab, end in zip((early, late), ends, strict=True):
                assert (end["type"], end["text"]) == ("completed", script.text)
                assert (tab.texts[asked.message_id], tab.holes) == (script.text, 0)
            # The early tab may come after the first event or two: its snapshot holds them then.
            whole = ["started", "sources", "delta", "completed"]
            assert early.types(asked.message_id) in [whole[n:] for n in range(4)]
            assert late.types(asked.message_id) in [whole[n:] for n in range(2, 5)]

        async with tutor.worker(concurrency=20, lease_s=15.0):
            await asyncio.gather(*(one(number) for number in range(20)))

    async def test_redis_away_changes_nothing_but_the_pace(
        self, tutor: Tutor, fake_llm: FakeLLM
    ) -> None:
        """Without the broker the answer goes on, and a follower reads it from the database."""
        reader = await tutor.reader()
        script = Script([f"gale{number} " for number in range(60)], delay_s=0.03)
        async with tutor.worker():
            with fake_llm.script("gale", script):
                tutor.bus.down = True
                asked = await tutor.ask(reader, "gale?")
                answer = await tutor.chat.answer(asked)
                tutor.bus.down = False
        assert answer.text == script.text

    async def test_outage_in_the_middle_leaves_no_hole_for_followers(
        self, tutor: Tutor, fake_llm: FakeLLM
    ) -> None:
        """What could not be published goes out as one longer delta."""
        reader = await tutor.reader()
        script = Script([f"mist{number} " for number in range(100)], delay_s=0.02)
        async with tutor.worker():
            with fake_llm.script("mist", script):
                asked = await tutor.ask(reader, "mist?")
                await tutor.has_text(reader, asked.message_id)
                tutor.bus.down = True
                length = len((await tutor.chat.message(reader, asked.message_id)).ai_response)
                await tutor.has_text(reader, asked.message_id, length + 100)
                tutor.bus.lose()
                tutor.bus.restore()
                message = await tutor.chat.message(reader, asked.message_id)
                events = [e async for e in tutor.chat.follow(message) if e is not None]
        text = "".join(event.text for event in events if type(event).__name__ == "Delta")
        assert text == script.text

    async def test_deleted_conversation_ends_its_answer(
        self, tutor: Tutor, fake_llm: FakeLLM
    ) -> None:
        """The writer loses its lease with its row; the model is let go."""
        reader = await tutor.reader()
        async with tutor.worker() as worker:
            with fake_llm.script("vanish", SLOW):
                asked = await tutor.ask(reader, "vanish?")
                await tutor.has_text(reader, asked.message_id)
                await tutor.chat.delete_conversation(reader, asked.conversation_id)
                await until(lambda: _true(not worker.pool._places.taken))


class TestStop:
    async def test_stop_ends_within_a_second_and_keeps_the_text(
        self, tutor: Tutor, fake_llm: FakeLLM
    ) -> None:
        """S9: the row, the follower and the model server all learn of it."""
        reader = await tutor.reader()
        async with tutor.worker():
            with fake_llm.script("halt", SLOW):
                asked = await tutor.ask(reader, "halt?")
                tab = await tutor.follower(reader, asked.conversation_id)
                await tutor.has_text(reader, asked.message_id)
                before = time.monotonic()
                await tutor.chat.stop_answer(reader, asked.message_id)
                end = await tab.read_until_end(asked.message_id)
                assert time.monotonic() - before < 1.0
                row = await tutor.chat.message(reader, asked.message_id)
                assert (row.status, row.ai_response) == (AnswerStatus.STOPPED, end["text"])
                assert SLOW.text.startswith(end["text"])
                assert tab.texts[asked.message_id] == end["text"] != ""
                await until(lambda: _true(any("halt?" in q for q in fake_llm.cut)))

    async def test_stop_before_the_first_token_frees_a_hanging_model(
        self, tutor: Tutor, fake_llm: FakeLLM
    ) -> None:
        """Also while the model is silent."""
        reader = await tutor.reader()
        async with tutor.worker():
            with fake_llm.script("mute", Script(hang_after=0)):
                asked = await tutor.ask(reader, "mute?")
                await until(lambda: _true(fake_llm.prompts_with("mute?")))
                await tutor.chat.stop_answer(reader, asked.message_id)
                row = await tutor.ended(reader, asked.message_id)
        assert (row.status, row.ai_response, row.error) == (AnswerStatus.STOPPED, "", None)

    async def test_stop_of_a_waiting_question_needs_no_worker(self, tutor: Tutor) -> None:
        """Nobody has begun, so it is over at once; stopping twice changes nothing."""
        reader = await tutor.reader()
        asked = await tutor.ask(reader, "anybody?")
        tab = await tutor.follower(reader, asked.conversation_id)
        assert (await tutor.chat.stop_answer(reader, asked.message_id)).status == "stopped"
        assert (await tutor.chat.stop_answer(reader, asked.message_id)).status == "stopped"
        assert (await tab.read_until_end(asked.message_id))["text"] == ""

    async def test_strangers_cannot_stop(self, tutor: Tutor) -> None:
        """Somebody else's answer does not exist."""
        reader, stranger = await tutor.reader(), await tutor.reader()
        asked = await tutor.ask(reader, "mine?")
        with pytest.raises(NotFound):
            await tutor.chat.stop_answer(stranger, asked.message_id)
        await tutor.chat.stop_answer(reader, asked.message_id)


class TestFailure:
    async def test_absent_model_keeps_the_question(self, tutor: Tutor) -> None:
        """failed, model-unavailable; a retry with a model there answers."""
        reader = await tutor.reader()
        async with tutor.worker(base_url="http://127.0.0.1:9/v1"):
            asked = await tutor.ask(reader, "hello?")
            row = await tutor.ended(reader, asked.message_id)
        assert (row.status, row.error) == (AnswerStatus.FAILED, "model-unavailable")
        assert row.user_message == "hello?"
        await tutor.chat.retry_answer(reader, asked.message_id)
        async with tutor.worker():
            row = await tutor.ended(reader, asked.message_id)
        assert (row.status, row.attempt) == (AnswerStatus.COMPLETED, 2)
        assert row.ai_response == Script().text

    async def test_model_breaking_off_keeps_the_text(self, tutor: Tutor, fake_llm: FakeLLM) -> None:
        """failed, model-broke-off, with what was said."""
        reader = await tutor.reader()
        with fake_llm.script("crack", Script(["One ", "two ", "three"], break_after=2)):
            async with tutor.worker():
                asked = await tutor.ask(reader, "crack?")
                row = await tutor.ended(reader, asked.message_id)
        assert (row.status, row.error) == (AnswerStatus.FAILED, "model-broke-off")
        assert row.ai_response == "One two "

    async def test_r8_dead_worker_is_noticed_and_its_text_kept(
        self, tutor: Tutor, fake_llm: FakeLLM
    ) -> None:
        """Another worker marks it interrupted; at most two seconds are lost; retry works."""
        reader = await tutor.reader()
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(tutor.worker(lease_s=1.0))
            with fake_llm.script("grave", SLOW):
                asked = await tutor.ask(reader, "grave?")
                tab = await tutor.follower(reader, asked.conversation_id)
                await tutor.has_text(reader, asked.message_id)
                await first.kill()
            await stack.enter_async_context(tutor.worker())
            end = await tab.read_until_end(asked.message_id)
            row = await tutor.chat.message(reader, asked.message_id)
            assert (row.status, row.error) == (AnswerStatus.INTERRUPTED, "worker-lost")
            assert (end["type"], end["text"]) == ("interrupted", row.ai_response)
            lost = len(tab.texts[asked.message_id]) - len(row.ai_response)
            # A checkpoint may be a window ahead of what was published.
            assert -100 <= lost <= 2 / SLOW.delay_s * len("word000 ")
            with fake_llm.script("grave", Script(["back"])):
                tab.statuses[asked.message_id] = "queued"
                await tutor.chat.retry_answer(reader, asked.message_id)
                assert (await tab.read_until_end(asked.message_id))["text"] == "back"
                assert tab.texts[asked.message_id] == "back"

    async def test_leaving_worker_hands_back_within_eight_seconds(
        self, tutor: Tutor, fake_llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SIGTERM in the middle of a long answer: interrupted, text kept, told at once."""
        monkeypatch.setattr("app.chat.tutor.pool.DRAIN_S", 0.2)
        reader = await tutor.reader()
        with fake_llm.script("leave", SLOW):
            async with tutor.worker() as worker:
                asked = await tutor.ask(reader, "leave?")
                tab = await tutor.follower(reader, asked.conversation_id)
                await tutor.has_text(reader, asked.message_id)
                before = time.monotonic()
                await worker.leave()
                assert time.monotonic() - before < 3.0
            end = await tab.read_until_end(asked.message_id)
        assert (end["type"], end["error"]) == ("interrupted", "worker-stopped")
        assert tab.texts[asked.message_id] == end["text"] != ""

    async def test_late_writer_changes_nothing(self, tutor: Tutor, fake_llm: FakeLLM) -> None:
        """A fence that has moved on makes the old writer fall silent."""
        reader = await tutor.reader()
        with fake_llm.script("fence", SLOW):
            async with tutor.worker() as worker:
                asked = await tutor.ask(reader, "fence?")
                await tutor.has_text(reader, asked.message_id)
                await tutor.db.execute(
                    "UPDATE chat_history SET fence = fence + 1 WHERE id = $1", asked.message_id
                )
                await until(lambda: _true(not worker.pool._places.taken))
                row = await tutor.ended(reader, asked.message_id)
        assert row.status is AnswerStatus.INTERRUPTED


class TestRules:
    async def test_one_answer_per_conversation(self, tutor: Tutor) -> None:
        """Also for two windows at the same moment, and for a retry beside a question."""
        reader = await tutor.reader()
        first = await tutor.ask(reader, "first")
        with pytest.raises(AnswerInProgress):
            await tutor.ask(reader, "second", first.conversation_id)
        with pytest.raises(AnswerInProgress):
            await tutor.chat.retry_answer(reader, first.message_id)
        await tutor.chat.stop_answer(reader, first.message_id)
        results = await asyncio.gather(
            *(tutor.ask(reader, "again", first.conversation_id) for _ in range(6)),
            *(tutor.chat.retry_answer(reader, first.message_id) for _ in range(3)),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, AnswerInProgress)]
        assert len(refused) == 8

    async def test_complete_answers_are_not_asked_again(self, tutor: Tutor) -> None:
        """A new question is the way on."""
        reader = await tutor.reader()
        async with tutor.worker():
            asked = await tutor.ask(reader, "done?")
            await tutor.ended(reader, asked.message_id)
        with pytest.raises(AnswerNotRetryable):
            await tutor.chat.retry_answer(reader, asked.message_id)


async def _true(value: object) -> object:
    return value
