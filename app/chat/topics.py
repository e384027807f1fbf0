"""`chat:<conversation>` (tail): the answers of one conversation, for its owner; the rpc methods.

A subscriber starts from the newest turns with the text so far and joins the deltas by position.
"""

from typing import Any, TypeVar

import msgspec

from app.chat.schemas import Asked, ConversationState, Event, NameMessage, SendQuestion
from app.chat.service import Chat
from app.chat.tutor.events import channel_of
from app.http.channel_docs import ChannelDoc, RpcDoc
from app.infra.idempotency import IdempotencyKeys
from app.kit.errors import FieldError, InvalidInput, MalformedJson, Unauthorized
from app.kit.principal import Principal
from realtime import ChannelFamily, Delivery, Identity, RpcMethod, Snapshot

T = TypeVar("T")

PATTERN = channel_of("{id}")
CHANNEL_DOCS = [
    ChannelDoc(
        address=PATTERN,
        delivery=Delivery.TAIL,
        summary="The answers of one conversation while they grow. Join a `delta` to the text by "
        "its `pos`, in code points; a higher `attempt` replaces everything before.",
        access="the owner of the conversation",
        events=Event,
        snapshot=ConversationState,
        parameters={"id": "The id of the conversation."},
    )
]
RPC_DOCS = [
    RpcDoc(
        "chat.send",
        "Ask the tutor; the answer comes on the channel.",
        SendQuestion,
        Asked,
        "askTutor",
    ),
    RpcDoc(
        "chat.stop",
        "Stop an answer; what it says so far stays.",
        NameMessage,
        Asked,
        "stopAnswer",
    ),
    RpcDoc(
        "chat.retry",
        "Ask for an answer again that stopped short of its end.",
        NameMessage,
        Asked,
        "retryAnswer",
    ),
]


def families(chat: Chat) -> list[ChannelFamily]:
    """The channels of this room."""

    async def authorize(identity: Identity, channel: str) -> None:
        """Owners only. Raises Unauthorized, NotFound."""
        await chat.visible_conversation(_signed_in(identity), _conversation_of(channel))

    async def snapshot(_identity: Identity, channel: str) -> Snapshot:
        state, offset, epoch = await chat.state(_conversation_of(channel))
        return Snapshot(msgspec.json.encode(state), offset=offset, epoch=epoch)

    return [
        ChannelFamily(
            pattern=PATTERN, delivery=Delivery.TAIL, authorize=authorize, snapshot=snapshot
        )
    ]


def rpc_methods(chat: Chat, keys: IdempotencyKeys) -> dict[str, RpcMethod]:
    """`chat.send`, `chat.stop`, `chat.retry`: the same verbs as the REST addresses."""

    async def send(identity: Identity, params: bytes) -> bytes:
        """Ask; the answer comes on the conversation's channel."""
        question, principal = _decoded(params, SendQuestion), _signed_in(identity)

        async def ask() -> bytes:
            return _encoded(await chat.ask(principal, question))

        if question.idempotency_key is None:
            return await ask()
        scope = f"{principal.user_id} RPC chat.send"
        return await keys.once(scope, question.idempotency_key, _encoded(question), ask)

    async def stop(identity: Identity, params: bytes) -> bytes:
        """Stop an answer."""
        named = _decoded(params, NameMessage)
        message = await chat.stop_answer(_signed_in(identity), named.message_id)
        return _encoded(Asked(message.conversation_id, message.id))

    async def retry(identity: Identity, params: bytes) -> bytes:
        """Ask for an unfinished answer again."""
        named = _decoded(params, NameMessage)
        return _encoded(await chat.retry_answer(_signed_in(identity), named.message_id))

    return {"chat.send": send, "chat.stop": stop, "chat.retry": retry}


def _conversation_of(channel: str) -> str:
    return channel.partition(":")[2]


def _signed_in(identity: Identity) -> Principal:
    if not isinstance(identity.context, Principal):
        raise Unauthorized
    return identity.context


def _decoded(params: bytes, kind: type[T]) -> T:
    """Raises InvalidInput, MalformedJson."""
    try:
        return msgspec.json.decode(params, type=kind)
    except msgspec.ValidationError as fault:
        raise InvalidInput(errors=[FieldError("params", str(fault))]) from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise MalformedJson from fault


def _encoded(result: Any) -> bytes:
    return msgspec.json.encode(result)
