"""`serve` and `worker` beside a PostgreSQL that starts later, or that will never let them in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.embedded.ports import free_ports
from app.infra.embedded.postgres import OWNER, PostgresServer
from app.infra.embedded.supervisor import Supervisor
from tests.support.processes import AppProcess
from tests.support.servers import Postgres, empty_house, migrate
from tests.unit.test_cli import ELSEWHERE, run

READY = {"serve": "Application startup complete", "worker": "worker.ready"}
AWAITED = "database.awaited"
DEADLINE_S = 180  # a cluster is made, migrated and started twice


@pytest.fixture(scope="module")
def late() -> Iterator[tuple[Supervisor, PostgresServer]]:
    """A migrated PostgreSQL of its own, which does not run."""
    with empty_house() as house:
        home, supervisor = house.home, house.supervisor
        server = PostgresServer(home.path / "pg", home.run, home.logs / "pg.log", durable=False)
        supervisor.start(server)
        migrate(server.url(OWNER), server.url())
        supervisor.stop()
        yield supervisor, server


@pytest.mark.timeout(DEADLINE_S)
@pytest.mark.parametrize("command", READY)
def test_a_database_that_starts_later_is_awaited(
    late: tuple[Supervisor, PostgresServer], redis_server_url: str, command: str
) -> None:
    """After a reboot nobody knows who is up first: it says once that it waits, and then starts."""
    supervisor, server = late
    env = {**ELSEWHERE, "DATABASE_URL": server.url(), "REDIS_URL": redis_server_url}
    port = ("--port", str(free_ports(1)[0])) if command == "serve" else ()
    with AppProcess(env, command, *port) as waiting:
        waiting.wait_for(AWAITED)
        try:
            supervisor.start(server)
            waiting.wait_for(READY[command])
        finally:
            waiting.stop()
            supervisor.stop()
        assert waiting.output().count(AWAITED) == 1


@pytest.mark.parametrize("command", READY)
def test_patience_has_an_end(tmp_path: Path, command: str) -> None:
    """A database that never comes is one line on stderr and status 1, as before."""
    url = f"postgresql://app:x@/sicerdas?host={tmp_path}"
    env = {**ELSEWHERE, "DATABASE_URL": url, "SICERDAS_DATABASE_PATIENCE_S": "0.5"}
    done = run(env, command)
    assert done.returncode == 1
    assert done.stderr.startswith("error: The database did not answer for 0.5 s: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "role", "database", "said"),
    [
        ("serve", "intruder", "sicerdas", 'role "intruder"'),
        ("worker", "postgres", "absent", 'database "absent"'),
    ],
)
def test_what_waiting_cannot_mend_is_said_at_once(
    postgres_server: Postgres, command: str, role: str, database: str, said: str
) -> None:
    """Wrong credentials and a wrong name stay wrong."""
    env = {**ELSEWHERE, "DATABASE_URL": postgres_server.server.url(role, database)}
    done = run(env, command)
    assert done.returncode == 1
    assert said in done.stderr
    assert AWAITED not in done.stdout + done.stderr
