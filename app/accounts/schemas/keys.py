"""What goes in and out of API keys."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from app.kit.errors import Conflict
from app.kit.principal import Scope
from app.kit.text import Line

Moment = Annotated[datetime, Meta(tz=True)]


class CreateApiKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A key for a program: what it is for, what it may be used for, and until when."""

    name: Line
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=len(Scope))]
    expires_at: Moment | None = None


class ApiKey(Struct, frozen=True):
    """A key as its owner sees it; `hint` is how it begins, the rest is not kept anywhere."""

    id: str
    name: str
    hint: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewApiKey(Struct, frozen=True):
    """The only time that the whole key is shown."""

    key: str
    api_key: ApiKey


class TooManyApiKeys(Conflict):
    """Revoke one that is no longer used."""

    code = "too-many-api-keys"
    title = "You have as many API keys as one person may have"
