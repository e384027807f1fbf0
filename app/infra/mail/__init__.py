"""Mail: written in the transaction of its fact, sent by a job after the commit."""

from app.infra.mail.letters import Letter, Letters
from app.infra.mail.outbox import DevOutbox, KeptMail
from app.infra.mail.postman import Postman, Recipient, Recipients
from app.infra.mail.transport import DeliveryFailed, NoServer, SmtpServer, Transport

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
]
