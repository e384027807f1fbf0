"""Sessions without a socket, and what their actions say."""

import json
from typing import Any

from realtime import Identity, Limits
from realtime.actions import Action, Close, Send
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
