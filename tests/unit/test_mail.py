"""Mail: the words, the message, the queue, and the outbox of `dev`."""

import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.infra.db import Database
from app.infra.job_runner import JobRunner
from app.infra.jobs import JobRules, Jobs
from app.infra.mail import (
    DeliveryFailed,
    DevOutbox,
    Letter,
    Letters,
    NoServer,
    Postman,
    Recipient,
    SmtpServer,
    transport_for,
)
from app.infra.mail.letters import is_complete
from app.infra.mail.message import compose
from app.kit.language import LANGUAGES, Language, preferred
from app.kit.secret import Secret
from tests.support.servers import SECRET
from tests.support.servers import Database as MigratedDatabase

SENDER = "Library <library@example.org>"
WORDS = Letter("Hello", "Some text: äöü 💌\n", "<p>Some text</p>")
TO = "ada@example.org"
CANARY = "canary-token-0123456789"
VALUES = dict.fromkeys(("minutes", "hours", "days"), "3") | {
    "link": f"https://x/#token={CANARY}",
    "origin": "https://x",
    "email": TO,
}


def values_of(name: str, language: Language) -> dict[str, str]:
    """Something for everything that a template asks for."""
    return dict.fromkeys(Letters().places(name, language), "something") | VALUES


class TestLetters:
    @pytest.mark.parametrize("name", sorted(Letters().names))
    def test_every_template_speaks_every_language(self, name: str) -> None:
        """The same values in each, a subject in one line, and the footer."""
        assert is_complete(Letters(), name)
        for language in LANGUAGES:
            letter = Letters().write(name, language, values_of(name, language))
            assert letter.subject
            assert "\n" not in letter.subject
            assert "$" not in letter.text + letter.html
            assert TO in letter.text
            assert f'<html lang="{language}">' in letter.html

    def test_values_are_text_never_markup(self, tmp_path: Path) -> None:
        """A name cannot become HTML, a link or a second header."""
        (tmp_path / "x.en.txt").write_text("Dear $name\n\nHello $name\n\n[Go]\n")
        (tmp_path / "_footer.en.txt").write_text("Bye")
        values = {"name": '<img src=x>\r\nBcc: "x" $link [Go]', "link": 'https://x/"onclick="'}
        letter = Letters(tmp_path).write("x", "en", values)
        assert "<img" not in letter.html
        assert '"onclick' not in letter.html
        assert letter.subject == 'Dear <img src=x> Bcc: "x" $link [Go]'

    def test_missing_value_is_seen_at_once(self) -> None:
        """A letter with a hole is never sent."""
        with pytest.raises(KeyError):
            Letters().write("reset", "en", {"origin": "x", "email": TO})

    @pytest.mark.parametrize(
        ("header", "language"),
        [
            ("id-ID,id;q=0.9,en;q=0.8", "id"),
            ("en-GB, id", "en"),
            ("fr, ID;q=0.5", "id"),
            ("", "en"),
            ("*", "en"),
            ("idx,ide", "en"),
        ],
    )
    def test_language_of_a_header(self, header: str, language: Language) -> None:
        """The first of ours, else English."""
        assert preferred(header) == language


class TestMessage:
    def test_headers_for_machines(self) -> None:
        """No holiday notes back, and the same id when it is sent twice."""
        made = compose(WORDS, sender=SENDER, to=TO, message_id="id1")
        assert made["Auto-Submitted"] == "auto-generated"
        assert made["Message-ID"] == "<id1@example.org>"
        assert (made["From"], made["To"]) == (SENDER, TO)
        assert [part.get_content_type() for part in made.iter_parts()] == [
            "text/plain",
            "text/html",
        ]

    @pytest.mark.parametrize(
        "to",
        ["a\r\nBcc: thief@example.org", "a@example.org\nBcc: x@y.z", "a\n@example.org"],
    )
    def test_v1_3_11_address_cannot_carry_a_header(self, to: str) -> None:
        """What is no single address is refused before a message exists."""
        with pytest.raises(Exception, match=r".+") as refused:
            compose(WORDS, sender=SENDER, to=to, message_id="id1")
        assert type(refused.value).__module__.startswith(("email", "builtins"))

    def test_comma_is_no_second_recipient(self) -> None:
        """It is quoted as a part of the one address."""
        made = compose(WORDS, sender=SENDER, to="a,thief@example.org", message_id="id1")
        assert len(made["To"].addresses) == 1

    def test_subject_cannot_carry_a_header(self) -> None:
        """The library's builder refuses line breaks."""
        with pytest.raises(ValueError, match=r"linefeed|newline|carriage"):
            compose(
                Letter("Hi\r\nBcc: thief@example.org", "", ""),
                sender=SENDER,
                to=TO,
                message_id="id1",
            )


class Moody(DevOutbox):
    """A server that is away at first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_away = True
        self.ids: list[str] = []

    async def deliver(self, message: EmailMessage, to: str) -> None:
        self.ids.append(message["Message-ID"])
        if self.is_away:
            raise DeliveryFailed("451")
        await super().deliver(message, to)


class Post:
    """A postman with a queue of its own."""

    def __init__(self, db: Database, transport: SmtpServer | DevOutbox | NoServer) -> None:
        self.db = db
        self.jobs = Jobs(db, JobRules(attempts=2, delay_s=0.001, delay_max_s=0.001))
        self.man = Postman(
            self.jobs, transport, nobody, secret=Secret(SECRET), sender=SENDER, origin="https://x"
        )

    async def send(self, to: Recipient | int) -> None:
        async with self.db.transaction() as tx:
            await self.man.send(tx, to, "reset", VALUES)

    async def work(self) -> list[str]:
        """Do what is due; the events of the log."""
        with capture_logs() as logs:
            await JobRunner(self.jobs, "tests").work_off()
        assert CANARY not in str(logs)
        return [line["event"] for line in logs]


async def nobody(_db: object, _user_id: int) -> Recipient | None:
    return None


@pytest.fixture
async def db(fresh_database: MigratedDatabase) -> AsyncIterator[Database]:
    opened = Database(fresh_database.app_url, pool_size=4)
    await opened.start()
    yield opened
    await opened.stop()


class TestPostman:
    async def test_mail_is_kept_unreadable_until_it_is_sent(
        self, db: Database, tmp_path: Path
    ) -> None:
        """V11.3, V14.2: the database holds neither address nor link, and nothing afterwards."""
        outbox = DevOutbox(tmp_path / "mail")
        post = Post(db, outbox)
        await post.send(Recipient(TO, "id"))
        stored = await db.fetchval("SELECT payload::text FROM jobs")
        assert CANARY not in stored
        assert TO not in stored
        assert await post.work() == []
        assert await db.fetchval("SELECT count(*) FROM jobs") == 0
        (mail,) = await outbox.newest()
        assert (mail.to, mail.subject) == (TO, "Buat kata sandi baru")
        assert mail.links[0] == VALUES["link"]

    async def test_outbox_is_read_while_a_newer_mail_pushes_an_old_one_out(
        self, tmp_path: Path
    ) -> None:
        """What has gone between the look and the reading is not shown, and no fault."""
        gone = tmp_path / "gone.eml"

        class Pushed(DevOutbox):
            def _paths(self) -> list[Path]:
                return [gone]

        assert await Pushed(tmp_path).newest() == []

    async def test_server_comes_back(self, db: Database, tmp_path: Path) -> None:
        """A mail that could not leave leaves later, as the same mail."""
        server = Moody(tmp_path)
        post = Post(db, server)
        await post.send(Recipient(TO))
        claimed = await post.jobs.claim("tests", 60.0)
        assert claimed is not None
        with pytest.raises(DeliveryFailed):
            await post.jobs.perform(*claimed)
        await post.jobs.postpone(claimed[0], "451", 0.0)
        server.is_away = False
        assert await post.work() == []
        assert server.ids == [f"<{claimed[0].id}@example.org>"] * 2

    async def test_without_a_server_mails_wait_and_say_so(self, db: Database) -> None:
        """The operator reads which setting is missing."""
        post = Post(db, NoServer())
        await post.send(Recipient(TO))
        events = await post.work()
        assert "job.failed" in events
        error = await db.fetchval("SELECT last_error FROM jobs")
        assert "SICERDAS_SMTP_URL" in error

    @pytest.mark.parametrize(
        ("stored", "reached"),
        [
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            (TO, TO),
            ("ä@ü.example", "ä@ü.example"),
        ],
    )
    async def test_international_domain_is_reached_by_any_server(
        self, db: Database, tmp_path: Path, stored: str, reached: str
    ) -> None:
        """Its ASCII form travels; a local part in another script asks for SMTPUTF8 anyway."""
        outbox = DevOutbox(tmp_path)
        post = Post(db, outbox)
        await post.send(Recipient(stored))
        assert await post.work() == []
        assert [mail.to for mail in await outbox.newest()] == [reached]

    async def test_domain_that_cannot_be_is_given_up(self, db: Database, tmp_path: Path) -> None:
        """A label over 63 characters is nobody's."""
        post = Post(db, DevOutbox(tmp_path))
        await post.send(Recipient(f"ada@{'ü' * 70}.example"))
        assert await post.work() == ["job.dead"]

    async def test_person_who_is_gone_gets_nothing(self, db: Database) -> None:
        """A notice to a deleted account is no fault."""
        post = Post(db, NoServer())
        await post.send(7)
        assert await post.work() == []

    async def test_mail_of_another_secret_is_dead(self, db: Database, tmp_path: Path) -> None:
        """After a change of SICERDAS_SECRET old mails are given up, loudly."""
        post = Post(db, DevOutbox(tmp_path))
        await post.send(Recipient(TO))
        await db.execute(
            """UPDATE jobs SET payload = '{"sealed": "QUFBQUFBQUFBQUFBQUFBQUFBQUE="}'"""
        )
        assert await post.work() == ["job.dead"]


async def test_outbox_keeps_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in bounds."""
    monkeypatch.setattr("app.infra.mail.outbox.KEPT", 3)
    outbox = DevOutbox(tmp_path)
    for number in range(5):
        letter = Letter(str(number), "https://x/y", "")
        await outbox.deliver(compose(letter, sender=SENDER, to=TO, message_id="i"), TO)
    assert [mail.subject for mail in await outbox.newest()] == ["4", "3", "2"]


def test_transport_is_chosen_by_the_settings(tmp_path: Path) -> None:
    """A server before the outbox, and without both nothing leaves."""
    url = Secret("smtp://mail.example.org")
    assert isinstance(transport_for(url, SENDER, tmp_path), SmtpServer)
    assert isinstance(transport_for(Secret(""), "", tmp_path), DevOutbox)
    assert isinstance(transport_for(Secret(""), "", None), NoServer)


def test_no_template_asks_for_a_password_by_mail() -> None:
    """What phishing looks like is never sent by us."""
    letters = Letters()
    for name in letters.names:
        text = letters.write(name, "en", values_of(name, "en")).text
        assert not re.search(r"(reply|send|answer) .* password", text)
