"""The command line: `python -m app dev|serve|worker|migrate|admin|backup|restore`."""

import argparse
import asyncio
import contextlib
import getpass
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
import uvicorn

from app.accounts.schemas import SignUp
from app.infra.channel_log import renew_epochs
from app.infra.db import Database
from app.infra.embedded.faults import EmbeddedError
from app.infra.embedded.instance import run_instance
from app.infra.jobs import given_up
from app.infra.logs import adopt_library_logs
from app.infra.long_run import run_until_told
from app.infra.migrations import MigrationFailed, known_ids, migrate, pending_ids
from app.infra.patience import wait_for_database
from app.kit.errors import AppError
from app.kit.principal import Role
from app.settings import Settings, SettingsError, environment

# Named, not imported: `migrate` must run without loading the whole house, and a process of the
# API shall not carry the worker's modules.
APP_FACTORY = "app.main:from_env"
SERVER = "app.http.server:run"
SOCKETS = "app.http.ws_protocol:SocketProtocol"
STREAMS = "app.http.http_protocol:HttpProtocol"
WORKER = "app.worker:run"
HOUSE = "app.house:House"
TABLES = "app.piccolo_app:TABLES"
SAMPLE_LOADER = "app.sample.loader:load"

WS_MAX_FRAME_BYTES = 65_536
WS_MAX_QUEUE = 32
BACKLOG = 4096
GRACEFUL_SHUTDOWN_S = 2
"""After the sockets were sent elsewhere: the whole end takes less than ten seconds."""

Command = Callable[[argparse.Namespace, dict[str, str]], int]


class CommandFailed(Exception):
    """The command cannot do its work; the text says why and what helps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Expected failures are one line on stderr, no traceback."""
    chosen = parser().parse_args(arguments)
    command: Command = chosen.command
    try:
        return command(chosen, environment())
    except (AppError, CommandFailed, SettingsError, MigrationFailed, EmbeddedError) as fault:
        print(f"error: {fault}", file=sys.stderr)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        print(f"error: {type(fault).__name__}: {fault}", file=sys.stderr)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 1


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str, command: Command) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(command=command)
        return made

    add("dev", "start everything on this machine (SICERDAS_PORT, SICERDAS_DATA_DIR)", _dev)
    serve = add("serve", "serve the API; servers are named by the environment", _serve)
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    add("worker", "answer for the tutor and do the jobs", _worker)
    moved = add("migrate", "bring the database to the newest migration, as its owner", _migrate)
    moved.add_argument("--to", metavar="ID", help="go back until ID is the last one")
    admin = commands.add_parser("admin", help="tasks of an operator")
    tasks = admin.add_subparsers(required=True, metavar="TASK")
    sample = tasks.add_parser("load-sample", help="load the sample library and the demo accounts")
    sample.set_defaults(command=_load_sample)
    jobs = tasks.add_parser("jobs", help="show the jobs that were given up")
    jobs.set_defaults(command=_jobs)
    jobs.add_argument("--retry", action="store_true", help="try all of them again")
    account = tasks.add_parser("account", help="make an account, or give one its role")
    account.set_defaults(command=_account)
    account.add_argument("email")
    account.add_argument("--name")
    account.add_argument("--role", type=Role, choices=list(Role), default=Role.USER)
    reset = tasks.add_parser("reset-factors", help="take all second factors from an account")
    reset.set_defaults(command=_reset_factors)
    reset.add_argument("email")
    backup = add("backup", "write the database to FILE (pg_dump)", _backup)
    backup.add_argument("file", metavar="FILE")
    restore = add("restore", "read it back (pg_restore)", _restore)
    restore.add_argument("file", metavar="FILE")
    return root


def _dev(_chosen: argparse.Namespace, env: dict[str, str]) -> int:
    return run_instance(env, _say)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a closed terminal must not stop the orderly end
        print(text, flush=True)


def _serve(chosen: argparse.Namespace, env: dict[str, str]) -> int:
    _awaited(env)
    config = uvicorn.Config(
        APP_FACTORY,
        factory=True,
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers if chosen.workers > 1 else None,
        loop="uvloop",
        http=STREAMS,
        ws=SOCKETS,
        ws_max_size=WS_MAX_FRAME_BYTES,
        ws_max_queue=WS_MAX_QUEUE,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # the protocol has its own pings
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    run = pkgutil.resolve_name(SERVER)
    return int(run(config))


def _worker(_chosen: argparse.Namespace, env: dict[str, str]) -> int:
    work = pkgutil.resolve_name(WORKER)
    run_until_told(work(_awaited(env)))
    return 0


def _load_sample(_chosen: argparse.Namespace, env: dict[str, str]) -> int:
    load = pkgutil.resolve_name(SAMPLE_LOADER)
    print(asyncio.run(load(_migrated(env))))
    return 0


def _jobs(chosen: argparse.Namespace, env: dict[str, str]) -> int:
    settings = _migrated(env)
    for line in asyncio.run(given_up(settings.database_url.reveal(), retry=chosen.retry)):
        print(line)
    return 0


def _account(chosen: argparse.Namespace, env: dict[str, str]) -> int:
    """The way to the first admin. An account with a confirmed address keeps its password."""
    settings = _migrated(env)
    is_terminal = sys.stdin.isatty()
    password = getpass.getpass() if is_terminal else sys.stdin.readline().rstrip("\n")
    given = {"email": chosen.email, "name": chosen.name, "password": password}
    try:
        form = msgspec.convert(given, SignUp)
    except msgspec.ValidationError as fault:
        raise CommandFailed(str(fault)) from None

    async def ensure(house: Any) -> int:
        name, role = form.name or "", chosen.role
        return int(await house.accounts.ensure_account(form.email, name, password, role))

    account = asyncio.run(_in_house(settings, ensure))
    print(f"account {account}: {chosen.email}, {chosen.role}")
    return 0


def _reset_factors(chosen: argparse.Namespace, env: dict[str, str]) -> int:
    """The way back for the only admin whose phone is gone."""
    settings = _migrated(env)

    async def reset(house: Any) -> int:
        return int(await house.factors.reset_as_operator(chosen.email))

    ended = asyncio.run(_in_house(settings, reset))
    print(f"{chosen.email} has no second factor any more; sessions ended: {ended}")
    return 0


async def _in_house(settings: Settings, work: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
    """Do something in the house with the database alone."""
    house = pkgutil.resolve_name(HOUSE)(settings)
    await house.db.start(pkgutil.resolve_name(TABLES))  # the other servers may be away
    try:
        await house.node.start()  # tells the servers whose sockets end; Redis may be away
        return await work(house)
    finally:
        house.passwords.close()
        await house.node.stop()
        await house.db.stop()


def _migrate(chosen: argparse.Namespace, env: dict[str, str]) -> int:
    """Needs two addresses only: a migration runs where the other servers are not known."""
    app_url, owner_url = _database_urls(env)
    if chosen.to is None:
        ran = asyncio.run(migrate(owner_url, app_url))
        print(f"forward: {', '.join(ran) or 'nothing to do'}")
        return 0
    undo = _first_to_undo(chosen.to, asyncio.run(_pending(owner_url)))
    ran = asyncio.run(migrate(owner_url, app_url, back_to=undo)) if undo else []
    print(f"back: {', '.join(ran) or 'nothing to do'}")
    return 0


def _first_to_undo(last_to_keep: str, pending: Sequence[str]) -> str | None:
    """The migration after the named one, if it has run."""
    known = known_ids()
    if last_to_keep not in known:
        raise CommandFailed(f"there is no migration {last_to_keep}; known: {', '.join(known)}")
    if last_to_keep in pending:
        raise CommandFailed(f"{last_to_keep} has not run; without --to all that are missing run")
    later = [name for name in known if name > last_to_keep and name not in pending]
    return later[0] if later else None


def _database_urls(env: Mapping[str, str]) -> tuple[str, str]:
    app_url = env.get("DATABASE_URL", "")
    owner_url = env.get("DATABASE_OWNER_URL") or app_url
    if not owner_url:
        raise CommandFailed("DATABASE_URL (and DATABASE_OWNER_URL) is not set")
    return app_url or owner_url, owner_url


async def _pending(url: str) -> list[str]:
    db = Database(url, pool_size=1)
    await db.start()
    try:
        return await pending_ids(db)
    finally:
        await db.stop()


def _awaited(env: dict[str, str]) -> Settings:
    """For what runs for long: its database may be starting at the same time."""
    settings = Settings.from_env(env)
    adopt_library_logs(settings.log_format)
    asyncio.run(wait_for_database(settings.database_url.reveal(), settings.database_patience_s))
    return _migrated(env)


def _migrated(env: dict[str, str]) -> Settings:
    """Refuse a database that lacks a migration: half of the queries would fail one by one."""
    settings = Settings.from_env(env)
    missing = asyncio.run(_pending(settings.database_url.reveal()))
    if missing:
        raise CommandFailed(
            f"the database lacks the migrations {', '.join(missing)}. Run: python -m app migrate"
        )
    return settings


def _backup(chosen: argparse.Namespace, env: dict[str, str]) -> int:
    """PostgreSQL's own tool, as the owner; the objects in storage have their own copies."""
    _, owner_url = _database_urls(env)
    to = ["--format=custom", f"--file={chosen.file}", f"--dbname={owner_url}"]
    return _postgres_tool("pg_dump", to, env)


def _restore(chosen: argparse.Namespace, env: dict[str, str]) -> int:
    """All or nothing; stop the app first. Clients that know later events are told of the gap."""
    _, owner_url = _database_urls(env)
    how = ["--clean", "--if-exists", "--single-transaction", f"--dbname={owner_url}"]
    status = _postgres_tool("pg_restore", [*how, chosen.file], env)
    if status == 0:
        asyncio.run(_renew_epochs(owner_url))
    return status


async def _renew_epochs(url: str) -> None:
    db = Database(url, pool_size=1)
    await db.start()
    try:
        await renew_epochs(db)
    finally:
        await db.stop()


def _postgres_tool(tool: str, arguments: Sequence[str], env: Mapping[str, str]) -> int:
    try:
        return subprocess.run([tool, *arguments], env=env, check=False).returncode  # noqa: S603
    except FileNotFoundError:
        raise CommandFailed(f"{tool} is missing: apt-get install postgresql-client") from None
