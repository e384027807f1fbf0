"""The data folder of one instance: its lock, its secrets, its short run folder."""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import IO

from app.infra.embedded.faults import DataDirTaken
from app.infra.embedded.process import command_line, end_leftovers, read_records

# A unix socket's path must stay below 108 bytes (104 on macOS), and a data folder may lie deep.
LONGEST_TEMP = 60
RUN_PREFIX = "sicerdas-"


class DataDir:
    """An opened data folder; exactly one live process holds it."""

    def __init__(self, path: Path, lock: IO[str], ended: list[str]) -> None:
        """Use `open_data_dir`: it takes the lock first."""
        self.path, self._lock = path, lock
        self.ended = ended  # names of a killed predecessor's processes that had to be ended
        self.run = _make_run(path)

    @property
    def records(self) -> Path:
        """Where the supervisor remembers its children."""
        return self.path / "processes.json"

    @property
    def logs(self) -> Path:
        """Where every child writes what it says."""
        return self.path / "logs"

    def secret(self, name: str, size: int = 32) -> str:
        """A random text made once for this folder, readable by its owner only."""
        path = self.path / "secrets" / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(size), encoding="ascii")
            fresh.replace(path)  # in one step: a crash never leaves an empty secret
        return path.read_text(encoding="ascii")

    def close(self) -> None:
        """Give the folder free and remove the run folder."""
        shutil.rmtree(self.run, ignore_errors=True)
        self._lock.close()


def open_data_dir(path: Path) -> DataDir:
    """Take the folder for this process, making it when it is new.

    What a killed predecessor left running is ended, and its run folder removed.

    Raises:
        DataDirTaken: another live process holds it; the text names it.
    """
    path = path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    lock = (path / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = _holder(lock.read())
        lock.close()
        raise DataDirTaken(str(path), holder) from None
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "command": command_line(os.getpid())}))
    lock.flush()
    ended = end_leftovers(read_records(path / "processes.json"))
    if (path / "run").is_symlink():
        remove_run((path / "run").readlink())
    return DataDir(path, lock, ended)


def _holder(text: str) -> str:
    try:
        said = json.loads(text)
        return f"pid {said['pid']} ({said['command']})"
    except (ValueError, KeyError, TypeError):
        return "another process that has just started"


def _make_run(path: Path) -> Path:
    temp = tempfile.gettempdir()
    short = temp if len(temp) < LONGEST_TEMP else "/tmp"  # noqa: S108 - mkdtemp makes it safely
    run = Path(tempfile.mkdtemp(prefix=RUN_PREFIX, dir=short))
    (path / "run").unlink(missing_ok=True)
    (path / "run").symlink_to(run)
    return run


def remove_run(run: Path) -> None:
    """Remove a run folder, refusing anything that was not made as one by this user."""
    is_ours = run.name.startswith(RUN_PREFIX) and run.is_dir() and not run.is_symlink()
    if is_ours and run.stat().st_uid == os.geteuid():
        shutil.rmtree(run, ignore_errors=True)
