"""The mails of the run's app: jobs are done at once, and the outbox is read like a mailbox."""

import asyncio
import re
from dataclasses import dataclass

import pytest

from app.infra.job_runner import JobRunner
from app.infra.mail import DevOutbox, KeptMail
from tests.support.house import Served

DEADLINE_S, POLL_S = 10, 0.01
LEFT = """
SELECT EXISTS (
    SELECT FROM jobs WHERE dead_at IS NULL AND run_at < now() + interval '1 second'
)
"""
"""Due, in another worker's hands, or due in a moment: two processors' clocks are not quite one."""

TOKEN = re.compile(r"#token=([\w-]+)")


@dataclass(frozen=True)
class Mailbox:
    """Everybody's mailbox."""

    app: Served

    async def to(self, email: str) -> list[KeptMail]:
        """What came for an address, the newest first, after all that is due has been done."""
        await self._work_off()
        assert self.app.settings.dev_outbox is not None
        mails = await DevOutbox(self.app.settings.dev_outbox).newest()
        return [mail for mail in mails if mail.to == email]

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
        assert mails, f"no mail for {email}"
        return mails[0]

    async def token(self, email: str, page: str) -> str:
        """The token of the newest mail, whose link leads to this page."""
        mail = await self.newest(email)
        (link,) = [link for link in mail.links if "#token=" in link]
        assert f"{page}#token=" in link, link
        return TOKEN.findall(link)[0]


@pytest.fixture(scope="session")
def mailbox(served: Served) -> Mailbox:
    """Everybody's mailbox."""
    return Mailbox(served)
