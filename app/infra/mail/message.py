"""A letter as a message of the internet (RFC 5322), by the standard library's own builder."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from app.infra.mail.letters import Letter
from app.kit.clock import now
from app.kit.smtp import split_sender


def deliverable(address: str) -> str:
    """The address as every mail server takes it: with its domain in ASCII (IDNA, RFC 5890).

    A local part in another script needs a server with SMTPUTF8 anyway. Raises ValueError.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}" if local.isascii() else address


def compose(letter: Letter, *, sender: str, to: str, message_id: str) -> EmailMessage:
    """The message. An address cannot add a header or a recipient: each is built from its parts."""
    name, address = split_sender(sender)
    message = EmailMessage(policy=SMTP if to.isascii() else SMTPUTF8)
    message["From"] = _address(name, address)
    message["To"] = _address("", to)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now())
    # A mail that is sent twice (its acknowledgement was lost) is the same mail for its reader.
    message["Message-ID"] = f"<{message_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: no holiday notes back
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)
