"""What the supervisor needs to know about a server, and how the servers' programs are found."""

import importlib.util
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from app.infra.embedded.process import Command

SETUP = "make setup"  # installs every wheel that fits this platform


class Service(Protocol):
    """A program that the supervisor keeps running."""

    name: str
    stop_signal: signal.Signals
    stop_grace_s: float
    start_timeout_s: float
    tier: int  # a higher tier is stopped first: programs before the servers they use

    def prepare(self) -> None:
        """Make ready for a (re)start; called before every start."""

    def command(self) -> Command:
        """What to run."""

    def is_ready(self) -> bool:
        """One quick look whether it answers; never raises."""

    def set_up(self) -> None:
        """Called once, when it answers for the first time."""

    def clean_up(self) -> None:
        """Called after it was stopped: remove what it leaves outside its folders."""


class Server(Service, Protocol):
    """A service that the app reaches through settings."""

    def environment(self) -> Mapping[str, str]:
        """The settings that lead to this server."""


def package_folder(package: str) -> Path | None:
    """Where a wheel put its files; found without importing it."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def program(name: str) -> Path | None:
    """A program of this Python environment, else of the system."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return Path(found) if found else None
