"""A mail server on loopback that takes, postpones or refuses, with or without TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

USER, PASSWORD = "library", "pass:wörd/@"


@dataclass
class Inbox:
    """What arrived, and what the server says to each step."""

    host: str = "127.0.0.1"
    port: int = 0
    rcpt_reply: str = "250 OK"
    data_reply: str = "250 OK"
    requires_auth: bool = False
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.rcpt_reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt_reply

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.data_reply.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message: Any = message_from_bytes(envelope.content, policy=default)
            self.messages.append(message)
            self.envelopes.append((envelope.mail_from or "", envelope.rcpt_tos))
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return self.data_reply

    def authenticate(self, *given: Any) -> AuthResult:
        """One account."""
        login: LoginPassword = given[-1]
        right = (login.login.decode(), login.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=right, handled=False)


@dataclass(frozen=True)
class Certificates:
    """An authority of the tests, and a server's certificate for 127.0.0.1."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def certificates() -> Certificates:
    """New ones."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certificates(server, client)


@asynccontextmanager
async def mail_server(
    inbox: Inbox, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Inbox]:
    """The server at work in this loop."""

    def session() -> SMTP:
        return SMTP(
            inbox,
            hostname="tests",
            enable_SMTPUTF8=True,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=inbox.requires_auth,
            authenticator=inbox.authenticate,
            loop=asyncio.get_running_loop(),
        )

    make: Callable[[], SMTP] = session
    server = await asyncio.get_running_loop().create_server(make, inbox.host, 0, ssl=tls)
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()
        await server.wait_closed()
