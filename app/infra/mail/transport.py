"""How a finished message leaves the house: by SMTP (RFC 5321), or not at all."""

import asyncio
import ssl
from email.message import EmailMessage
from typing import Protocol

import aiosmtplib

from app.infra.jobs import Hopeless
from app.kit.smtp import SmtpAddress

STEP_TIMEOUT_S = 15.0
TOTAL_TIMEOUT_S = 60.0
"""Below the timeout of a job: a slow server is a fault with a name."""
FINAL = 500
"""From this reply code on the server says that trying again is of no use (RFC 5321, 4.2.1)."""


class DeliveryFailed(Exception):
    """The message did not leave; names the step and the code, never the address or the text."""


class Transport(Protocol):
    """Takes a message to its recipient."""

    async def deliver(self, message: EmailMessage, to: str) -> None:
        """Raises DeliveryFailed when it may succeed later, Hopeless when it never will."""
        ...


class NoServer:
    """Mails wait as jobs until a server is set."""

    async def deliver(self, message: EmailMessage, to: str) -> None:  # noqa: ARG002  # the protocol
        """Raises DeliveryFailed."""
        raise DeliveryFailed("no mail server is set: SICERDAS_SMTP_URL")


class SmtpServer:
    """One connection for each message: mails are few, and a kept connection dies unseen."""

    def __init__(
        self, address: SmtpAddress, sender: str, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = address
        self._sender = sender
        self._tls = tls

    async def deliver(self, message: EmailMessage, to: str) -> None:
        """See Transport."""
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S), self._client() as client:
                await client.send_message(message, sender=self._sender, recipients=[to])
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError) as fault:
            if (reply := _code(fault)) >= FINAL:
                raise Hopeless(f"the mail server refuses the message: {reply}") from None
            raise DeliveryFailed(f"the mail server postpones the message: {reply}") from None
        except aiosmtplib.SMTPNotSupported:
            raise Hopeless("the mail server cannot carry this address (SMTPUTF8)") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            # Their texts may hold the address: only the kind and the code are told.
            code: object = getattr(fault, "code", "")
            raise DeliveryFailed(f"{type(fault).__name__} {code}".strip()) from None

    def _client(self) -> aiosmtplib.SMTP:
        address = self._address
        return aiosmtplib.SMTP(
            hostname=address.host,
            port=address.port,
            username=address.username,
            password=address.password.reveal() if address.username else None,
            use_tls=address.security == "tls",
            start_tls=address.security == "starttls",
            tls_context=self._tls,
            timeout=STEP_TIMEOUT_S,
        )


def _code(fault: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError) -> int:
    if isinstance(fault, aiosmtplib.SMTPDataError):
        return fault.code
    return max(refusal.code for refusal in fault.recipients)
