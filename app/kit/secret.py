"""Secrets: a value that never shows itself in a log or a repr, and what is kept of tokens."""

import hashlib


class Secret:
    """Wraps a secret; `reveal()` is the only way to read it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def token_hash(token: str) -> bytes:
    """What is stored of a token: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def challenge_hash(challenge: bytes) -> bytes:
    """What is stored of a random challenge."""
    return hashlib.sha256(challenge).digest()
