"""`python -m app dev`: everything on one machine, each server real or named by the environment."""

import hashlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType

from app.infra.embedded.datadir import DataDir, open_data_dir
from app.infra.embedded.faults import EmbeddedError, Interrupted, MissingPrerequisite
from app.infra.embedded.model import ModelServer
from app.infra.embedded.ports import LOOPBACK, demand_free
from app.infra.embedded.postgres import PostgresServer
from app.infra.embedded.programs import ApiProcess, WorkerProcess, app_command
from app.infra.embedded.s3probe import S3Keys
from app.infra.embedded.seaweedfs import SeaweedServer
from app.infra.embedded.service import Server
from app.infra.embedded.supervisor import Say, Supervisor
from app.infra.embedded.valkey import ValkeyServer

DEFAULT_PORT, DEFAULT_DATA_DIR = "8000", ".data"
HIGHEST_PORT = 65_535
STEP_TIMEOUT_S = 300.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEMO_PASSWORD = "sicerdas-demo"  # noqa: S105 - public on purpose, for accounts on this machine
DEMO_ACCOUNTS = ("admin", "teacher", "moderator", "moderator2", "learner", "learner2")

# The small model loops without a penalty and wanders off in long answers.
DEMO_MODEL_SETTINGS = {
    "SICERDAS_DEMO_MODEL": "true",
    "SICERDAS_LLM_REPEAT_PENALTY": "1.1",
    "SICERDAS_ANSWER_MAX_TOKENS": "160",
}
# Nobody listens on port 9: the tutor says that its model is away, everything else works.
NO_MODEL = {
    "OPENAI_BASE_URL": f"http://{LOOPBACK}:9/v1",
    "OPENAI_API_KEY": "none",
    "OPENAI_MODEL": "none",
}


def run_instance(env: Mapping[str, str], say: Say) -> int:
    """Prepare everything, serve until a signal comes, leave nothing behind; the exit status."""
    with stop_on_signals() as stop:
        try:
            port = port_of(env)
            demand_free(port)
            home = open_data_dir(Path(env.get("SICERDAS_DATA_DIR") or DEFAULT_DATA_DIR))
        except EmbeddedError as fault:
            say(f"error: {fault}")
            return 1
        try:
            return _live(Instance(home, env, port, say, stop), say)
        finally:
            home.close()


def _live(instance: "Instance", say: Say) -> int:
    try:
        instance.open()
        instance.supervisor.watch()
    except Interrupted:
        say("stopped while preparing")
    except EmbeddedError as fault:
        say(f"error: {fault}")
        return 1
    finally:
        say("stopping")
        instance.supervisor.stop()
    return 0


class Instance:
    """One instance: its data folder, its servers, its own processes."""

    def __init__(
        self, home: DataDir, env: Mapping[str, str], port: int, say: Say, stop: Event
    ) -> None:
        """Nothing is started before `open`."""
        self.home, self.port, self._say = home, port, say
        self.supervisor = Supervisor(home.records, say, stop)
        self._given = env
        self._began = time.monotonic()

    def open(self) -> None:
        """Start all, in the order of need, and tell the person where to look.

        Raises:
            EmbeddedError: something cannot start; the text says what to do.
        """
        if self.home.ended:
            self._say(f"ended what the last run left behind: {', '.join(self.home.ended)}")
        servers = self.servers()
        for server in servers:  # side by side: storage needs seconds, the others do not
            self.supervisor.begin(server)
        env = self.environment(servers)
        database = [server for server in servers if server.name == PostgresServer.name]
        self._await(database)
        self._step("migrations", env, "migrate")
        self._await([server for server in servers if server not in database])
        self._load_sample_once(env)
        demand_free(self.port)  # somebody may have come meanwhile
        self.supervisor.start(ApiProcess(self.port, self.home.logs / "api.log", env))
        self.supervisor.start(WorkerProcess(self.home.logs / "worker.log", env))
        self._greet()

    def servers(self) -> list[Server]:
        """The servers that the environment does not name."""
        home, logs = self.home, self.home.logs
        makers: dict[str, Callable[[], Server]] = {
            "S3_ENDPOINT_URL": lambda: SeaweedServer(
                home.path / "seaweedfs",
                home.run,
                logs / "seaweedfs.log",
                S3Keys("sicerdas", home.secret("s3-key")),
            ),
            "DATABASE_URL": lambda: PostgresServer(
                home.path / "postgres", home.run, logs / "postgres.log"
            ),
            "REDIS_URL": lambda: ValkeyServer(home.run, logs / "valkey.log"),
        }
        servers = [make() for name, make in makers.items() if not self._given.get(name)]
        return servers if self._given.get("OPENAI_BASE_URL") else [*servers, *self._model()]

    def _model(self) -> list[Server]:
        """The demo model; a library without a tutor is better than none."""
        try:
            return [ModelServer(self.home.logs / "model.log", self.home.secret("model-key"))]
        except MissingPrerequisite as fault:
            self._say(f"the tutor will not answer: {fault}")
            return []

    def environment(self, servers: list[Server]) -> dict[str, str]:
        """What our own processes see: our defaults, then the servers, then what was given."""
        own = f"http://{LOOPBACK}:{self.port},http://localhost:{self.port}"
        env = {
            "SICERDAS_PUBLIC_ORIGINS": own,
            "SICERDAS_REQUIRE_VERIFIED_EMAIL": "false",
            "SICERDAS_REQUIRE_STAFF_SECOND_FACTOR": "false",
        }
        env["SICERDAS_SECRET"] = self.home.secret("secret")
        if not self._given.get("SICERDAS_SMTP_URL"):
            env["SICERDAS_DEV_OUTBOX"] = str(self.home.path / "mail")
        env |= NO_MODEL
        for server in servers:
            env |= server.environment()
            env |= DEMO_MODEL_SETTINGS if server.name == ModelServer.name else {}
        return env | {name: value for name, value in self._given.items() if value}

    def _await(self, servers: list[Server]) -> None:
        for server in servers:
            self.supervisor.await_ready(server)
            self._say(f"{server.name} is up ({self._seconds()})")

    def _step(self, name: str, env: Mapping[str, str], *arguments: str) -> None:
        command = app_command(self.home.logs / f"{arguments[-1]}.log", env, *arguments)
        self.supervisor.run_once(name, command, STEP_TIMEOUT_S)
        self._say(f"{name}: done ({self._seconds()})")

    def _load_sample_once(self, env: Mapping[str, str]) -> None:
        mark = sample_mark(self.home.path, self._given)
        if not mark.exists():
            self._step("sample library", env, "admin", "load-sample")
            mark.touch()

    def _greet(self) -> None:
        address = f"http://{LOOPBACK}:{self.port}"
        self._say(f"ready: {address}")
        self._say(f"  open {address} for the library, {address}/api/docs for the API")
        names = ", ".join(f"{name}@example.org" for name in DEMO_ACCOUNTS)
        self._say(f"  demo accounts: {names}; password: {DEMO_PASSWORD}")
        if not self._given.get("SICERDAS_SMTP_URL"):
            self._say(f"  mails stay here: {address}/dev/mail")
        self._say(f"  logs: {self.home.logs} (prepared in {self._seconds()}; Ctrl-C stops all)")

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"


def sample_mark(folder: Path, env: Mapping[str, str]) -> Path:
    """The file that says that the sample library is there: a deleted book must not come back.

    One for each database and storage, as the environment may name others the next time.
    """
    places = "".join(env.get(name, "") for name in ("DATABASE_URL", "S3_ENDPOINT_URL"))
    return folder / f"sample-{hashlib.sha256(places.encode()).hexdigest()[:12]}.done"


def port_of(env: Mapping[str, str]) -> int:
    """The port to serve on.

    Raises:
        EmbeddedError: SICERDAS_PORT is no port.
    """
    text = env.get("SICERDAS_PORT") or DEFAULT_PORT
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise EmbeddedError(f"SICERDAS_PORT must be a number from 1 to {HIGHEST_PORT}, not {text}")
    return int(text)


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set; nothing is interrupted midway."""
    stop = Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
