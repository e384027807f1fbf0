"""The codec: what goes over the wire, byte for byte, and what never gets in."""

import json
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import Limits, Publication
from realtime.codes import DISCONNECTS, ERRORS, INSUFFICIENT_STATE, SHUTDOWN, UNSUBSCRIBES
from realtime.messages import ClientInfo
from realtime.protocol import (
    ProtocolFault,
    PushWriter,
    decode_frame,
    decode_info,
    encode_disconnect,
    encode_info,
    one_line,
)
from realtime.session import Session


def test_a_publication_push_is_one_json_object() -> None:
    """Channel, data and offset; without offset the field is absent."""
    writer = PushWriter('od"d:1')
    with_offset = json.loads(writer.publication(Publication(b'{"a":1}', 5)).text)
    assert with_offset == {"push": {"channel": 'od"d:1', "pub": {"data": {"a": 1}, "offset": 5}}}
    without = json.loads(writer.publication(Publication(b"[]")).text)
    assert without == {"push": {"channel": 'od"d:1', "pub": {"data": []}}}


def test_join_leave_unsubscribe_and_disconnect_pushes() -> None:
    """Each as the protocol's definition names them."""
    writer, info = PushWriter("q:1"), ClientInfo("7", "c1")
    encoded = encode_info(info)
    assert decode_info(encoded) == info
    expected = {"user": "7", "client": "c1"}
    assert json.loads(writer.joined(encoded).data)["push"]["join"]["info"] == expected
    assert json.loads(writer.left(encoded).data)["push"]["leave"]["info"] == expected
    unsubscribed = json.loads(writer.unsubscribed(INSUFFICIENT_STATE).data)["push"]
    assert unsubscribed["unsubscribe"] == {"code": 2500, "reason": "insufficient state"}
    disconnect = json.loads(encode_disconnect(SHUTDOWN).data)["push"]["disconnect"]
    assert disconnect == {"code": 3001, "reason": "shutdown"}


def test_data_never_breaks_a_frame_apart() -> None:
    """Raw newlines in JSON are white space and become blanks."""
    assert one_line(b'{"a":\r\n1}') == b'{"a":  1}'
    assert one_line(b'{"a":"\\n"}') == b'{"a":"\\n"}'


def test_the_code_tables_are_unique_and_say_whether_to_come_back() -> None:
    """One meaning per code; ranges decide about the reconnect."""
    assert len({e.code for e in ERRORS}) == len(ERRORS)
    assert len({d.code for d in DISCONNECTS}) == len(DISCONNECTS)
    assert {d.code: d.reconnect for d in DISCONNECTS}[3008] is True
    assert {d.code: d.reconnect for d in DISCONNECTS}[3503] is False
    assert {u.code: u.resubscribe for u in UNSUBSCRIBES} == {2000: False, 2500: True, 2501: True}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = ["id", "connect", "subscribe", "unsubscribe", "rpc", "history", "presence", "send"]
COMMAND = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4).map(json.dumps)


@given(st.binary(max_size=200) | st.text(max_size=200) | COMMAND)
@settings(max_examples=500, deadline=None)
def test_any_frame_is_decoded_or_refused(frame: str | bytes) -> None:
    """The decoder raises ProtocolFault and nothing else."""
    with suppress(ProtocolFault):
        decode_frame(frame, 1000)


@given(st.lists(st.binary(max_size=100) | COMMAND, max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_sequence_of_frames_leaves_the_session_sane(frames: list[str | bytes]) -> None:
    """Whatever comes, a session raises nothing and stays silent once closed."""
    session = Session("c", Limits(), now=0)
    session.receive('{"id":1,"connect":{}}', 0)
    session.connected(1, session.preset, expires_in=None, now=0)
    closed = False
    for frame in frames:
        actions = session.receive(frame, 0)
        assert not (closed and actions)
        closed = session.phase.name == "CLOSED"
