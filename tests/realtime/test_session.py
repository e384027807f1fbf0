"""The session state machine: frames in, actions out, no socket and no clock."""

from collections import Counter
from math import ceil

from realtime import ANONYMOUS, Identity, Limits
from realtime.actions import Authenticate, Join, Renew
from realtime.codes import BAD_REQUEST
from tests.realtime.sessions import LEARNER, close_code, codes_of, connected, new_session, sent


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
