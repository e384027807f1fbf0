"""Our own processes as the supervisor sees them: the API and the worker."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from app.infra.embedded.ports import LOOPBACK, answers_ok
from app.infra.embedded.process import Command

PROJECT = Path(__file__).resolve().parents[3]
PROBE_TIMEOUT_S = 5.0


def app_command(log: Path, env: Mapping[str, str], *arguments: str) -> Command:
    """`python -m app ...` in the project's folder, where its relative paths lead somewhere."""
    return Command((sys.executable, "-m", "app", *arguments), PROJECT, log, env)


class ApiProcess:
    """`python -m app serve` on a loopback port."""

    name = "api"
    stop_signal = signal.SIGTERM
    stop_grace_s = 8.0
    start_timeout_s = 60.0
    tier = 1

    def __init__(self, port: int, log: Path, env: Mapping[str, str]) -> None:
        """Remember what to run."""
        self.port, self.log, self.env = port, log, env

    def prepare(self) -> None:
        """Nothing to make."""

    def command(self) -> Command:
        """One process: a person looks at it, no crowd."""
        return app_command(
            self.log, self.env, "serve", "--host", LOOPBACK, "--port", str(self.port)
        )

    def is_ready(self) -> bool:
        """Whether everything it needs answers."""
        return answers_ok(self.port, "/health/ready", timeout_s=PROBE_TIMEOUT_S)

    def set_up(self) -> None:
        """Nothing to make."""

    def clean_up(self) -> None:
        """Nothing is left."""


class WorkerProcess:
    """`python -m app worker`."""

    name = "worker"
    stop_signal = signal.SIGTERM
    stop_grace_s = 9.0  # it hands its answers back within 8 s
    start_timeout_s = 60.0
    tier = 1

    def __init__(self, log: Path, env: Mapping[str, str]) -> None:
        """Remember what to run."""
        self.log, self.env = log, env

    def prepare(self) -> None:
        """Nothing to make."""

    def command(self) -> Command:
        """The process that answers for the tutor."""
        return app_command(self.log, self.env, "worker")

    def is_ready(self) -> bool:
        """It listens nowhere: running is all that can be seen from outside."""
        return True

    def set_up(self) -> None:
        """Nothing to make."""

    def clean_up(self) -> None:
        """Nothing is left."""
