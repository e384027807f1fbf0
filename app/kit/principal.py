"""Who is asking: the role ladder and the signed-in person."""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a person may do; the database holds the same four words in a constraint."""

    USER = "user"
    TEACHER = "teacher"
    MODERATOR = "moderator"
    ADMIN = "admin"


class Principal(Struct, frozen=True):
    """A signed-in person in one session. Nobody signed in is `None`, never a special Principal."""

    user_id: int
    role: Role
    session_id: str
    name: str
    email: str
    session_ends_at: float | None = None
    """Unix time at which the session ends unless it is used before."""

    @property
    def is_staff(self) -> bool:
        """May see and decide reports."""
        return self.role in {Role.MODERATOR, Role.ADMIN}

    @property
    def can_author(self) -> bool:
        """May add and change books, categories and groups."""
        return self.role in {Role.TEACHER, Role.ADMIN}

    @property
    def is_admin(self) -> bool:
        """May manage people."""
        return self.role is Role.ADMIN
