"""The small house in a process of its own, to be killed."""

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import asyncpg
import pytest

from app.infra.embedded.process import Record, read_records

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30


class RunningHouse:
    """`tests.support.small_house` in a process of its own, with what it said so far."""

    def __init__(self, folder: Path, *longest_backoff_s: float) -> None:
        argv = [sys.executable, "-m", "tests.support.small_house", str(folder)]
        argv += map(str, longest_backoff_s)
        self.process = subprocess.Popen(
            argv, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.folder = folder
        self.said: list[str] = []
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        _, self.redis_url, self.database_url = self.wait_for("ready ").split()

    def _read(self) -> None:
        with self.process.stdout:
            for line in self.process.stdout:
                self._lines.put(line.rstrip())
        self._lines.put(None)

    def wait_for(self, text: str) -> str:
        """The first new line that holds the text."""
        while True:
            try:
                line = self._lines.get(timeout=DEADLINE_S)
            except Empty:
                line = None
            if line is None:
                self.end(signal.SIGKILL)
                pytest.fail(f"never said {text!r}, but: {self.said}")
            self.said.append(line)
            if text in line:
                return line

    def records(self) -> dict[str, Record]:
        """Its children as it remembers them on disk."""
        return {record.name: record for record in read_records(self.folder / "processes.json")}

    def end(self, number: int) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return status

    def sql(self, statement: str) -> Any:
        """One statement as superuser."""
        url = self.database_url.replace("sicerdas_app", "postgres")

        async def ask() -> Any:
            connection = await asyncpg.connect(url)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(ask())
