"""The shape of a row: what each role is answered, and how the thing is made that it asks for."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.kit.principal import Role
from tests.support.world import Actor, World

COLUMNS = ("nobody", "owner", "stranger", "teacher", "moderator", "admin")
"""Owner and stranger are ordinary users; a thing that belongs to somebody is always the owner's."""

ROLES: dict[str, Role] = {
    "owner": Role.USER,
    "stranger": Role.USER,
    "teacher": Role.TEACHER,
    "moderator": Role.MODERATOR,
    "admin": Role.ADMIN,
}
HIDDEN = 404
REFUSED = 400


@dataclass(frozen=True)
class Scene:
    """One cell: who asks, and whose things they ask for."""

    world: World
    who: Actor | None
    owner: Actor


@dataclass(frozen=True)
class Given:
    """What the request carries: parts of the address, a JSON body or a form, further headers."""

    path: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    files: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Arrange = Callable[[Scene], Awaitable[Given]]
Cells = Mapping[str, int]


async def nothing(_scene: Scene) -> Given:
    """Neither thing nor body."""
    return Given()


def sends(**body: Any) -> Arrange:
    """The same body from everybody."""

    async def arrange(_scene: Scene) -> Given:
        return Given(json=body)

    return arrange


@dataclass(frozen=True)
class Row:
    """The status for each role, or for a topic or an rpc the error code, 0 where it is allowed."""

    cells: Cells
    arrange: Arrange = nothing


def everybody(status: int) -> Cells:
    """Signed in or not."""
    return dict.fromkeys(COLUMNS, status)


def signed_in(status: int, *, nobody: int = 401) -> Cells:
    """Whoever has an account."""
    return {**everybody(status), "nobody": nobody}


def only(*roles: str, status: int, refused: int = 403, nobody: int = 401) -> Cells:
    """These roles; the others are refused."""
    return {**everybody(refused), "nobody": nobody, **dict.fromkeys(roles, status)}


def own(status: int, *others: str, nobody: int = 401) -> Cells:
    """The owner and these roles; for all others the thing does not exist."""
    return only("owner", *others, status=status, refused=HIDDEN, nobody=nobody)
