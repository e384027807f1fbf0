"""`python -m app dev` whole: ready, killed without warning, taken over, stopped without remains."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import httpx
import pytest

from app.infra.embedded.instance import sample_mark
from app.infra.embedded.ports import GRPC_STEP, free_ports
from app.infra.embedded.process import Record, read_records, wait_until
from app.infra.embedded.seaweedfs import SOCKETS

PROJECT = Path(__file__).resolve().parents[2]
READY_S = 90
STOP_S = 30
SERVICES = {"postgres", "valkey", "seaweedfs", "model", "api", "worker"}
NAMED = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "S3_ENDPOINT_URL", "OPENAI_BASE_URL")


def storage_ports(folder: Path) -> tuple[str, ...]:
    """How the names of SeaweedFS's own sockets end."""
    ports = json.loads((folder / "seaweedfs" / "ports.json").read_text())
    return tuple(f"-{port + GRPC_STEP}.sock" for port in ports)


class Dev:
    """One `python -m app dev` and what it said."""

    def __init__(self, folder: Path, port: int) -> None:
        own = {"SICERDAS_PORT": str(port), "SICERDAS_DATA_DIR": str(folder)}
        env = {name: value for name, value in os.environ.items() if name not in NAMED} | own
        argv = [sys.executable, "-m", "app", "dev"]
        self.process = subprocess.Popen(
            argv, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.folder = folder
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with self.process.stdout:
            for line in self.process.stdout:
                self._lines.put(line)
        self._lines.put(None)

    def wait_ready(self) -> str:
        """The address after `ready:`."""
        said: list[str] = []
        while (line := self._lines.get(timeout=READY_S)) is not None:
            said.append(line)
            if line.startswith("ready: "):
                return line.removeprefix("ready: ").strip()
        pytest.fail(f"ended before it was ready:\n{''.join(said)}")

    def records(self) -> list[Record]:
        """Its children."""
        return read_records(self.folder / "processes.json")

    def end(self, number: int) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        return status


@pytest.fixture
def running() -> Iterator[list[Dev]]:
    """Everything that a test started; ended after it."""
    started: list[Dev] = []
    yield started
    for dev in started:
        if dev.process.poll() is None:
            dev.end(signal.SIGTERM)


@pytest.mark.timeout(2 * READY_S + 2 * STOP_S)
def test_killed_it_is_taken_over_and_stopped_it_leaves_nothing(
    running: list[Dev], tmp_path: Path
) -> None:
    """A newcomer's machine survives a kill -9 of everything's parent, and a Ctrl-C."""
    (port,) = free_ports(1)
    (tmp_path / "data").mkdir()
    sample_mark(tmp_path / "data", {}).touch()  # the library itself has its own tests
    running.append(Dev(tmp_path / "data", port))
    address = running[0].wait_ready()
    assert address == f"http://127.0.0.1:{port}"
    assert httpx.get(f"{address}/health/ready").status_code == 200
    person = {"email": "reader@example.org", "password": "correct-horse-battery"}
    assert httpx.post(f"{address}/api/v1/auth/signup", json=person).status_code == 201
    first = running[0].records()
    assert {record.name for record in first} == SERVICES

    running[0].end(signal.SIGKILL)
    assert wait_until(lambda: not any(record.is_alive() for record in first), STOP_S)

    running.append(Dev(tmp_path / "data", port))
    assert running[1].wait_ready() == address
    entry = {**person, "transport": "bearer"}
    assert httpx.post(f"{address}/api/v1/auth/login", json=entry).json()["token"]
    second, ports = running[1].records(), storage_ports(tmp_path / "data")
    assert running[1].end(signal.SIGINT) == 0
    assert not any(record.is_alive() for record in second)
    assert not [left for left in SOCKETS.iterdir() if left.name.endswith(ports)]
