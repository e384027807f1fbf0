"""The AsyncAPI 3 document of the realtime side, from what the features say of their channels."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from msgspec import Struct

from app.http.channel_docs import ChannelDoc, RpcDoc
from app.http.error_table import error_table, errors_document
from app.http.json_schema import Schemas, sort_keys
from app.http.sessions import COOKIE_NAME
from realtime import Limits
from realtime.messages import Command, Reply

DELIVERY = {
    "log": "Ordered, gapless, durable; after a cut the client recovers or is told that it cannot.",
    "value": "The newest value, at most five times a second; never an old one after a new one.",
    "tail": "Deltas in order, resumable from any position while it runs; the full text afterwards.",
}
PROTOCOL_URL = "https://github.com/centrifugal/protocol/blob/master/definitions/client.proto"
SDK_URL = "https://centrifugal.dev/docs/transports/client_sdk"
PATH = "/connection/websocket"
DESCRIPTION = """\
The open Centrifuge client protocol (JSON, version 2) at `{path}`: any Centrifuge SDK connects.
Where networks break WebSockets: `/connection/sse` or `/connection/http_stream` down, `/emulation`
up. For clients that only listen: `/connection/uni_websocket` and `/connection/uni_sse`.

A frame holds one or more JSON objects, one a line. `connect` comes first, within {connect} s:
with the session cookie and an Origin of the application's own, with the token of
`GET /api/v1/realtime/token`, or with neither as nobody, who may subscribe to `book:*` only.
Commands carry an `id`; replies echo it with the result or an `error`; pushes have none. `{{}}` is
ping and, sent back, pong.

A subscription's first state travels in the subscribe result's `data` and already contains
everything up to its `offset`; after a cut, ask for recovery with the last `offset` and `epoch`.

## Limits
{limits}

## Errors of a command
A temporary one may be answered otherwise when the same command is sent again.

{errors}

Below 400 they are the protocol's own. From 400 on the number is the HTTP status, and `message`
one of the stable codes of the REST side: {codes}.

## Close codes
3000-3499 and 4000-4499: come back with backoff. 3500-3999 and 4500-4999: stop.

{disconnects}

## Codes of an `unsubscribe` push
2500-2999: subscribe again and recover. 2000-2499: stay away.

{unsubscribes}
"""
LIMITS = {
    "max_frame_bytes": "bytes of an incoming frame; a larger one closes a WebSocket with 1009",
    "max_channels": "subscriptions of one connection; then error 106",
    "max_channel_length": "characters of a channel's name; then error 107",
    "max_user_connections": "connections of one person on one process; then 3504",
    "commands_per_s": "commands a second, with a burst; then error 111",
    "command_burst": "commands in a burst; as many refusals close with 3013",
    "max_in_flight": "commands that wait for an answer; then error 111",
    "recover_max": "missed publications; after more the client gets a snapshot instead",
    "answer_max_bytes": "bytes of publications in one answer; a history page ends there, and a "
    "client that missed more gets a snapshot",
    "presence_max": "clients of one channel that are listed; then error 106, and only numbers",
    "ping_interval_s": "seconds between pings",
    "pong_timeout_s": "seconds for a pong; then 3012",
}


class Told(Struct, frozen=True):
    """One direction of a channel or method."""

    name: str
    summary: str
    payload: dict[str, Any]


def asyncapi_document(
    version: str, channels: Sequence[ChannelDoc], methods: Sequence[RpcDoc]
) -> dict[str, Any]:
    """The document: one channel per family, one per rpc method, one for the raw protocol."""
    schemas = Schemas()
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "sicerdas realtime",
            "version": version,
            "description": _description(),
            "externalDocs": {"url": SDK_URL, "description": "Client SDKs"},
            "tags": [{"name": "channels"}, {"name": "rpc"}, {"name": "protocol"}],
        },
        "defaultContentType": "application/json",
        "servers": {"websocket": _server()},
        "channels": {},
        "operations": {},
        "components": {"schemas": schemas.components, "securitySchemes": SECURITY},
    }
    for channel in channels:
        _add_channel(document, channel, schemas)
    for method in methods:
        _add_method(document, method, schemas)
    _add_protocol(document, schemas)
    finished: dict[str, Any] = sort_keys(document)
    return finished


SECURITY: dict[str, dict[str, Any]] = {
    "cookie": {
        "type": "httpApiKey",
        "in": "cookie",
        "name": COOKIE_NAME,
        "description": "Browsers, from an Origin of the application's own.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`connect.token`: of `GET /api/v1/realtime/token`, valid for a minute.",
    },
}


def _server() -> dict[str, Any]:
    return {
        "host": "{host}",
        "pathname": PATH,
        "protocol": "wss",
        "protocolVersion": "centrifuge-json-v2",
        "description": "`ws` where the installation is served without TLS, as by `make run`.",
        "variables": {"host": {"default": "localhost:8000", "description": "host[:port]"}},
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY],
    }


def _description() -> str:
    limits = Limits()
    realtime = errors_document()["realtime"]
    errors = [(e["code"], e["message"], _yes(e["temporary"])) for e in realtime["errors"]]
    ends = [(e["code"], e["reason"], _yes(e["reconnect"])) for e in realtime["disconnects"]]
    losses = [(e["code"], e["reason"], _yes(e["resubscribe"])) for e in realtime["unsubscribes"]]
    return DESCRIPTION.format(
        path=PATH,
        connect=limits.connect_timeout_s,
        limits=_table(("Limit", "Meaning"), [(getattr(limits, k), v) for k, v in LIMITS.items()]),
        errors=_table(("Code", "Message", "Temporary"), errors),
        codes=", ".join(f"`{row.code}`" for row in error_table()),
        disconnects=_table(("Code", "Reason", "Come back"), ends),
        unsubscribes=_table(("Code", "Reason", "Subscribe again"), losses),
    )


def _yes(fact: object) -> str:
    return "yes" if fact else "no"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _add_channel(document: dict[str, Any], channel: ChannelDoc, schemas: Schemas) -> None:
    name = channel.address.replace(":", "_").replace("{", "").replace("}", "")
    told = list(_events(channel.events, schemas))
    if channel.snapshot is not None:
        first = "The subscribe result's `data`, unless the subscription was recovered"
        told.append(Told("snapshot", first, schemas.of(channel.snapshot)))
    _declare(document, name, channel.address, told)
    added = document["channels"][name]
    added["title"] = channel.address
    added["description"] = (
        f"{channel.summary}\n\nWho: {channel.access}.\n\n"
        f"Delivery `{channel.delivery}`: {DELIVERY[channel.delivery]}"
    )
    added["tags"] = [{"name": "channels"}]
    if channel.parameters:
        added["parameters"] = {
            key: {"description": text} for key, text in channel.parameters.items()
        }
    document["operations"][f"push_{name}"] = {
        "action": "send",
        "title": channel.address,
        "summary": channel.summary,
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [_message(name, entry.name) for entry in told],
        "tags": [{"name": "channels"}],
    }


def _events(events: Any, schemas: Schemas) -> Iterator[Told]:
    """One message for each struct that a publication's `data` may be, named by its tag."""
    for kind in get_args(events) or (events,):
        tag = kind.__struct_config__.tag
        purpose = " ".join((kind.__doc__ or "").split())
        yield Told(str(tag or "event"), f"A publication's `data`. {purpose}", schemas.of(kind))


def _add_method(document: dict[str, Any], method: RpcDoc, schemas: Schemas) -> None:
    name = "rpc_" + method.method.replace(".", "_")
    told = [
        Told("params", f"Data of rpc `{method.method}`", schemas.of(method.params)),
        Told("result", "The reply's `rpc.data`", schemas.of(method.result)),
    ]
    _declare(document, name, f"rpc {method.method}", told)
    document["channels"][name]["description"] = f"{method.summary} As REST: `{method.same_as}`."
    document["channels"][name]["tags"] = [{"name": "rpc"}]
    _exchange(document, name, f"rpc {method.method}", method.summary, "rpc")


def _add_protocol(document: dict[str, Any], schemas: Schemas) -> None:
    told = [
        Told("params", "A command: `id` and exactly one request", _command()),
        Told("result", "A reply to the command with the same `id`", schemas.of(Reply)),
    ]
    _declare(document, "protocol", PATH, told)
    summary = f"The frames that carry all of the above, by the definition at {PROTOCOL_URL}"
    document["channels"]["protocol"]["description"] = summary
    document["channels"]["protocol"]["tags"] = [{"name": "protocol"}]
    _exchange(document, "protocol", "commands and replies", summary, "protocol")


def _command() -> dict[str, Any]:
    """By name only: what a request holds is the protocol's own definition."""
    requests = [name for name in Command.__struct_fields__ if name != "id"]
    return {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            **{name: {"type": "object"} for name in requests},
        },
        "oneOf": [{"required": [name]} for name in requests],
    }


def _exchange(document: dict[str, Any], name: str, title: str, summary: str, tag: str) -> None:
    channel = {"$ref": f"#/channels/{name}"}
    document["operations"][name] = {
        "action": "receive",
        "title": title,
        "summary": summary,
        "channel": channel,
        "messages": [_message(name, "params")],
        "reply": {"channel": channel, "messages": [_message(name, "result")]},
        "tags": [{"name": tag}],
    }


def _declare(document: dict[str, Any], name: str, address: str, told: Sequence[Told]) -> None:
    messages = {
        _key(entry.name): {
            "name": f"{name}.{entry.name}",
            "title": entry.name,
            "summary": entry.summary,
            "payload": entry.payload,
        }
        for entry in told
    }
    document["channels"][name] = {"address": address, "messages": messages}


def _message(channel: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}/messages/{_key(name)}"}


def _key(name: str) -> str:
    return name.replace(".", "_")
