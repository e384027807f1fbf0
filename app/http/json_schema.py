"""JSON Schemas of msgspec types for both documents, each named struct once, sorted and stable."""

import json
import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct

REF = "#/components/schemas/{name}"
FIELDS = {"properties", "additionalProperties"}
"""What msgspec's `dict[str, Any]` lacks: generators take that for an object without any field."""

GENERIC = re.compile(r"(\w+?)_(\w+)_")


class Schemas:
    """Collects the named structs that a document refers to."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of one type; structs and enums stand under `components`.

        Raises ValueError for two different structs of one name: the contract could not tell them
        apart.
        """
        members = get_args(kind) if get_origin(kind) in {Union, UnionType} else ()
        if len(members) > 1 and all(_is_untagged(member) for member in members):
            return {"anyOf": [self.of(member) for member in members]}
        (schema,), found = msgspec.json.schema_components([kind], ref_template=REF)
        for name, component in _readable(found).items():
            if self.components.setdefault(name, component) != component:
                raise ValueError(f"two different structs are called {name}")
        return dict(_readable(schema))


def sort_keys(value: Any) -> Any:
    """The same document with every object's keys in order; lists keep theirs."""
    if isinstance(value, Mapping):
        return {str(key): sort_keys(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [sort_keys(item) for item in value]
    return value


def pretty(document: Any) -> bytes:
    """JSON as it stands in `frontend-contract/`: sorted, two spaces, one newline at the end."""
    plain = sort_keys(msgspec.to_builtins(document))
    return json.dumps(plain, indent=2, ensure_ascii=False).encode() + b"\n"


def _is_untagged(kind: Any) -> bool:
    """A struct that msgspec could not tell from another when decoding; we only encode these."""
    return isinstance(kind, type) and issubclass(kind, Struct) and not kind.__struct_config__.tag


def _readable(value: Any) -> Any:
    """`Page_Book_`, as msgspec calls `Page[Book]`, is `BookPage` for people and generators."""
    if isinstance(value, Mapping):
        if value.get("type") == "object" and not value.keys() & FIELDS:
            return {**value, "additionalProperties": True}
        return {_name(str(key)): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    if isinstance(value, str) and value.startswith(REF[:-6]):
        return REF.format(name=_name(value.rpartition("/")[2]))
    return value


def _name(name: str) -> str:
    generic = GENERIC.fullmatch(name)
    return f"{generic[2]}{generic[1]}" if generic else name
