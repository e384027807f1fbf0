"""The mail server as it is met: encrypted, refusing, postponing, silent, away."""

import socket
from email.message import EmailMessage

import pytest

from app.infra.jobs import Hopeless
from app.infra.mail import DeliveryFailed, Letter, SmtpServer
from app.infra.mail.message import compose
from app.kit.smtp import smtp_address
from tests.support.smtp import PASSWORD, USER, Certificates, Inbox, certificates, mail_server

SENDER = "Library <library@example.org>"
WORDS = Letter("Hello", "Some text: äöü 💌\n", "<p>Some text</p>")
TO = "ada@example.org"


@pytest.fixture(scope="module")
def trust() -> Certificates:
    return certificates()


def server_at(inbox: Inbox, trust: Certificates, scheme: str = "smtp", who: str = "") -> SmtpServer:
    address = smtp_address(f"{scheme}://{who}127.0.0.1:{inbox.port}")
    return SmtpServer(address, "library@example.org", tls=trust.client)


async def deliver(server: SmtpServer, to: str = TO) -> None:
    await server.deliver(compose(WORDS, sender=SENDER, to=to, message_id="id1"), to)


def text_of(message: EmailMessage) -> str:
    """The plain part."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


class TestSmtp:
    @pytest.mark.parametrize("scheme", ["smtp", "smtps", "smtp+plain"])
    async def test_message_arrives(self, scheme: str, trust: Certificates) -> None:
        """By STARTTLS, by TLS from the start, and unencrypted where that was said."""
        contexts = {"smtp": {"starttls": trust.server}, "smtps": {"tls": trust.server}}
        async with mail_server(Inbox(), **contexts.get(scheme, {})) as inbox:
            await deliver(server_at(inbox, trust, scheme))
        assert inbox.envelopes == [("library@example.org", [TO])]
        assert "Some text: äöü 💌" in text_of(inbox.messages[0])
        assert inbox.encrypted == [scheme != "smtp+plain"]

    async def test_password_travels_encrypted(self, trust: Certificates) -> None:
        """And a wrong one postpones: an operator may mend it."""
        async with mail_server(Inbox(requires_auth=True), starttls=trust.server) as inbox:
            who = f"{USER}:pass%3Aw%C3%B6rd%2F%40@"
            await deliver(server_at(inbox, trust, who=who))
            with pytest.raises(DeliveryFailed, match="535") as failed:
                await deliver(server_at(inbox, trust, who=f"{USER}:wrong@"))
        assert len(inbox.messages) == 1
        assert "wrong" not in str(failed.value)

    async def test_v12_3_server_without_starttls_gets_nothing(self, trust: Certificates) -> None:
        """Nobody between may strip the encryption."""
        async with mail_server(Inbox()) as inbox:
            with pytest.raises(DeliveryFailed):
                await deliver(server_at(inbox, trust))
        assert inbox.messages == []

    async def test_v12_3_foreign_certificate_gets_nothing(self, trust: Certificates) -> None:
        """The server must be who the settings say."""
        async with mail_server(Inbox(), starttls=certificates().server) as inbox:
            with pytest.raises(DeliveryFailed):
                await deliver(server_at(inbox, trust))
        assert inbox.messages == []

    @pytest.mark.parametrize("step", ["rcpt_reply", "data_reply"])
    @pytest.mark.parametrize(
        ("reply", "fault"), [("451 try later", DeliveryFailed), ("550 no such user", Hopeless)]
    )
    async def test_refusals(
        self, step: str, reply: str, fault: type[Exception], trust: Certificates
    ) -> None:
        """4xx is tried again, 5xx never; neither text names the address."""
        async with mail_server(Inbox(**{step: reply}), starttls=trust.server) as inbox:
            with pytest.raises(fault, match=reply[:3]) as failed:
                await deliver(server_at(inbox, trust))
        assert TO not in repr(failed.value)
        assert failed.value.__suppress_context__

    async def test_server_that_is_down(self, trust: Certificates) -> None:
        """Named by its kind."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            inbox = Inbox(port=unused.getsockname()[1])
            with pytest.raises(DeliveryFailed, match="SMTPConnectError"):
                await deliver(server_at(inbox, trust))

    async def test_server_that_says_nothing(
        self, trust: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection that hangs is cut."""
        monkeypatch.setattr("app.infra.mail.transport.TOTAL_TIMEOUT_S", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent:  # it never accepts
            inbox = Inbox(port=silent.getsockname()[1])
            with pytest.raises(DeliveryFailed, match="TimeoutError"):
                await deliver(server_at(inbox, trust))

    async def test_international_address(self, trust: Certificates) -> None:
        """SMTPUTF8 where the server has it (RFC 6531)."""
        async with mail_server(Inbox(), starttls=trust.server) as inbox:
            await deliver(server_at(inbox, trust), to="привет@example.org")
        assert inbox.envelopes[0][1] == ["привет@example.org"]

    @pytest.mark.parametrize(
        "url",
        ["http://x", "smtp://", "smtp+plain://user:password@relay", "mail.example.org:25", ""],
    )
    def test_unusable_server_names(self, url: str) -> None:
        """Said at the start, not at the first mail."""
        with pytest.raises(ValueError, match=r"smtp"):
            smtp_address(url)

    def test_password_is_never_shown(self) -> None:
        """Not in a repr, with reserved signs decoded."""
        address = smtp_address("smtps://library:pass%3Aw%C3%B6rd%2F%40@mail.example.org")
        assert (address.password.reveal(), address.port) == (PASSWORD, 465)
        assert "pass" not in repr(address).replace("password=***", "")
