"""Programs from npm that tests drive: installed from their lock, once, whoever asks first."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

INSTALL_TIMEOUT_S = 300
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


def program(name: str) -> str:
    """Find node or npm, the environment's own first."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing from the environment: make setup")
    return found


def install(folder: Path, *, built: Path | None = None, build: Sequence[str] = ()) -> None:
    """The folder's locked packages, and what `build` makes of them; `built` is written last.

    Several runs may ask at the same time: the others wait.
    """
    done = built or folder / "node_modules" / ".package-lock.json"
    tools = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        for command in ([program("npm"), *INSTALL], build):
            if command:
                subprocess.run(
                    [*command],
                    cwd=folder,
                    env=env,
                    check=True,
                    capture_output=True,
                    timeout=INSTALL_TIMEOUT_S,
                )
