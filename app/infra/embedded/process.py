"""One child process: started in its own session, known again later, stopped without remains."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
POLL_S = 0.02
LOG_LIMIT_BYTES = 10_000_000  # a larger log is set aside (once) at the next start
TAIL_LINES = 12


@dataclass(frozen=True)
class Command:
    """What to run. `env` is the whole environment: nothing is inherited by accident."""

    argv: tuple[str, ...]
    cwd: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": os.defpath, "LANG": "C.UTF-8"})
    mode: str = "plain"  # plain | userns:<uid> | drop:<uid>, see launcher.py
    death_signal: int = signal.SIGKILL  # sent by the kernel when the supervisor is killed


def launched(command: Command) -> list[str]:
    """The argument list that ties the program's life to this process."""
    head = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())]
    return [*head, str(int(command.death_signal)), command.mode, *command.argv]


def identity(pid: int) -> str | None:
    """A text that no later process with the same number has; None when it is gone or a zombie."""
    if not sys.platform.startswith("linux"):
        return _identity_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZXx" else f"{boot}:{rest[18]}"  # field 22: start time in ticks


def _identity_by_ps(pid: int) -> str | None:
    ps = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    shown = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603
    return None if not shown or shown[0].startswith("Z") else " ".join(shown[1:])


def command_line(pid: int) -> str:
    """What the process was started as, for people."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        ps = ["ps", "-o", "command=", "-p", str(pid)]
        return subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def wait_until(done: Callable[[], bool], timeout_s: float, step_s: float = POLL_S) -> bool:
    """Ask until the answer is yes or the time is over; says which."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(step_s)
    return True


class Child:
    """A running child. It is not reaped before its whole process group is gone."""

    def __init__(self, command: Command) -> None:
        """Start the program; its output goes to the end of its log."""
        self.command = command
        command.log.parent.mkdir(parents=True, exist_ok=True)
        if command.log.exists() and command.log.stat().st_size > LOG_LIMIT_BYTES:
            command.log.replace(command.log.with_suffix(".old.log"))
        with command.log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603 - the arguments are ours
                launched(command),
                cwd=command.cwd,
                env=dict(command.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches only the supervisor
            )
        self.pid = self._popen.pid
        self.identity = identity(self.pid)

    def is_running(self) -> bool:
        """False as soon as it ended; the zombie is kept so that its number stays ours."""
        if self._popen.returncode is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._popen.poll() is None
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is None

    def signal(self, number: int) -> None:
        """Send a signal to the program itself, if it still runs."""
        if self.is_running():
            os.kill(self.pid, number)

    def reap(self) -> int:
        """Kill what is left of its group and collect it; the exit status, negative for a signal."""
        if self._popen.returncode is None:
            kill_group(self.pid)
            self._popen.wait()
        return self._popen.returncode

    def stop(self, number: int, grace_s: float) -> int:
        """Ask, wait for the grace, then insist. Returns the exit status."""
        self.signal(number)
        return self.finish(grace_s)

    def finish(self, grace_s: float) -> int:
        """Give a child that was asked to stop its grace, then insist. Returns the exit status."""
        wait_until(lambda: not self.is_running(), grace_s)
        return self.reap()

    def log_tail(self) -> str:
        """The last lines it wrote."""
        return tail(self.command.log)


def tail(log: Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def kill_group(pid: int) -> None:
    """End a whole process group at once; nothing happens when it is gone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        return


@dataclass(frozen=True)
class Record:
    """A child as remembered in the data folder, for the start after a crash."""

    name: str
    pid: int
    identity: str
    stop_signal: int

    def is_alive(self) -> bool:
        """Whether the number still belongs to that very process."""
        return identity(self.pid) == self.identity

    def is_gone(self) -> bool:
        """The other way round, for waiting."""
        return not self.is_alive()


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Replace the file in one step, so that a crash never leaves half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps([vars(record) for record in records]), encoding="utf-8")
    fresh.replace(path)


def read_records(path: Path) -> list[Record]:
    """What the last supervisor left behind; an unreadable file counts as none."""
    try:
        return [Record(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def end_leftovers(records: Iterable[Record], grace_s: float = 5.0) -> list[str]:
    """End recorded processes that verifiably still are what was recorded; returns their names."""
    alive = [record for record in records if record.is_alive()]
    for record in alive:
        os.kill(record.pid, record.stop_signal)
    for record in alive:
        if not wait_until(record.is_gone, grace_s):
            kill_group(record.pid)
            wait_until(record.is_gone, grace_s)
    return [record.name for record in alive]
