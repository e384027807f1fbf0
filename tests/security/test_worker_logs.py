"""The log of a worker has one form too (ASVS 5.0, 16.2.4): the process is ours alone."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from app.kit.tasks import end_task
from app.worker import model_of, work
from tests.support.house import Served

PROJECT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30
PROGRAM = """
import asyncio, contextlib, logging
from app.settings import Settings
from app.worker import run

async def main():
    working = asyncio.create_task(run(Settings.from_env()))
    await asyncio.sleep(0)
    logging.getLogger("a.library").warning("two\\nlines")
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working

asyncio.run(main())
"""


def test_v16_2_4_library_lines_of_the_worker_look_like_ours(
    app_environment: dict[str, str],
) -> None:
    """What reads the log as JSON reads every line of it, a library's with two lines among them."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env={**os.environ, **app_environment, "SICERDAS_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    (told,) = [line for line in lines if line["event"] == "two\nlines"]
    assert (told["level"], "timestamp" in told) == ("warning", True)


async def test_working_inside_another_process_leaves_its_root_logger_alone(served: Served) -> None:
    """`work` is a guest wherever it is called; only `python -m app worker` owns its process."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    model = model_of(served.settings)
    working = asyncio.create_task(work(served.house, model))
    try:
        await asyncio.sleep(0)
        assert (list(root.handlers), root.level) == before
    finally:
        await end_task(working)
        await model.stop()
