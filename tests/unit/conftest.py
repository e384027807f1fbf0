"""What several unit tests work at."""

from collections.abc import AsyncIterator

import pytest

from app.infra.db import Database
from app.infra.jobs import Jobs
from tests.support.desk import IMPATIENT, KIND, Desk
from tests.support.job_worker import Note
from tests.support.servers import Database as MigratedDatabase


@pytest.fixture
async def desk(fresh_database: MigratedDatabase) -> AsyncIterator[Desk]:
    db = Database(fresh_database.app_url, pool_size=10)
    await db.start()
    opened = Desk(db, Jobs(db, IMPATIENT))
    opened.jobs.register(KIND, Note, opened.handle)
    yield opened
    await db.stop()
