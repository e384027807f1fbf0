"""The AsyncAPI 3 document of the realtime side, from what the features say of their channels."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from app.http.openapi import sort_keys

DELIVERY = {
    "log": "Ordered, gapless, durable; after a cut the client recovers or is told that it cannot.",
    "value": "The newest value, at most five times a second; never an old one after a new one.",
    "tail": "Deltas in order, resumable from any position while it runs; the full text afterwards.",
}
PROTOCOL_URL = "https://github.com/centrifugal/protocol/blob/master/definitions/client.proto"


class ChannelDoc(Struct, frozen=True):
    """A family of channels as its feature describes it."""

    address: str
    delivery: str
    summary: str
    events: Any
    snapshot: Any = None


class RpcDoc(Struct, frozen=True):
    """A method of the protocol's `rpc` command."""

    method: str
    summary: str
    params: Any
    result: Any


def asyncapi_document(
    version: str, channels: Sequence[ChannelDoc], methods: Sequence[RpcDoc]
) -> dict[str, Any]:
    """The document: one channel per family, one operation per direction."""
    types = [t for c in channels for t in (c.events, c.snapshot) if t is not None]
    types += [t for m in methods for t in (m.params, m.result)]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    refs = dict(zip(map(id, types), schemas, strict=True))
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "sicerdas realtime",
            "version": version,
            "description": (
                "The Centrifuge client protocol (JSON, version 2) at `/connection/websocket`: "
                f"any Centrifuge SDK connects. Definition: {PROTOCOL_URL}"
            ),
        },
        "defaultContentType": "application/json",
        "channels": {},
        "operations": {},
        "components": {"schemas": components},
    }
    for channel in channels:
        _add_channel(document, channel, refs)
    for method in methods:
        _add_method(document, method, refs)
    sorted_document: dict[str, Any] = sort_keys(document)
    return sorted_document


def _add_channel(document: dict[str, Any], channel: ChannelDoc, refs: dict[int, Any]) -> None:
    name = channel.address.replace(":", "_").replace("{", "").replace("}", "")
    messages = {"event": {"summary": "A publication's `data`", "payload": refs[id(channel.events)]}}
    if channel.snapshot is not None:
        messages["snapshot"] = {
            "summary": "The subscribe result's `data`, unless recovered",
            "payload": refs[id(channel.snapshot)],
        }
    document["channels"][name] = {
        "address": channel.address,
        "description": f"{channel.summary} Delivery `{channel.delivery}`: "
        f"{DELIVERY[channel.delivery]}",
        "messages": messages,
    }
    if "{" in channel.address:
        parameter = channel.address.partition("{")[2].rstrip("}")
        document["channels"][name]["parameters"] = {parameter: {}}
    document["operations"][f"receive_{name}"] = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{m}"} for m in messages],
    }


def _add_method(document: dict[str, Any], method: RpcDoc, refs: dict[int, Any]) -> None:
    name = "rpc_" + method.method.replace(".", "_")
    document["channels"][name] = {
        "address": f"rpc {method.method}",
        "description": method.summary,
        "messages": {
            "params": {"summary": "`rpc.data`", "payload": refs[id(method.params)]},
            "result": {"summary": "The reply's `rpc.data`", "payload": refs[id(method.result)]},
        },
    }
    document["operations"][name] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/params"}],
        "reply": {
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/result"}],
        },
    }
