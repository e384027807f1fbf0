"""Joining rows and events: each part of an answer is told once, in any order of arrival."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.chat.schemas import (
    AnswerStatus,
    Completed,
    Delta,
    Event,
    Message,
    ModelInfo,
    SourcesFound,
    Started,
)
from app.chat.tutor.transcript import Follower, extended, merge
from app.chat.tutor.turns import terminal_of

MODEL = ModelInfo("m", demo=False)
TEXT = "Zebras 🦓 are striped, and that is that."


def turn(text: str, status: AnswerStatus = AnswerStatus.RUNNING, attempt: int = 1) -> Message:
    """Turn 5 with this text."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Message(5, "c", "why?", text, status, [], "m", None, attempt, now)


def delta(pos: int, text: str, attempt: int = 1) -> Delta:
    """A piece of turn 5."""
    return Delta(conversation_id="c", message_id=5, attempt=attempt, pos=pos, text=text)


def started(attempt: int = 1) -> Started:
    """The beginning of turn 5."""
    return Started(
        conversation_id="c", message_id=5, attempt=attempt, user_message="why?", model=MODEL
    )


def completed(text: str = TEXT) -> Completed:
    """The end of turn 5."""
    return Completed(conversation_id="c", message_id=5, attempt=1, text=text, sources=[])


def told(events: list[Event]) -> str:
    """The text of all deltas, checked for position."""
    text = ""
    for event in events:
        if isinstance(event, Delta):
            assert event.pos == len(text)
            text += event.text
    return text


def test_delta_applied_twice_is_harmless() -> None:
    """By position, not by arrival."""
    assert extended("abc", 1, "bcd") == "abcd"
    assert extended("abcd", 1, "bc") == "abcd"
    assert extended("abc", 4, "x") is None


def test_merge_extends_the_checkpoint_by_the_tail() -> None:
    """Deltas of an older attempt, of final turns and beyond a hole do not count."""
    events = [started(), delta(0, "Zebras"), delta(6, " are"), delta(99, "lost"), delta(10, "!", 2)]
    assert merge([turn("Zeb")], events)[0].ai_response == "Zebras are"
    final = turn("Zeb", AnswerStatus.STOPPED)
    assert merge([final], events) == [final]


def test_follower_from_a_state_joins_the_live_events() -> None:
    """No gap and no repetition where the two meet."""
    follower = Follower(5)
    events = follower.take_state(turn(TEXT[:10]), MODEL, None)
    events += follower.take_event(
        SourcesFound(conversation_id="c", message_id=5, attempt=1, sources=[])
    )
    events += follower.take_event(started())
    events += follower.take_event(delta(4, TEXT[4:20]))
    events += follower.take_event(delta(20, TEXT[20:]))
    events += follower.take_event(completed())
    assert [type(event).__name__ for event in events] == [
        "Started",
        "Delta",
        "SourcesFound",
        "Delta",
        "Delta",
        "Completed",
    ]
    assert told(events) == TEXT
    assert follower.is_done
    assert follower.take_event(completed()) == []


def test_follower_of_a_finished_turn_gets_everything_at_once() -> None:
    """Also the sources, though there are none."""
    final = turn(TEXT, AnswerStatus.COMPLETED)
    events = Follower(5).take_state(final, MODEL, terminal_of(final))
    assert [type(e).__name__ for e in events] == ["Started", "SourcesFound", "Delta", "Completed"]


def test_continuing_follower_is_not_told_again() -> None:
    """`Last-Event-ID` names attempt and position."""
    final = turn(TEXT, AnswerStatus.COMPLETED)
    events = Follower(5, attempt=1, pos=10).take_state(final, MODEL, terminal_of(final))
    assert [type(event).__name__ for event in events] == ["Delta", "Completed"]
    assert isinstance(events[0], Delta)
    assert (events[0].pos, events[0].text) == (10, TEXT[10:])


def test_next_attempt_begins_again_and_late_events_of_the_old_one_are_dropped() -> None:
    """A retry replaces the text."""
    follower = Follower(5)
    follower.take_event(started())
    follower.take_event(delta(0, "old"))
    assert follower.take_event(started(2)) == [started(2)]
    assert follower.take_event(delta(3, "er")) == []
    assert follower.take_event(delta(0, "new", 2)) == [delta(0, "new", 2)]


def test_hole_is_noticed_and_closed_by_the_state() -> None:
    """A delta from beyond is not shown before what comes first."""
    follower = Follower(5)
    assert follower.take_event(delta(10, TEXT[10:])) == []
    assert follower.has_hole
    events = follower.take_state(turn(TEXT), MODEL, None)
    assert told(events) == TEXT
    assert not follower.has_hole


@given(st.data())
def test_any_order_of_states_and_deltas_tells_the_text_once(data: st.DataObject) -> None:
    """Overlapping, repeated, reordered: the end result is the text."""
    follower = Follower(5)
    events: list[Event] = []
    positions = st.integers(0, len(TEXT))
    for _ in range(data.draw(st.integers(0, 12))):
        start, end = sorted((data.draw(positions), data.draw(positions)))
        if data.draw(st.booleans()):
            events += follower.take_event(delta(start, TEXT[start:end]))
        else:
            events += follower.take_state(turn(TEXT[:end]), MODEL, None)
    events += follower.take_event(completed())
    assert told(events) == TEXT
