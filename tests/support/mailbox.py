"""The mails of the run's app: jobs are done at once, and the outbox is read like a mailbox."""

import asyncio
import re
from dataclasses import dataclass

import pytest

from app.infra.job_runner import JobRunner
from app.infra.mail import DevOutbox, KeptMail
from tests.support.house import Served

DEADLINE_S, POLL_S = 10, 0.01
LEFT = "SELECT EXISTS (SELECT FROM jobs WHERE dead_at IS NULL AND run_at <= now())"
"""Due, or in another worker's hands."""
FORGET = "DELETE FROM jobs WHERE lease_owner IS NULL"
JOBS = """
SELECT kind, attempts, lease_owner, dead_at IS NOT NULL, last_error, run_at - now() FROM jobs
"""

TOKEN = re.compile(r"#token=([\w-]+)")


@dataclass(frozen=True)
class Mailbox:
    """Everybody's mailbox."""

    app: Served

    async def to(self, email: str) -> list[KeptMail]:
        """What came for an address, the newest first, after all that is due has been done."""
        await self._work_off()
        return [mail for mail in await self._outbox().newest() if mail.to == email]

    async def _work_off(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await JobRunner(self.app.house.jobs, "tests").work_off()
                if not await self.app.house.db.fetchval(LEFT):
                    return
                await asyncio.sleep(POLL_S)

    async def newest(self, email: str) -> KeptMail:
        """The last mail for an address."""
        mails = await self.to(email)
        if not mails:
            pytest.fail(f"no mail for {email}; {await self._explained()}")
        return mails[0]

    async def _explained(self) -> str:
        """What there is instead of a mail."""
        rows = await self.app.house.db.fetch(JOBS)
        kept = [mail.sent_at for mail in await self._outbox().newest()]
        return f"{len(kept)} others, the last of {kept[:1]}; jobs {[tuple(row) for row in rows]}"

    def _outbox(self) -> DevOutbox:
        assert self.app.settings.dev_outbox is not None
        return DevOutbox(self.app.settings.dev_outbox)

    async def token(self, email: str, page: str) -> str:
        """The token of the newest mail, whose link leads to this page."""
        mail = await self.newest(email)
        (link,) = [link for link in mail.links if "#token=" in link]
        assert f"{page}#token=" in link, link
        return TOKEN.findall(link)[0]


@pytest.fixture
async def mailbox(served: Served) -> Mailbox:
    """Everybody's mailbox. What other tests asked for and nobody did is forgotten: the outbox keeps
    the newest mails only, and hundreds of theirs would push out the one that a test waits for."""
    await served.house.db.execute(FORGET)
    return Mailbox(served)
