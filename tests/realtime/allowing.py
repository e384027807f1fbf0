"""Families that allow more than listening, and tokens that are seconds from now."""

from typing import Any

import pytest

from realtime import (
    ChannelFamily,
    Delivery,
    Identity,
    InvalidToken,
    RealtimeError,
    TokenExpired,
)
from realtime.model import Grant, Hooks
from realtime.testing import Client, ManualClock
from tests.realtime.families import FAMILIES, everybody, members

LEARNER = Identity(user="7", session="s7", info=b'{"name":"Ada"}')
TALK = ChannelFamily(
    "talk:{id}",
    Delivery.TAIL,
    members,
    authorize_publish=members,
    authorize_read=everybody,
    presence=True,
    delta=True,
    history_size=3,
    history_ttl_s=60,
)
SECRET = ChannelFamily("secret:{id}", Delivery.TAIL, members, token_required=True)


async def polite(_identity: Identity, _channel: str, data: bytes) -> None:
    """Let in who says please. Raises RealtimeError 400."""
    if data != b'"please"':
        raise RealtimeError(400, "impolite")


POLITE = ChannelFamily("polite:{id}", Delivery.VALUE, everybody, inspect_data=polite)
ALL = [*FAMILIES, TALK, SECRET, POLITE]


async def code_of(client: Client, verb: str, **body: Any) -> int:
    """The error that a command is refused with."""
    with pytest.raises(RealtimeError) as refused:
        await client.command(verb, **body)
    return refused.value.code


def hooks(clock: ManualClock) -> Hooks:
    """Tokens are seconds from now, or a story."""

    async def verify(token: str, _identity: Identity, _channel: str) -> Grant:
        match token:
            case "bad":
                raise InvalidToken
            case "expired":
                raise TokenExpired
        return Grant(clock() + float(token))

    return Hooks(verify_subscription=verify)
