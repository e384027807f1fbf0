"""What a session makes of frames: commands and their bounds, floods, and nonsense."""

import json

from realtime import ANONYMOUS, Limits
from realtime.actions import (
    Call,
    Join,
    Leave,
    Publish,
    ReadHistory,
    ReadPresence,
    RenewChannel,
    Tell,
)
from realtime.codes import BAD_REQUEST
from realtime.messages import SubscribeResult
from realtime.phase import Phase
from tests.realtime.sessions import close_code, codes_of, connected, sent


class TestHostileFrames:
    def test_malformed_frames_end_the_connection(self) -> None:
        """Nothing is guessed."""
        frames: list[str | bytes] = [
            "",
            "\n",
            "[]",
            "null",
            "{",
            '{"id":"1"}',
            '{"id":-1,"ping":{}}',
            '{"id":1,"subscribe":[]}',
            '{"id":1,"subscribe":{"channel":5}}',
            '{"id":1,"subscribe":{"channel":"a","offset":-1}}',
            '{"ping":{}}',
            '{"id":0,"rpc":{"method":"x"}}',
            b"\xff\xfe",
            b'{"id":1,"publish":{"channel":"a","data":"\xff"}}',
            b'{"id":1,"publish":{"channel":"a","data":"\xed\xa0\x80"}}',
            '{"id":1,"publish":{"channel":"a","data":"\\ud800"}}',
            '{"id":1,"publish":{"channel":"a","data":NaN}}',
            '{"id":1,"rpc":{"data":' + "[" * 20000 + "}}",
            '{"id":1,"send":"\ud800"}',
        ]
        for frame in frames:
            assert close_code(connected().receive(frame, 0)) == 3501, frame

    def test_a_frame_over_the_bound_ends_the_connection(self) -> None:
        """64 KiB are counted in bytes, not in characters."""
        frame = json.dumps(
            {"id": 1, "rpc": {"method": "x", "data": "é" * 33000}}, ensure_ascii=False
        )
        assert len(frame) < 64 * 1024
        assert close_code(connected().receive(frame, 0)) == 3501

    def test_after_the_close_nothing_is_heard(self) -> None:
        """A closed session answers nothing, also within one frame."""
        session = connected()
        actions = session.receive('{"id":1,"connect":{}}\n{"id":2,"ping":{}}', 0)
        assert len(actions) == 1
        assert session.phase is Phase.CLOSED
        assert session.receive('{"id":2,"ping":{}}', 0) == []
        assert session.close(BAD_REQUEST) == []  # type: ignore[arg-type]

    def test_a_flood_is_refused_then_closed(self) -> None:
        """Beyond the burst each command is refused; a burst of refusals is the end."""
        session = connected(limits=Limits(command_burst=3, commands_per_s=1))
        ping = '{"id":2,"ping":{}}'
        replies = [session.receive(ping, 0) for _ in range(2)]
        assert [codes_of(r) for r in replies] == [[], []]
        assert codes_of(session.receive(ping, 0)) == [111]
        assert session.receive("{}", 0) == []  # a pong cannot be answered, but counts
        assert close_code(session.receive(ping, 0)) == 3013

    def test_a_pause_is_forgiveness(self) -> None:
        """After a pause the burst is whole again and refusals are forgotten."""
        session = connected(limits=Limits(command_burst=2, commands_per_s=1))
        ping = '{"id":2,"ping":{}}'
        assert codes_of(session.receive(f"{ping}\n{ping}", 0)) == [111]
        assert codes_of(session.receive(f"{ping}\n{ping}\n{ping}", 100)) == [111]


class TestCommands:
    def test_subscribe_has_its_bounds(self) -> None:
        """Empty, long, doubled and too many channels each have their code."""
        session = connected(limits=Limits(max_channels=2))
        refused = {
            '{"id":2,"subscribe":{}}': 107,
            '{"id":2,"subscribe":{"channel":"%s"}}' % ("x" * 256): 107,
        }
        for frame, code in refused.items():
            assert codes_of(session.receive(frame, 0)) == [code]
        assert isinstance(session.receive('{"id":2,"subscribe":{"channel":"a"}}', 0)[0], Join)
        assert codes_of(session.receive('{"id":3,"subscribe":{"channel":"a"}}', 0)) == [105]
        session.receive('{"id":4,"subscribe":{"channel":"b"}}', 0)
        assert codes_of(session.receive('{"id":5,"subscribe":{"channel":"c"}}', 0)) == [106]
        session.left("b")
        assert codes_of(session.refused(4, BAD_REQUEST.error(), 0)) == [107]
        assert isinstance(session.receive('{"id":6,"subscribe":{"channel":"c"}}', 0)[0], Join)

    def test_commands_in_flight_are_bounded(self) -> None:
        """What waits for the world is bounded too."""
        session = connected(limits=Limits(max_in_flight=1))
        assert session.receive('{"id":2,"rpc":{"method":"m"}}', 0) == [Call(2, "m", b"null")]
        assert codes_of(session.receive('{"id":3,"rpc":{"method":"m"}}', 0)) == [111]
        session = connected(limits=Limits(max_in_flight=1, max_channels=1))
        for channel in "ab":
            session.receive(f'{{"id":2,"subscribe":{{"channel":"{channel}"}}}}', 0)
            session.receive(f'{{"id":2,"unsubscribe":{{"channel":"{channel}"}}}}', 0)
        assert codes_of(session.receive('{"id":9,"subscribe":{"channel":"z"}}', 0)) == [111]

    def test_unsubscribe_leaves_at_once_and_allows_a_new_subscribe(self) -> None:
        """A client may leave and come back in one frame."""
        session = connected()
        session.receive('{"id":2,"subscribe":{"channel":"a"}}', 0)
        session.subscribed(2, "a", SubscribeResult())
        actions = session.receive(
            '{"id":3,"unsubscribe":{"channel":"a"}}\n{"id":4,"subscribe":{"channel":"a"}}', 0
        )
        assert actions[0] == Leave(3, "a")
        assert isinstance(actions[1], Join)

    def test_unsubscribe_from_nowhere_is_confirmed(self) -> None:
        """The wish is fulfilled already."""
        actions = connected().receive('{"id":3,"unsubscribe":{"channel":"a"}}', 0)
        assert sent(actions) == [{"id": 3, "unsubscribe": {}}]

    def test_ping_send_and_unknown_commands(self) -> None:
        """A ping is answered, `send` is handed on, the rest has its code."""
        session = connected()
        assert sent(session.receive('{"id":2,"ping":{}}', 0)) == [{"id": 2, "ping": {}}]
        assert session.receive('{"send":{"data":1}}', 0) == [Tell(b"1")]
        assert connected(ANONYMOUS).receive('{"send":{"data":1}}', 0) == []
        publish = session.receive('{"id":2,"publish":{"channel":"a","data":[1]}}', 0)
        assert publish == [Publish(2, "a", b"[1]")]
        renewal = session.receive('{"id":2,"sub_refresh":{"channel":"a","token":"t"}}', 0)
        assert renewal == [RenewChannel(2, "a", "t")]
        assert codes_of(session.receive('{"id":2,"teleport":{}}', 0)) == [104]

    def test_presence_and_history_are_read_elsewhere(self) -> None:
        """What a family lets whom read is not the session's business."""
        session = connected()
        session.receive('{"id":2,"subscribe":{"channel":"a"}}', 0)
        session.subscribed(2, "a", SubscribeResult())
        [presence] = session.receive('{"id":2,"presence":{"channel":"a"}}', 0)
        [stats] = session.receive('{"id":2,"presence_stats":{"channel":"a"}}', 0)
        [history] = session.receive('{"id":2,"history":{"channel":"a","limit":5}}', 0)
        assert presence == ReadPresence(2, "a", stats=False)
        assert stats == ReadPresence(2, "a", stats=True)
        assert isinstance(history, ReadHistory)
        assert history.request.limit == 5

    def test_anonymous_may_only_subscribe_unsubscribe_and_ping(self) -> None:
        """Everything else is 101."""
        session = connected(ANONYMOUS)
        assert isinstance(session.receive('{"id":2,"subscribe":{"channel":"a"}}', 0)[0], Join)
        for method in ("rpc", "presence", "presence_stats", "history", "refresh", "publish", "x"):
            frame = f'{{"id":2,"{method}":{{"channel":"a"}}}}'
            assert codes_of(session.receive(frame, 0)) == [101], method
