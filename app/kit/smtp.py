"""How a mail server and a sender are named in the settings."""

from email.utils import parseaddr
from typing import Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from app.kit.secret import Secret

Security = Literal["starttls", "tls", "none"]
SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("starttls", 587),
    "smtps": ("tls", 465),
    "smtp+plain": ("none", 25),
}
"""`smtp` insists on STARTTLS; without encryption (a relay of one's own network) must be said."""


class SmtpAddress(Struct, frozen=True):
    """Where the server is and how to speak with it."""

    host: str
    port: int
    security: Security
    username: str | None
    password: Secret


def smtp_address(url: str) -> SmtpAddress:
    """`smtp://user:password@host:587`, see SCHEMES. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError("must be smtp://, smtps:// or smtp+plain:// with a host")
    security, port = SCHEMES[parts.scheme]
    username = unquote(parts.username) if parts.username else None
    if username and security == "none":
        raise ValueError("a password does not travel unencrypted: use smtp:// or smtps://")
    password = Secret(unquote(parts.password or ""))
    return SmtpAddress(parts.hostname, parts.port or port, security, username, password)


def split_sender(sender: str) -> tuple[str, str]:
    """Name and address of `Library <library@example.org>`. Raises ValueError."""
    name, address = parseaddr(sender)
    if not address or "@" not in address:
        raise ValueError("must be an address: Library <library@example.org>")
    return name, address
