"""Real servers for the tests: started once for the whole run, on demand, and gone with it.

Load it with `pytest_plugins = ["tests.support.servers"]`. What a killed run left behind is removed
by the next one; the servers themselves die with the run (see app.infra.embedded.launcher).
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.infra.embedded.datadir import DataDir, open_data_dir
from app.infra.embedded.faults import DataDirTaken
from app.infra.embedded.postgres import APP, DATABASE, OWNER, PostgresServer
from app.infra.embedded.s3probe import S3Keys
from app.infra.embedded.seaweedfs import SeaweedServer
from app.infra.embedded.supervisor import Supervisor
from app.infra.embedded.valkey import ValkeyServer

PREFIX = "sicerdas-tests-"
PROJECT = Path(__file__).resolve().parents[2]
TEMPLATE = "sicerdas_template"
MIGRATE_TIMEOUT_S = 60
SETTLED_S = 60  # a younger folder may belong to a run that has not locked it yet
SECRET = "tests-only-secret-of-more-than-thirty-two-characters"


@dataclass(frozen=True)
class ServerHouse:
    """The folder of this run and the supervisor of its servers."""

    home: DataDir
    supervisor: Supervisor


@contextmanager
def empty_house() -> Iterator[ServerHouse]:
    """A house that is gone afterwards, with the servers that moved in."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    home = open_data_dir(folder)
    supervisor = Supervisor(home.records, print)
    try:
        yield ServerHouse(home, supervisor)
    finally:
        supervisor.stop()
        home.close()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Postgres:
    """The run's PostgreSQL: addresses, and statements as superuser."""

    server: PostgresServer

    def app_url(self, database: str = DATABASE) -> str:
        """For the role with the app's few rights."""
        return self.server.url(APP, database)

    def owner_url(self, database: str = DATABASE) -> str:
        """For the role that owns the tables."""
        return self.server.url(OWNER, database)

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run statements as superuser; returns what psql shows."""
        return self.server.execute(database, sql)


@dataclass(frozen=True)
class Database:
    """A migrated database of its own."""

    name: str
    app_url: str
    owner_url: str


@dataclass(frozen=True)
class S3:
    """The run's storage."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str


@pytest.fixture(scope="session")
def test_servers() -> Iterator[ServerHouse]:
    """The empty house of this run; the servers move in when a test asks for them."""
    _remove_old_runs()
    with empty_house() as house:
        yield house


@pytest.fixture(scope="session")
def postgres_server(test_servers: ServerHouse) -> Postgres:
    """PostgreSQL with the roles, the extensions and an empty database `sicerdas`."""
    home = test_servers.home
    log = home.logs / "postgres.log"
    server = PostgresServer(home.path / "postgres", home.run, log, durable=False)
    test_servers.supervisor.start(server)
    return Postgres(server)


@pytest.fixture(scope="session")
def redis_server_url(test_servers: ServerHouse) -> str:
    """The address of an empty Valkey. Tests keep apart by key prefixes or `flushdb`."""
    server = ValkeyServer(test_servers.home.run, test_servers.home.logs / "valkey.log")
    test_servers.supervisor.start(server)
    return server.environment()["REDIS_URL"]


@pytest.fixture(scope="session")
def s3_server(test_servers: ServerHouse) -> S3:
    """SeaweedFS; it takes three seconds, so ask for it only where storage itself is tested."""
    home, keys = test_servers.home, S3Keys("sicerdas-tests", test_servers.home.secret("s3"))
    server = SeaweedServer(home.path / "seaweedfs", home.run, home.logs / "seaweedfs.log", keys)
    test_servers.supervisor.start(server)
    return S3(server.environment()["S3_ENDPOINT_URL"], keys.access, keys.secret)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> str:
    """The name of a database on which `python -m app migrate` ran once, to be copied from."""
    make_database(postgres_server, TEMPLATE, "template1")
    migrate(postgres_server.owner_url(TEMPLATE), postgres_server.app_url(TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def new_database(postgres_server: Postgres, migrated_template: str) -> Callable[[], Database]:
    """A function that makes one more migrated database (about 50 ms each)."""
    numbers = itertools.count(1)

    def make() -> Database:
        name = f"test_{next(numbers)}"
        make_database(postgres_server, name, migrated_template)
        return Database(name, postgres_server.app_url(name), postgres_server.owner_url(name))

    return make


@pytest.fixture(scope="session")
def session_database(new_database: Callable[[], Database]) -> Database:
    """One migrated database for the whole run, for tests that do not mind each other's rows."""
    return new_database()


@pytest.fixture
def fresh_database(
    new_database: Callable[[], Database], postgres_server: Postgres
) -> Iterator[Database]:
    """A migrated database for one test, dropped after it."""
    database = new_database()
    yield database
    postgres_server.execute(f"drop database if exists {database.name} with (force)")


@pytest.fixture(scope="session")
def settings_env(session_database: Database, redis_server_url: str) -> dict[str, str]:
    """The environment of an app on the run's database and Redis, for `Settings.from_env`."""
    return {
        "DATABASE_URL": session_database.app_url,
        "DATABASE_OWNER_URL": session_database.owner_url,
        "REDIS_URL": redis_server_url,
        "SICERDAS_SECRET": SECRET,
    }


def make_database(postgres: Postgres, name: str, template: str) -> None:
    """Copy a database; nobody may be connected to the template."""
    postgres.execute(f"create database {name} owner {OWNER} template {template}")
    postgres.execute(f"grant connect on database {name} to {APP}")
    postgres.execute(f"grant usage on schema public to {APP}", name)


def migrate(owner_url: str, app_url: str) -> None:
    """Run all migrations the way an operator does."""
    env = {**os.environ, "DATABASE_OWNER_URL": owner_url, "DATABASE_URL": app_url}
    env |= {"SICERDAS_SECRET": SECRET, "REDIS_URL": "redis://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-m", "app", "migrate"],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=MIGRATE_TIMEOUT_S,
    )
    if done.returncode != 0:
        pytest.fail(f"python -m app migrate failed:\n{done.stdout}{done.stderr}", pytrace=False)


def _remove_old_runs() -> None:
    """A folder whose lock can be had belongs to a run that was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        status = folder.stat()
        if status.st_uid != os.geteuid() or time.time() - status.st_mtime < SETTLED_S:
            continue
        with suppress(DataDirTaken, FileNotFoundError):
            open_data_dir(folder).close()
            shutil.rmtree(folder, ignore_errors=True)
