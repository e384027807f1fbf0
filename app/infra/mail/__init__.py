"""Mail: written in the transaction of its fact, sent by a job after the commit."""

from pathlib import Path

from app.infra.mail.letters import Letter, Letters
from app.infra.mail.outbox import DevOutbox, KeptMail
from app.infra.mail.postman import Postman, Recipient, Recipients
from app.infra.mail.transport import DeliveryFailed, NoServer, SmtpServer, Transport
from app.kit.secret import Secret
from app.kit.smtp import smtp_address, split_sender


def transport_for(smtp_url: Secret, mail_from: str, dev_outbox: Path | None) -> Transport:
    """The server that the settings name; in `dev` the outbox."""
    if smtp_url:
        _, sender = split_sender(mail_from)
        return SmtpServer(smtp_address(smtp_url.reveal()), sender)
    return DevOutbox(dev_outbox) if dev_outbox else NoServer()


__all__ = [
    "DeliveryFailed",
    "DevOutbox",
    "KeptMail",
    "Letter",
    "Letters",
    "NoServer",
    "Postman",
    "Recipient",
    "Recipients",
    "SmtpServer",
    "Transport",
    "transport_for",
]
