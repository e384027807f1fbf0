"""`python -m app serve` and `worker` as processes of their own, tied to the life of the run."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import pytest

from app.infra.embedded import launcher
from app.infra.embedded.ports import free_ports

PROJECT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
POLL_S = 0.05


class AppProcess:
    """One command of the app; `url` is set for `serve`."""

    def __init__(self, env: Mapping[str, str], *command: str, port: int | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}" if port else ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        tied = [sys.executable, launcher.__file__, str(os.getpid()), str(int(signal.SIGKILL))]
        argv = [*tied, "plain", sys.executable, "-m", "app", *command]
        self._process = subprocess.Popen(
            argv, cwd=PROJECT, env={**os.environ, **env}, stdout=self._log, stderr=self._log
        )

    @classmethod
    def serve(cls, env: Mapping[str, str], *options: str) -> "AppProcess":
        """An API on a free port."""
        (port,) = free_ports(1)
        return cls(env, "serve", "--port", str(port), *options, port=port)

    def wait_ready(self) -> None:
        """Until `/health/ready` answers 200."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health/ready", timeout=2).is_success:
                    return
            time.sleep(POLL_S)
        pytest.fail(f"{self.url} did not become ready:\n{self.output()}")

    def peak_mib(self) -> float:
        """The most memory that it ever had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def wait_for(self, text: str) -> None:
        """Until it has said this."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while text not in self.output():
            if time.monotonic() > deadline or self._process.poll() is not None:
                pytest.fail(f"never said {text!r}, but:\n{self.output()}")
            time.sleep(POLL_S)

    def output(self) -> str:
        """Everything it said."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as an operator would; the exit status."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"did not stop within {STOP_TIMEOUT_S} s:\n{self.output()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        try:
            self.stop()
        finally:
            self._log.close()
