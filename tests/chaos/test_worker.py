"""The worker as a process of its own: a second worker takes over, SIGTERM hands back in time."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.fake_llm import FakeLLM, Script
from tests.support.servers import Database as MigratedDatabase
from tests.support.tutor import DEADLINE_S, new_tutor

PROJECT = Path(__file__).resolve().parents[2]
SLOW = Script([f"word{number} " for number in range(2000)], delay_s=0.02)

pytestmark = pytest.mark.chaos


@asynccontextmanager
async def worker_process(env: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m app worker`, ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app",
        "worker",
        cwd=PROJECT,
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S * 2):
            while b"worker.ready" not in (line := await process.stdout.readline()):
                assert line, "the worker ended before it was ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def worker_env(
    settings_env: dict[str, str], fake_llm: FakeLLM, fresh_database: MigratedDatabase
) -> dict[str, str]:
    """What a worker needs; its storage is not asked for anything."""
    return {
        **settings_env,
        "DATABASE_URL": fresh_database.app_url,
        "DATABASE_OWNER_URL": fresh_database.owner_url,
        "S3_ENDPOINT_URL": "http://127.0.0.1:9",
        "S3_ACCESS_KEY_ID": "none",
        "S3_SECRET_ACCESS_KEY": "none",
        "OPENAI_BASE_URL": fake_llm.base_url,
        "OPENAI_API_KEY": "tests",
        "OPENAI_MODEL": "scripted",
        "SICERDAS_ANSWER_LEASE_S": "2",
    }


async def test_killed_worker_is_replaced_and_sigterm_hands_back(
    worker_env: dict[str, str], fresh_database: MigratedDatabase, fake_llm: FakeLLM
) -> None:
    """R8: kill -9 marks the answer interrupted; SIGTERM does within 8 s; both keep the text."""
    async with new_tutor(fresh_database.app_url, fake_llm) as tutor:
        reader = await tutor.reader()
        with fake_llm.script("outlive", SLOW):
            asked = await tutor.ask(reader, "outlive?")
            async with worker_process(worker_env) as first:
                await tutor.has_text(reader, asked.message_id)
                first.send_signal(signal.SIGKILL)
                await first.wait()
            async with worker_process(worker_env) as second:
                row = await tutor.ended(reader, asked.message_id)
                assert (row.status, row.error) == ("interrupted", "worker-lost")
                assert SLOW.text.startswith(row.ai_response)
                assert row.ai_response
                await tutor.chat.retry_answer(reader, asked.message_id)
                await tutor.has_text(reader, asked.message_id)
                before = time.monotonic()
                second.send_signal(signal.SIGTERM)
                assert await second.wait() == 0
                assert time.monotonic() - before < 8.0
            row = await tutor.chat.message(reader, asked.message_id)
            assert (row.status, row.error, row.attempt) == ("interrupted", "worker-stopped", 2)
            assert row.ai_response
