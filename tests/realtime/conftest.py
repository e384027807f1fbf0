"""Fixtures of the realtime tests: one Valkey for the folder, one of its own for outages."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.infra.embedded.ports import free_ports
from realtime import sending
from realtime.sending import Send, built_sender, send_in_python
from tests.realtime.floor import Floor
from tests.realtime.waiting import until
from tests.support.redis_server import RedisCluster, RedisServer


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A Valkey that nobody kills; tests choose their own key prefix."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Valkey of this test alone: kill it, freeze it, start it again."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[RedisCluster]:
    """Three Valkeys that nobody kills."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def shared_tls_cluster() -> Iterator[RedisCluster]:
    """Three Valkeys that send clients to other ports than their own: TLS is to stand there."""
    with RedisCluster(announced=free_ports(3)) as cluster:
        yield cluster


@pytest.fixture
def redis_cluster() -> Iterator[RedisCluster]:
    """Three Valkeys of this test alone."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(params=["C", "Python"])
def send(request: pytest.FixtureRequest) -> Send:
    if request.param == "Python":
        return send_in_python
    request.getfixturevalue("built")
    found = built_sender()
    assert found is not None
    return found


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop in C, built here; without a compiler there is nothing to test."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, target = Path(sending.__file__).parent / "_fanout.c", tmp_path / "_fanout.so"
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(target), str(source)], check=True)
    monkeypatch.setattr(sending, "_candidates", lambda: iter([tmp_path / "absent.so", target]))


@pytest.fixture
async def floor(send: Send) -> AsyncIterator[Floor]:
    floor = Floor(send)
    yield floor
    for pair in floor.pairs:
        pair.transport.abort()
        pair.client.close()
    await until(lambda: all(pair.wire.slot < 0 for pair in floor.pairs))
