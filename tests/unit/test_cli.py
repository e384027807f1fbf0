"""The command line as an operator meets it: what it refuses, and what it says then."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.embedded.postgres import APP, binaries
from app.infra.migrations import known_ids
from tests.support.servers import SECRET, Database, Postgres, make_database

PROJECT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30
NAMED = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "S3_ENDPOINT_URL", "OPENAI_BASE_URL")
ELSEWHERE = {
    "REDIS_URL": "redis://127.0.0.1:1",
    "S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "S3_ACCESS_KEY_ID": "key",
    "S3_SECRET_ACCESS_KEY": "secret",
    "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
    "OPENAI_API_KEY": "key",
    "OPENAI_MODEL": "model",
    "SICERDAS_SECRET": SECRET,
}


def run(env: dict[str, str], *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m app ...` with these settings only."""
    clean = {name: value for name, value in os.environ.items() if name not in NAMED}
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=PROJECT,
        env={**clean, **env},
        input=said,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def empty_database(postgres_server: Postgres) -> Iterator[dict[str, str]]:
    """The addresses of a database on which no migration ran."""
    make_database(postgres_server, "test_cli", "template1")
    urls = postgres_server.app_url("test_cli"), postgres_server.owner_url("test_cli")
    yield {"DATABASE_URL": urls[0], "DATABASE_OWNER_URL": urls[1]}
    postgres_server.execute("drop database test_cli with (force)")


class TestUnmigrated:
    @pytest.mark.parametrize("command", ["serve", "worker"])
    def test_is_refused_with_the_way_out(
        self, empty_database: dict[str, str], command: str
    ) -> None:
        """Neither serves half a database."""
        done = run({**ELSEWHERE, **empty_database}, command)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: the database lacks the migrations {known_ids()[0]}")
        assert "Run: python -m app migrate" in done.stderr


class TestMigrate:
    def test_forward_back_and_again(self, fresh_database: Database) -> None:
        """Each direction says what ran, and the second time that there was nothing to do."""
        env = {"DATABASE_URL": fresh_database.app_url}
        env["DATABASE_OWNER_URL"] = fresh_database.owner_url
        first, *later = known_ids()
        assert run(env, "migrate").stdout == "forward: nothing to do\n"
        assert run(env, "migrate", "--to", first).stdout == f"back: {', '.join(later)}\n"
        assert run(env, "migrate", "--to", first).stdout == "back: nothing to do\n"
        assert f"{later[0]} has not run" in run(env, "migrate", "--to", later[0]).stderr
        assert run(env, "migrate").stdout == f"forward: {', '.join(later)}\n"

    def test_an_unknown_migration_is_refused(self, empty_database: dict[str, str]) -> None:
        """A typing error changes nothing."""
        done = run(empty_database, "migrate", "--to", "9999")
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no migration 9999" in done.stderr


class TestAccount:
    def test_the_first_admin_can_be_made_and_made_again(
        self, fresh_database: Database, postgres_server: Postgres
    ) -> None:
        """A fresh installation has nobody who could promote anybody."""
        env = {**ELSEWHERE, "DATABASE_URL": fresh_database.app_url}
        order = ("admin", "account", "first@example.org", "--role", "admin")
        for _ in range(2):
            done = run(env, *order, said="correct-horse-battery\n")
            assert done.returncode == 0, done.stderr
        rows = postgres_server.execute("select email, role from users", fresh_database.name)
        assert rows == "first@example.org|admin"

    def test_a_weak_password_is_refused(self, fresh_database: Database) -> None:
        """The same rule as at the sign-up page."""
        env = {**ELSEWHERE, "DATABASE_URL": fresh_database.app_url}
        done = run(env, "admin", "account", "first@example.org", said="short\n")
        assert done.returncode == 1
        assert "$.password" in done.stderr


class TestBackup:
    def test_restore_brings_back_the_rows_and_tells_every_client_of_the_gap(
        self, fresh_database: Database, postgres_server: Postgres, tmp_path: Path
    ) -> None:
        """What was written after the backup is gone, so its offsets are another epoch's."""
        env = {
            "DATABASE_URL": fresh_database.app_url,
            "DATABASE_OWNER_URL": fresh_database.owner_url,
            "PATH": f"{binaries()}:{os.environ['PATH']}",
        }

        def sql(statement: str) -> str:
            return postgres_server.execute(statement, fresh_database.name)

        sql("insert into channel_head (channel, epoch, last_offset) values ('a:1', 'e', 1)")
        file = str(tmp_path / "library.dump")
        assert run(env, "backup", file).returncode == 0
        sql("update channel_head set last_offset = 2")
        done = run(env, "restore", file)
        assert done.returncode == 0, done.stderr
        assert sql("select last_offset from channel_head") == "1"
        assert sql("select epoch from channel_head").startswith("e.")
        rights = "select has_table_privilege('{}', 'audit_log', '{}')"
        assert sql(rights.format(APP, "insert")) == "t"
        assert sql(rights.format(APP, "delete")) == "f"


class TestSettings:
    def test_all_missing_ones_are_told_at_once(self) -> None:
        """One round of mending, not seven."""
        done = run({}, "worker")
        assert done.returncode == 1
        assert all(f"{name} is not set" in done.stderr for name in ("DATABASE_URL", "REDIS_URL"))
        assert "Traceback" not in done.stderr

    def test_a_database_that_is_away_is_one_line(self) -> None:
        """No traceback for what an operator has to mend."""
        done = run({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "migrate")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "Connect" in done.stderr
