"""The model adapter against a scripted server: what arrives, and how each failure is called."""

import time
from collections.abc import AsyncIterator

import pytest

from app.chat.tutor.prompt import Turn
from app.infra.llm import LanguageModel, ModelFailure
from app.kit.secret import Secret
from tests.support.fake_llm import FakeLLM, Script


def new_model(base_url: str, **changes: float) -> LanguageModel:
    """A model with short limits."""
    limits = {"first_token_s": 5.0, "idle_s": 5.0, **changes}
    return LanguageModel(
        base_url=base_url,
        api_key=Secret("tests"),
        model="scripted",
        max_tokens=50,
        first_token_s=limits["first_token_s"],
        idle_s=limits["idle_s"],
        repeat_penalty=1.1,
    )


@pytest.fixture
async def model(fake_llm: FakeLLM) -> AsyncIterator[LanguageModel]:
    """A model on the scripted server."""
    made = new_model(fake_llm.base_url, first_token_s=1.0, idle_s=0.3)
    yield made
    await made.stop()


async def pieces_of(model: LanguageModel, question: str) -> list[str]:
    """The whole answer."""
    return [piece async for piece in model.answer([Turn("user", question)])]


async def failure_of(model: LanguageModel, question: str) -> tuple[str, list[str]]:
    """The code of the failure, and what was said before it."""
    said: list[str] = []

    async def listen() -> None:
        async for piece in model.answer([Turn("user", question)]):
            said.append(piece)  # noqa: PERF401  # must survive the failure

    with pytest.raises(ModelFailure) as caught:
        await listen()
    return caught.value.code, said


async def test_pieces_arrive_as_they_were_sent(model: LanguageModel, fake_llm: FakeLLM) -> None:
    """Every piece, in order, and the request carries our limits."""
    with fake_llm.script("okapi", Script(["Ä ", "", "b\u0000", "🦓"])):
        assert await pieces_of(model, "okapi?") == ["Ä ", "b", "🦓"]
    (body,) = fake_llm.prompts_with("okapi?")
    assert (body["max_tokens"], body["repeat_penalty"], body["stream"]) == (50, 1.1, True)


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_refusing_server_is_unavailable(
    model: LanguageModel, fake_llm: FakeLLM, status: int
) -> None:
    """A server that cannot answer is a stable code, whatever its status."""
    with fake_llm.script(f"gnu{status}", Script(status=status)):
        assert await failure_of(model, f"gnu{status}") == ("model-unavailable", [])


async def test_refused_prompt_is_not_tried_again(model: LanguageModel, fake_llm: FakeLLM) -> None:
    """A 400 stays a 400."""
    with fake_llm.script("ibex", Script(status=400)):
        assert await failure_of(model, "ibex") == ("model-refused", [])
    assert len(fake_llm.prompts_with("ibex")) == 1


async def test_absent_server_is_unavailable() -> None:
    """Nobody listens there."""
    model = new_model("http://127.0.0.1:9/v1")
    assert await failure_of(model, "hello") == ("model-unavailable", [])
    await model.stop()


async def test_break_before_the_first_piece_is_tried_again(
    model: LanguageModel, fake_llm: FakeLLM
) -> None:
    """Nothing was said yet, so a second try is harmless."""
    with (
        fake_llm.script("lynx", Script(["fine"])),
        fake_llm.script("lynx", Script(break_after=0, times=1)),
    ):
        assert await pieces_of(model, "lynx") == ["fine"]


@pytest.mark.parametrize("fault", ["break_after", "error_after", "hang_after"])
async def test_break_in_the_middle_keeps_what_was_said(
    model: LanguageModel, fake_llm: FakeLLM, fault: str
) -> None:
    """A second try would say things twice: the failure is told instead."""
    with fake_llm.script(fault, Script(["one ", "two ", "three"], **{fault: 2})):
        assert await failure_of(model, fault) == ("model-broke-off", ["one ", "two "])
    assert len(fake_llm.prompts_with(fault)) == 1


async def test_silent_server_is_unavailable_after_the_limit(
    model: LanguageModel, fake_llm: FakeLLM
) -> None:
    """The first-token limit holds, and is not doubled by a retry."""
    with fake_llm.script("sloth", Script(hang_after=0)):
        before = time.monotonic()
        assert await failure_of(model, "sloth") == ("model-unavailable", [])
        assert time.monotonic() - before < 1.9


async def test_endless_answer_is_cut(model: LanguageModel, fake_llm: FakeLLM) -> None:
    """A server that never ends cannot fill our memory."""
    with fake_llm.script("hydra", Script(["x" * 1000] * 100)):
        assert len("".join(await pieces_of(model, "hydra"))) == 32_000
