"""The living house in three windows: learner, second learner, moderator."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from app.kit.principal import Role
from tests.browser.conftest import OpenWindow
from tests.support.fake_llm import FakeLLM, Script
from tests.support.house import MakePerson, Person

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("worker")]

WORDS = [f"word{number} " for number in range(40)]
GROWING = Script(["Mitochondria ", "release ", "energy ", "[1]. ", *WORDS], delay_s=0.05)
ENDLESS = Script([f"word{number} " for number in range(400)], delay_s=0.05)
SOON_MS = 1000
"""What "without reloading" means to somebody who watches."""

RECORD_LENGTHS = """() => {
  window.lengths = new Set();
  const note = () => {
    const text = document.querySelector('.answer__text');
    if (text) window.lengths.add(text.textContent.length);
  };
  const all = {subtree: true, childList: true, characterData: true};
  new MutationObserver(note).observe(document.body, all);
}"""


async def ask(page: Page, question: str) -> None:
    """Write and send a question to the tutor."""
    box = page.get_by_label("Your question")
    await box.fill(question)
    await box.press("Enter")


async def test_answer_grows_and_its_citation_opens_the_passage(
    window: OpenWindow, person: MakePerson, fake_llm: FakeLLM, book_id: int
) -> None:
    """Tokens arrive in many steps; [1] leads to the marked passage in the reader."""
    learner = await window(await person(), f"/books/{book_id}")
    await learner.page.evaluate(RECORD_LENGTHS)
    with fake_llm.script("mitochondria burn", GROWING):
        await ask(learner.page, "What do mitochondria burn for energy?")
        await learner.page.locator("[data-status=completed]").wait_for()
    assert await learner.page.evaluate("window.lengths.size") >= 5
    await learner.page.locator(".cite").first.click()
    await expect(learner.page).to_have_url(re.compile(rf"/books/{book_id}/read/1#p\w+"))
    marked = learner.page.locator(".passage[data-marked]")
    await expect(marked).to_be_in_viewport()
    await expect(marked).to_be_focused()


async def test_report_reaches_the_moderator_within_a_second(
    window: OpenWindow, person: MakePerson, moderator: Person, book_id: int
) -> None:
    """A report appears in an open queue by itself; so does its decision, in a second queue."""
    queue = await window(moderator, "/moderation")
    await queue.page.get_by_role("heading", name="Moderation").wait_for()
    learner = await window(await person(), f"/books/{book_id}")
    await learner.page.get_by_role("main").get_by_role("button", name="Report").click()
    await learner.page.get_by_label("Details").fill(f"Page 3 of {book_id} is upside down")
    card = queue.page.locator(".report", has_text=f"Page 3 of {book_id}")
    async with learner.page.expect_response("**/api/v1/reports"):
        await learner.page.get_by_role("button", name="Send report").click()
    await expect(card).to_be_visible(timeout=SOON_MS)
    await expect(card.get_by_role("link", name=re.compile("Cells"))).to_be_visible()
    await card.get_by_role("button", name="Resolve").click()
    await expect(card).to_contain_text("You decided: resolved.")


async def test_decision_of_one_moderator_shows_in_the_other_window(
    window: OpenWindow, person: MakePerson, learner: Person, book_id: int
) -> None:
    """Nobody can decide what somebody else has decided, and nobody needs to reload to know."""
    first, second = await person(Role.MODERATOR), await person(Role.MODERATOR)
    body = {"target_type": "book", "target_id": book_id, "reason": f"Twice seen {book_id}"}
    report = (await learner.http.post("/api/v1/reports", json=body)).raise_for_status().json()
    watching = await window(second, "/moderation")
    card = watching.page.locator(".report", has_text=f"Twice seen {book_id}")
    await card.wait_for()
    headers = {"if-match": f'"{report["version"]}"'}
    decision = {"status": "rejected"}
    await first.http.put(f"/api/v1/reports/{report['id']}", json=decision, headers=headers)
    await expect(card).to_contain_text("decided by somebody else: rejected", timeout=SOON_MS)
    await expect(card.get_by_role("button", name="Resolve")).to_have_count(0)


async def test_like_moves_the_counter_in_another_window(
    window: OpenWindow, person: MakePerson, book_id: int
) -> None:
    """One person's like is another person's counter within a second."""
    watching = await window(await person(), f"/books/{book_id}")
    liking = await window(await person(), f"/books/{book_id}")
    counter = watching.page.locator(".stats [data-counter=likes]")
    await expect(counter).to_have_attribute("data-value", "0")
    async with liking.page.expect_response("**/api/v1/interactions"):
        await liking.page.locator(".book").get_by_role("button", name="Like").click()
    await expect(counter).to_have_attribute("data-value", "1", timeout=SOON_MS)
    await liking.page.locator(".book").get_by_role("button", name="Like", pressed=True).click()
    await expect(counter).to_have_attribute("data-value", "0")


async def test_answer_survives_a_reload_and_can_be_stopped(
    window: OpenWindow, person: MakePerson, fake_llm: FakeLLM
) -> None:
    """Leaving the page does not stop an answer; the stop button does, and the text stays."""
    learner = await window(await person(), "/tutor")
    with fake_llm.script("endless zebra", ENDLESS):
        await ask(learner.page, "Tell me of the endless zebra")
        text = learner.page.locator(".answer__text")
        await expect(text).to_contain_text("word10 ")
        await learner.page.reload()
        await expect(text).to_contain_text("word0 word1 word2 ")
        await expect(text).to_contain_text("word40 ")
        await learner.page.get_by_role("button", name="Stop").click()
        await expect(learner.page.locator("[data-status=stopped]")).to_contain_text("word40 ")
    await expect(learner.page.get_by_role("button", name="Answer again")).to_be_visible()


async def test_question_is_kept_when_no_model_answers(
    window: OpenWindow, person: MakePerson, fake_llm: FakeLLM
) -> None:
    """A failure says so and offers another try, which works once the model is back."""
    learner = await window(await person(), "/tutor")
    with fake_llm.script("broken lamp", Script(status=500)):
        await ask(learner.page, "Why is the broken lamp dark?")
        failed = learner.page.locator("[data-status=failed]")
        await expect(failed).to_contain_text("Why is the broken lamp dark?", timeout=20_000)
        await expect(failed.get_by_role("alert")).to_contain_text("Your question is kept")
    await learner.page.get_by_role("button", name="Try again").click()
    await expect(learner.page.locator("[data-status=completed]")).to_contain_text("scripted")


async def test_second_tab_follows_the_same_answer(
    window: OpenWindow, person: MakePerson, fake_llm: FakeLLM
) -> None:
    """Both tabs end with the same text, wherever they joined."""
    first = await window(await person(), "/tutor")
    with fake_llm.script("two tabs", Script(WORDS, delay_s=0.05)):
        await ask(first.page, "What is it with two tabs?")
        await expect(first.page.locator(".answer__text")).to_contain_text("word5 ")
        second = await first.context.new_page()
        await second.goto(first.page.url)
        ended = [
            page.locator("[data-status=completed] .answer__text") for page in (first.page, second)
        ]
        await asyncio.gather(*(text.wait_for() for text in ended))
    texts = [await text.inner_text() for text in ended]
    assert texts[0].strip() == texts[1].strip() == "".join(WORDS).strip()


async def test_page_says_when_it_is_not_live_and_recovers(
    window: OpenWindow, person: MakePerson, learner: Person, book_id: int
) -> None:
    """Without a network the lamp tells it; what happened meanwhile is there when it is back."""
    visit = await window(await person(), f"/books/{book_id}")
    counter = visit.page.locator(".stats [data-counter=likes]")
    await expect(counter).to_have_attribute("data-value", "0")
    await visit.page.wait_for_load_state("networkidle")
    await visit.context.set_offline(offline=True)
    await expect(visit.page.locator(".lamp")).not_to_have_attribute("data-state", "live")
    like = {"book_id": book_id, "type": "like"}
    (await learner.http.post("/api/v1/interactions", json=like)).raise_for_status()
    visit.expected.append("/connection/websocket")
    await visit.context.set_offline(offline=False)
    await expect(counter).to_have_attribute("data-value", "1")
    await visit.is_live()
