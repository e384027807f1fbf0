"""A Valkey for one test of the folder."""

from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Valkey of this test alone: kill it, freeze it, start it again."""
    with RedisServer() as server:
        yield server
