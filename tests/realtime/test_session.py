"""The session state machine: frames in, actions out, no socket and no clock."""

import json
from collections import Counter
from math import ceil
from typing import Any

from realtime import ANONYMOUS, Identity, Limits
from realtime.actions import (
    Action,
    Authenticate,
    Call,
    Close,
    Join,
    Leave,
    Publish,
    ReadHistory,
    ReadPresence,
    Renew,
    RenewChannel,
    Send,
    Tell,
)
from realtime.codes import BAD_REQUEST
from realtime.messages import SubscribeResult
from realtime.phase import Phase
from realtime.session import Session

LEARNER = Identity(user="7", session="s7")


def new_session(limits: Limits | None = None, client: str = "client", **options: Any) -> Session:
    return Session(client, limits or Limits(), now=0, **options)


def connected(
    identity: Identity = LEARNER, limits: Limits | None = None, client: str = "client"
) -> Session:
    session = new_session(limits, client)
    session.receive('{"id":1,"connect":{}}', 0)
    session.connected(1, identity, expires_in=None, now=0)
    return session


def sent(actions: list[Action]) -> list[dict[str, Any]]:
    return [json.loads(a.frame.data) for a in actions if isinstance(a, Send)]


def codes_of(actions: list[Action]) -> list[int]:
    return [reply["error"]["code"] for reply in sent(actions) if "error" in reply]


def close_code(actions: list[Action]) -> int:
    [close] = [a for a in actions if isinstance(a, Close)]
    return close.disconnect.code


class TestConnect:
    def test_the_token_is_handed_out_for_verification(self) -> None:
        """A token is the world's business."""
        session = new_session()
        actions = session.receive('{"id":3,"connect":{"token":"t","future":1}}', 0)
        assert actions == [Authenticate(3, "t")]

    def test_the_answer_announces_pings(self) -> None:
        """The client learns how often to expect a ping and that a pong is wanted."""
        session = new_session()
        session.receive('{"id":1,"connect":{}}', 0)
        [reply] = sent(session.connected(1, ANONYMOUS, expires_in=None, now=0))
        result = reply["connect"]
        assert (result["client"], result["ping"], result["pong"]) == ("client", 25, True)
        assert "expires" not in result

    def test_anything_before_connect_is_malformed(self) -> None:
        """No command is served to a stranger who has not connected."""
        for frame in ('{"id":1,"subscribe":{"channel":"a"}}', "{}", '{"connect":{}}'):
            assert close_code(new_session().receive(frame, 0)) == 3501

    def test_a_second_connect_is_malformed(self) -> None:
        """A connection has one identity."""
        assert close_code(connected().receive('{"id":2,"connect":{}}', 0)) == 3501

    def test_commands_in_the_same_breath_wait_for_the_answer(self) -> None:
        """Clients may send `connect` and `subscribe` in one frame."""
        session = new_session()
        frame = '{"id":1,"connect":{}}\n\n{"id":2,"subscribe":{"channel":"a"}}\n'
        assert session.receive(frame, 0) == [Authenticate(1, "")]
        actions = session.connected(1, LEARNER, expires_in=None, now=0)
        assert isinstance(actions[1], Join)
        assert actions[1].request.channel == "a"

    def test_too_many_waiting_commands_are_malformed(self) -> None:
        """What waits for `connect` is bounded."""
        session = new_session(Limits(command_burst=2))
        session.receive('{"id":1,"connect":{}}', 0)
        assert close_code(session.receive('{"id":2,"ping":{}}\n' * 3, 0)) == 3501

    def test_without_a_required_token_it_is_refused(self) -> None:
        """A cookie that came without Origin proves nothing; the client may try again."""
        session = new_session(preset=LEARNER, token_required=True)
        assert codes_of(session.receive('{"id":1,"connect":{}}', 0)) == [101]
        assert session.receive('{"id":2,"connect":{"token":"t"}}', 0) == [Authenticate(2, "t")]

    def test_a_refused_connect_may_be_tried_again(self) -> None:
        """An expired token is replaced on the same connection."""
        session = new_session()
        session.receive('{"id":1,"connect":{"token":"old"}}\n{"id":2,"ping":{}}', 0)
        assert codes_of(session.refused(1, BAD_REQUEST.error(), 0)) == [107]
        assert session.receive('{"id":3,"connect":{"token":"new"}}', 0) == [Authenticate(3, "new")]
        assert len(session.connected(3, LEARNER, expires_in=None, now=0)) == 1

    def test_an_answer_after_the_close_is_dropped(self) -> None:
        """The world may answer late."""
        session = new_session()
        session.receive('{"id":1,"connect":{}}', 0)
        session.lost()
        assert session.connected(1, LEARNER, expires_in=None, now=0) == []
        assert session.refused(1, BAD_REQUEST.error(), 0) == []

    def test_the_preset_identity_is_the_cookies_or_nobodys(self) -> None:
        """Without token the transport's knowledge counts."""
        assert new_session(preset=LEARNER).preset == LEARNER
        assert new_session().preset == ANONYMOUS


class TestTime:
    def test_without_connect_it_is_stale_after_eight_seconds(self) -> None:
        """A silent stranger is closed, and told not to come back that way: looked at once a
        second, within ten."""
        session = new_session()
        assert session.deadline == 8
        assert session.tick(7.9) == []
        assert close_code(session.tick(8)) == 3502
        assert session.tick(9) == []

    def test_the_time_of_our_own_check_is_not_the_clients(self) -> None:
        """A store that takes long must not send away for good who spoke in time; after a refusal
        the rest of the time counts."""
        session = new_session()
        session.receive('{"id":1,"connect":{"token":"t"}}', 5)
        assert session.tick(14) == []
        assert codes_of(session.refused(1, BAD_REQUEST.error(), 15)) == [107]
        assert session.deadline == 18
        assert session.tick(17.9) == []
        assert close_code(session.tick(18)) == 3502

    def test_pings_and_missing_pong(self) -> None:
        """Every 25 s comes a ping; 8 s without pong end the connection."""
        session = connected()
        first = session.deadline
        assert 0 < first <= 25
        assert session.tick(first - 0.1) == []
        assert sent(session.tick(first)) == [{}]
        assert session.receive("{}", first + 1) == []
        assert session.tick(first + 8) == []
        assert sent(session.tick(first + 25)) == [{}]
        assert close_code(session.tick(first + 33)) == 3012

    def test_clients_that_came_in_one_instant_are_pinged_all_over_the_interval(self) -> None:
        """After a mass reconnect no second has more than twice its part of the pings."""
        count, seconds = 2500, 25
        sessions = [connected(client=f"client{number}") for number in range(count)]
        in_second = Counter(ceil(session.deadline) for session in sessions)
        assert sorted(in_second) == list(range(1, seconds + 1))
        assert max(in_second.values()) <= 2 * count / seconds

    def test_a_cookie_connection_ends_with_its_session(self) -> None:
        """The client has no token to renew: it is told to reconnect."""
        session = new_session()
        session.receive('{"id":1,"connect":{}}', 0)
        [reply] = sent(session.connected(1, LEARNER, expires_in=20, now=0))
        assert "expires" not in reply["connect"]
        assert close_code(session.tick(20)) == 3005

    def test_a_token_connection_is_told_when_to_refresh(self) -> None:
        """It has a grace after its expiry; a refresh prolongs it."""
        session = new_session()
        session.receive('{"id":1,"connect":{"token":"t"}}', 0)
        [reply] = sent(session.connected(1, LEARNER, expires_in=20, now=0))
        assert (reply["connect"]["expires"], reply["connect"]["ttl"]) == (True, 20)
        session.deadlines._ping_at = 1000
        assert session.tick(44) == []
        assert session.receive('{"id":2,"refresh":{"token":"n"}}', 44) == [Renew(2, "n")]
        [reply] = sent(session.refreshed(2, LEARNER, expires_in=None, now=44))
        assert reply == {
            "id": 2,
            "refresh": {"client": "client", "version": reply["refresh"]["version"]},
        }
        assert session.tick(100) == []

    def test_a_refresh_for_somebody_else_ends_it(self) -> None:
        """A connection never changes hands."""
        session = connected()
        session.receive('{"id":2,"refresh":{"token":"n"}}', 0)
        assert close_code(session.refreshed(2, Identity(user="8"), expires_in=1, now=0)) == 3500


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
