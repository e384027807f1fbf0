"""JSON bodies, read once and strictly: `"1"` is no number, whatever a lenient reader makes of it.

Litestar decodes a body without its type and converts the result leniently. Here the handler's own
type reads the bytes; what comes out needs no conversion any more.
"""

import re
from typing import Any

import msgspec
from litestar import Request

from app.kit.errors import AppError, FieldError, InvalidInput, MalformedJson

_PATH = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")


class StrictRequest(Request[Any, Any, Any]):
    """The app's request class."""

    async def json(self) -> Any:
        """The body as the type of the handler's `data`.

        Raises MalformedJson, InvalidInput.
        """
        field = self.route_handler.parsed_fn_signature.parameters.get("data")
        return decode(await self.body(), field.annotation if field else Any)


def decode(body: bytes, kind: Any) -> Any:
    """Bytes as a value of a type. Raises MalformedJson, InvalidInput naming the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        raise InvalidInput(errors=[_field_error(str(fault))]) from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise MalformedJson(str(fault)) from fault
    except RecursionError as fault:
        raise MalformedJson("The body is nested too deeply") from fault


def no_upload(fault: Exception) -> AppError | None:
    """Litestar looks for an upload by `next`: a form without a file ends its coroutine."""
    if isinstance(fault, RuntimeError) and isinstance(fault.__cause__, StopIteration):
        return InvalidInput(errors=[FieldError("body", "send one file")])
    return None


def _field_error(text: str) -> FieldError:
    parts = _PATH.match(text)
    message, path = (parts["message"], parts["path"] or "$") if parts else (text, "$")
    inside = path.removeprefix("$").removeprefix(".")
    named = _UNKNOWN.search(message) or _MISSING.search(message)
    names = [name for name in (inside, named["field"] if named else "") if name]
    return FieldError(".".join(names) or "body", message)
