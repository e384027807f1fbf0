"""The supervisor under kill: nothing is left behind, nothing is lost, and what happens is said."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from app.infra.embedded import ports, valkey
from app.infra.embedded.datadir import open_data_dir
from app.infra.embedded.faults import DataDirTaken, MissingPrerequisite, PortTaken, ServiceFailed
from app.infra.embedded.instance import Instance
from app.infra.embedded.ports import GRPC_STEP, demand_free, free_ports, is_free
from app.infra.embedded.postgres import PostgresServer
from app.infra.embedded.process import Child, Command, Record, identity, wait_until, write_records
from app.infra.embedded.supervisor import Supervisor
from tests.support.running_house import DEADLINE_S, PROJECT, RunningHouse


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningHouse]]:
    """A function that starts a small house on a folder; all of them are ended after the test."""
    houses: list[RunningHouse] = []

    def begin(folder: str = "data") -> RunningHouse:
        houses.append(RunningHouse(tmp_path / folder))
        return houses[-1]

    yield begin
    for house in houses:
        if house.process.poll() is None:
            house.end(signal.SIGTERM)


def all_gone(records: dict[str, Record]) -> bool:
    return wait_until(lambda: not any(r.is_alive() for r in records.values()), DEADLINE_S)


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_leaves_no_process_and_no_run_folder(self, start: Any, number: int) -> None:
        """Ctrl-C and SIGTERM end everything that was started."""
        house = start()
        records, run = house.records(), (house.folder / "run").readlink()
        assert set(records) == {"postgres", "valkey"}
        assert house.end(number) == 0
        assert not any(record.is_alive() for record in records.values())
        assert not run.exists()
        assert house.records() == {}

    def test_two_houses_live_side_by_side(self, start: Any) -> None:
        """Another data folder is another instance; neither sees the other."""
        one, two = start("one"), start("two")
        with (
            redis.Redis.from_url(one.redis_url) as first,
            redis.Redis.from_url(two.redis_url) as second,
        ):
            first.set("key", "of the first")
            assert second.get("key") is None
        assert one.end(signal.SIGTERM) == 0
        assert two.sql("select 1") == 1


class TestKillOfTheSupervisor:
    def test_next_start_takes_the_data_over(self, start: Any) -> None:
        """kill -9 leaves no server, and the next start finds every committed row."""
        first = start()
        first.sql("create table kept as select 42 as answer")
        records = first.records()
        first.end(signal.SIGKILL)
        assert all_gone(records)
        second = start()
        assert second.sql("select answer from kept") == 42
        assert not [p for p in Path(second.folder).parent.glob("sicerdas-*") if p != second.folder]

    def test_a_recorded_process_that_survived_is_ended(self, tmp_path: Path) -> None:
        """Where the kernel does not end orphans, the next start does."""
        with subprocess.Popen(["sleep", "600"], start_new_session=True) as orphan:
            record = Record("orphan", orphan.pid, identity(orphan.pid) or "", signal.SIGTERM)
            (tmp_path / "data").mkdir()
            write_records(tmp_path / "data" / "processes.json", [record])
            home = open_data_dir(tmp_path / "data")
            home.close()
            assert home.ended == ["orphan"]
            assert orphan.wait(DEADLINE_S) == -signal.SIGTERM

    def test_a_stranger_with_a_recorded_number_is_left_alone(self, tmp_path: Path) -> None:
        """A process number that was given to somebody else is not ours to end."""
        with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
            record = Record("postgres", stranger.pid, "another boot:1", signal.SIGKILL)
            (tmp_path / "processes.json").parent.mkdir(exist_ok=True)
            write_records(tmp_path / "processes.json", [record])
            home = open_data_dir(tmp_path)
            home.close()
            assert home.ended == []
            assert stranger.poll() is None
            stranger.kill()

    def test_a_zombie_in_postmaster_pid_counts_as_dead(self, tmp_path: Path) -> None:
        """PostgreSQL alone would refuse to start: to kill(2) a zombie looks alive."""
        home = open_data_dir(tmp_path / "data")
        supervisor = Supervisor(home.records, print)
        first = PostgresServer(home.path / "pg", home.run, home.logs / "pg.log", durable=False)
        zombie = Child(Command(("true",), Path("/"), home.logs / "zombie.log"))
        try:
            supervisor.start(first)
            lock = (first.data / "postmaster.pid").read_text()
            supervisor.stop()
            assert wait_until(lambda: not zombie.is_running(), DEADLINE_S)
            lines = [str(zombie.pid), *lock.splitlines()[1:]]
            (first.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
            supervisor.start(first)
            assert first.execute("postgres", "select 1") == "1"
        finally:
            supervisor.stop()
            zombie.reap()
            home.close()


class TestRestart:
    def test_a_killed_server_comes_back_and_it_is_said(self, start: Any) -> None:
        """A dead server is a loud fact, and a short one."""
        house = start()
        house.sql("create table kept as select 42 as answer")
        for name in ("valkey", "postgres"):
            before = house.records()[name]
            os.kill(before.pid, signal.SIGKILL)
            house.wait_for(f"{name} was killed by signal 9; restarting it in 0.2 s")
            house.wait_for(f"{name} is back")
            assert house.records()[name] != before
        assert house.sql("select answer from kept") == 42
        with redis.Redis.from_url(house.redis_url) as client:
            assert client.ping()

    def test_a_server_that_cannot_live_is_tried_ever_more_rarely(self, tmp_path: Path) -> None:
        """The waits double, so that a broken server does not eat the machine."""
        said: list[str] = []
        supervisor = Supervisor(tmp_path / "records", said.append)
        service = fake_service(tmp_path, "sleep 600")
        supervisor.start(service)
        service.script, service.is_ready = "exit 3", lambda: False
        os.kill(supervisor.pid("fake") or 0, signal.SIGKILL)

        def seen() -> bool:
            supervisor.check()
            return len(said) == 3

        assert wait_until(seen, DEADLINE_S)
        supervisor.stop()
        assert said == [
            "fake was killed by signal 9; restarting it in 0.2 s",
            "fake ended with status 3; restarting it in 0.4 s",
            "fake ended with status 3; restarting it in 0.8 s",
        ]

    def test_a_first_start_that_fails_shows_the_last_words(self, tmp_path: Path) -> None:
        """A person sees why, without searching for a log."""
        supervisor = Supervisor(tmp_path / "records", print)
        service = fake_service(tmp_path, "echo no space left; exit 1", ready=False)
        with pytest.raises(ServiceFailed, match="no space left"):
            supervisor.start(service)
        supervisor.stop()


def fake_service(folder: Path, script: str, *, ready: bool = True) -> Any:
    """A shell script as a service."""
    service = SimpleNamespace(
        name="fake", script=script, stop_signal=signal.SIGTERM, stop_grace_s=1.0
    )
    service.start_timeout_s, service.tier = 10.0, 0
    service.prepare = service.set_up = service.clean_up = lambda: None
    service.is_ready = lambda: ready
    service.command = lambda: Command(("sh", "-c", service.script), folder, folder / "fake.log")
    return service


class TestTaken:
    def test_a_taken_port_is_refused_with_its_holder(self, tmp_path: Path) -> None:
        """Never another port: the person asked for this one."""
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            with pytest.raises(PortTaken, match=rf"port {port} is taken by pid {os.getpid()} "):
                demand_free(port)
            done = run_dev(tmp_path, port)
        assert done.returncode == 1
        assert f"port {port} is taken by pid {os.getpid()} " in done.stdout
        assert not (tmp_path / "data").exists()

    def test_the_asked_for_port_is_given_to_no_server_of_ours(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Storage once listened on the pages' port before they did; nor may two servers overlap."""
        asked, other = free_ports(2)
        demand_free(asked)
        drawn = iter([asked, other, other - GRPC_STEP, other - GRPC_STEP + 1, other + 1])
        monkeypatch.setattr(ports.random, "randint", lambda *_range: next(drawn))
        monkeypatch.setattr(ports, "is_free", lambda _port: True)
        given = free_ports(2, steps=(0, GRPC_STEP))
        assert given == (other, other - GRPC_STEP + 1)

    def test_a_taken_data_folder_is_refused_with_its_holder(self, tmp_path: Path) -> None:
        """Two instances on one folder would destroy it."""
        with contextlib.closing(open_data_dir(tmp_path / "data")):
            with pytest.raises(DataDirTaken, match=f"pid {os.getpid()} "):
                open_data_dir(tmp_path / "data")
            done = run_dev(tmp_path, *free_ports(1))
        assert done.returncode == 1
        assert f"in use by pid {os.getpid()} " in done.stdout

    def test_a_port_that_is_no_number_is_refused(self, tmp_path: Path) -> None:
        """A typing error is told as one."""
        assert "SICERDAS_PORT must be a number" in run_dev(tmp_path, 70_000).stdout


def run_dev(folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    """`python -m app dev`, expected to end by itself."""
    env = {**os.environ, "SICERDAS_PORT": str(port), "SICERDAS_DATA_DIR": str(folder / "data")}
    argv = [sys.executable, "-m", "app", "dev"]
    return subprocess.run(
        argv, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


class TestChoices:
    def test_named_servers_are_not_started(self, tmp_path: Path) -> None:
        """With an address in the environment the embedded server stays off."""
        names = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL", "OPENAI_BASE_URL")
        given = dict.fromkeys(names, "http://elsewhere.example")
        with contextlib.closing(open_data_dir(tmp_path / "data")) as home:
            instance = Instance(home, given, 8000, print, threading.Event())
            assert instance.servers() == []
            assert instance.environment([])["DATABASE_URL"] == "http://elsewhere.example"

    def test_a_missing_server_is_named_with_what_installs_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message is the way out."""
        monkeypatch.setattr(valkey, "package_folder", lambda _name: None)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MissingPrerequisite, match="apt-get install redis-server"):
            valkey.ValkeyServer(tmp_path, tmp_path / "log")

    def test_ports_leave_room_for_the_second_one(self) -> None:
        """SeaweedFS opens port + 10000 too; both stay below the ephemeral range."""
        ports = free_ports(4, steps=(0, GRPC_STEP))
        assert len(set(ports)) == 4
        assert all(port + GRPC_STEP < 32_768 and is_free(port + GRPC_STEP) for port in ports)
