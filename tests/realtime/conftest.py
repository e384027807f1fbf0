"""Fixtures of the realtime tests: one Valkey for the folder, one of its own for outages."""

from collections.abc import Iterator

import pytest

from app.infra.embedded.ports import free_ports
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
