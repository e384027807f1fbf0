"""Free loopback ports, and who holds a port that is not free."""

import http
import http.client
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from app.infra.embedded.faults import EmbeddedError, PortTaken
from app.infra.embedded.process import command_line

LOOPBACK = "127.0.0.1"
# Below the ephemeral range of Linux (32768), where an outgoing connection could take a port first;
# SeaweedFS opens every port + 10000 too, so a base ends at 22767.
LOWEST, HIGHEST_BASE, GRPC_STEP = 10_240, 22_767, 10_000
LISTEN_STATE = "0A"  # /proc/net/tcp
TRIES = 200

_promised: set[int] = set()
"""Ports that were asked for by number but are not listened on yet."""


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def answers_ok(port: int, path: str, *, timeout_s: float) -> bool:
    """Whether a local HTTP server answers 200; never raises."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_ports(count: int, *, steps: tuple[int, ...] = (0,)) -> tuple[int, ...]:
    """Choose `count` ports for which port + each step is free and promised to nobody.

    Raises:
        EmbeddedError: nearly every port of the range is in use.
    """
    found: list[int] = []
    given = set(_promised)
    for _ in range(TRIES * count):
        port = random.randint(LOWEST, HIGHEST_BASE)  # noqa: S311 - spread, not secrecy
        wanted = {port + step for step in steps}
        if given.isdisjoint(wanted) and all(map(is_free, wanted)):
            found.append(port)
            given |= wanted
        if len(found) == count:
            return tuple(found)
    message = f"no {count} free ports between {LOWEST} and {HIGHEST_BASE}"
    raise EmbeddedError(message)


def demand_free(port: int) -> None:
    """Make sure that the asked-for port can be had, and that no server of ours is given it.

    Raises:
        PortTaken: somebody listens there; the text names who.
    """
    if not is_free(port):
        raise PortTaken(port, holder(port))
    _promised.add(port)


def holder(port: int) -> str:
    """The process that listens on the port, as well as this user may know it."""
    pid = _holder_pid(port)
    return f"pid {pid} ({command_line(pid)})" if pid else "a process of another user"


def _holder_pid(port: int) -> int | None:
    inodes = set(_listening_inodes(port))
    if not inodes:
        return _holder_by_lsof(port)
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(str(fd.readlink()) in wanted for fd in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:
            continue  # gone meanwhile, or not ours to look at
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else []
        for fields in (line.split() for line in lines):
            if fields[3] == LISTEN_STATE and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _holder_by_lsof(port: int) -> int | None:
    lsof = shutil.which("lsof")
    if lsof is None:
        return None
    asked = [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"]
    shown = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603
    return int(shown[0]) if shown else None
