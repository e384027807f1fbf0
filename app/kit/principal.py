"""Who is asking: the role ladder and the signed-in person."""

from enum import StrEnum

from msgspec import Struct

from app.kit.errors import Forbidden, SecondFactorRequired


class Role(StrEnum):
    """What a person may do; the database holds the same four words in a constraint."""

    USER = "user"
    TEACHER = "teacher"
    MODERATOR = "moderator"
    ADMIN = "admin"


STAFF = frozenset({Role.MODERATOR, Role.ADMIN})
"""The offices that see and decide reports."""


class Method(StrEnum):
    """How somebody proved who they are; most values are those of RFC 8176."""

    PASSWORD = "pwd"  # noqa: S105  # its name, no secret
    ONE_TIME_CODE = "otp"
    RECOVERY_CODE = "recovery"
    PASSKEY = "swk"
    FEDERATED = "fed"
    MAIL = "mail"


SECOND_FACTORS = frozenset({Method.ONE_TIME_CODE, Method.RECOVERY_CODE, Method.PASSKEY})
"""A passkey is asked for with user verification and so stands for both (NIST 800-63B, 3.1.7)."""


class Scope(StrEnum):
    """What an API key may be used for; its owner's role decides as well."""

    CATALOG_READ = "catalog:read"
    CATALOG_WRITE = "catalog:write"
    INTERACTIONS_READ = "interactions:read"
    INTERACTIONS_WRITE = "interactions:write"
    CHAT_USE = "chat:use"
    REPORTS_READ = "reports:read"
    REPORTS_WRITE = "reports:write"
    REPORTS_DECIDE = "reports:decide"


class Principal(Struct, frozen=True):
    """A signed-in person in one session. Nobody signed in is `None`, never a special Principal."""

    user_id: int
    role: Role
    session_id: str
    name: str
    email: str
    session_ends_at: float | None = None
    """Unix time at which the session ends unless it is used before."""
    authenticated_at: float = 0.0
    """Unix time of the last proof in this session: dangerous acts ask for a fresh one."""
    methods: tuple[Method, ...] = ()
    impersonator_id: int | None = None
    """The admin who acts in this person's name."""
    fresh_until: float = 0.0
    """Unix time until which the last proof counts for dangerous acts."""
    owes_second_factor: bool = False
    """True where the office of this person rests (and `role` is `user`) until they give one."""
    key_id: str | None = None
    """The API key of a program; then there is no session."""
    scopes: frozenset[Scope] = frozenset()
    """What that key may be used for; without a key everything is in reach."""

    @property
    def is_staff(self) -> bool:
        """May see and decide reports."""
        return self.role in STAFF

    @property
    def can_author(self) -> bool:
        """May add and change books, categories and groups."""
        return self.role in {Role.TEACHER, Role.ADMIN}

    @property
    def is_admin(self) -> bool:
        """May manage people."""
        return self.role is Role.ADMIN


def refusal(principal: Principal, reason: str) -> Forbidden:
    """What to raise where a role is missing: it may only rest until a second factor is given."""
    return SecondFactorRequired() if principal.owes_second_factor else Forbidden(reason)
