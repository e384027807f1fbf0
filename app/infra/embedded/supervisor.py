"""Starts the services, watches them, brings a dead one back and says so, stops them all."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from app.infra.embedded.faults import Interrupted, ServiceFailed
from app.infra.embedded.process import POLL_S, Child, Command, Record, wait_until, write_records
from app.infra.embedded.service import Service

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.2, 30.0
STEADY_S = 30.0  # a child that lived this long starts with the first backoff again
WATCH_STEP_S = 0.1
ONCE_GRACE_S = 5.0
Say = Callable[[str], None]


class Watched:
    """One service and its present child; knows when to try again."""

    def __init__(self, service: Service, longest_backoff_s: float) -> None:
        """No child yet."""
        self.service = service
        self._longest_backoff_s = longest_backoff_s
        self.child: Child | None = None
        self.ready = False
        self._started_at = 0.0
        self._backoff_s = FIRST_BACKOFF_S
        self.retry_at = 0.0

    def spawn(self) -> Child:
        """Start the program; it may need a while until it answers."""
        self.service.prepare()
        self.ready = False
        self._started_at = time.monotonic()
        self.child = Child(self.service.command())
        return self.child

    def bury(self) -> tuple[int, float]:
        """Collect a child that ended; its exit status and the seconds until the next try."""
        status = self.child.reap() if self.child else 0
        self.child = None
        if time.monotonic() - self._started_at > STEADY_S:
            self._backoff_s = FIRST_BACKOFF_S
        wait_s = self._backoff_s
        self.retry_at = time.monotonic() + wait_s
        self._backoff_s = min(wait_s * 2, self._longest_backoff_s)
        return status, wait_s

    def is_overdue(self) -> bool:
        """Whether it runs, but has not answered in the time it may take."""
        late = time.monotonic() - self._started_at > self.service.start_timeout_s
        return not self.ready and late


class Supervisor:
    """Owns the children. Used from the main thread only: a child dies with its parent thread."""

    def __init__(
        self,
        records: Path,
        say: Say,
        stop: Event | None = None,
        *,
        longest_backoff_s: float = LONGEST_BACKOFF_S,
    ) -> None:
        """`records` remembers the children for the start after a kill; `stop` ends any waiting."""
        self._longest_backoff_s = longest_backoff_s
        self._records, self._say = records, say
        self._stop = stop or Event()
        self._all: list[Watched] = []

    def start(self, service: Service) -> None:
        """Start a service and wait until it answers, then let it set up.

        Raises:
            ServiceFailed: it ended or did not answer; the text shows its last words.
            Interrupted: the stop event was set meanwhile.
        """
        self.begin(service)
        self.await_ready(service)

    def begin(self, service: Service) -> None:
        """Start a service without waiting, so that several can start side by side."""
        watched = Watched(service, self._longest_backoff_s)
        self._all = [w for w in self._all if w.service is not service] + [watched]
        watched.spawn()
        self._remember()

    def await_ready(self, service: Service) -> None:
        """Wait until a service that was begun answers. Raises as `start` does."""
        watched = next(w for w in self._all if w.service is service)
        while not service.is_ready():
            self._check_start(watched)
            time.sleep(POLL_S)
        watched.ready = True
        service.set_up()

    def run_once(self, name: str, command: Command, timeout_s: float) -> None:
        """Run a program to its end while the services run.

        Raises:
            ServiceFailed: it did not end well, or not in time.
            Interrupted: the stop event was set meanwhile.
        """
        child = Child(command)
        ended = wait_until(lambda: self._stop.is_set() or not child.is_running(), timeout_s)
        if self._stop.is_set():
            child.stop(signal.SIGTERM, ONCE_GRACE_S)
            raise Interrupted
        status = child.reap()
        if not ended or status != 0:
            why = how_it_ended(status) if ended else f"not done within {timeout_s:.0f} s"
            raise ServiceFailed(name, why, child.log_tail())

    def watch(self) -> None:
        """Keep everything running until the stop event is set."""
        while not self._stop.wait(WATCH_STEP_S):
            self.check()

    def check(self) -> None:
        """One round: bury the dead, restart those whose time has come, greet those who are back."""
        for watched in self._all:
            child, name = watched.child, watched.service.name
            if child is None:
                self._retry(watched)
            elif not child.is_running():
                status, wait_s = watched.bury()
                self._say(f"{name} {how_it_ended(status)}; restarting it in {wait_s:.1f} s")
            elif not watched.ready:
                self._greet(watched, child)

    def pid(self, name: str) -> int | None:
        """The process number of a service, if it runs."""
        children = {w.service.name: w.child for w in self._all}
        child = children.get(name)
        return child.pid if child else None

    def stop(self) -> None:
        """Stop everything, the highest tier first; those of one tier side by side."""
        for tier in sorted({w.service.tier for w in self._all}, reverse=True):
            members = [w for w in self._all if w.service.tier == tier and w.child]
            for watched in members:
                if watched.child:
                    watched.child.signal(watched.service.stop_signal)
            for watched in members:
                if watched.child:
                    watched.child.finish(watched.service.stop_grace_s)
                    watched.child = None
                    watched.service.clean_up()
            self._remember()

    def _check_start(self, watched: Watched) -> None:
        service, child = watched.service, watched.child
        if self._stop.is_set():
            raise Interrupted
        if child is None or not child.is_running():
            status, _ = watched.bury()
            raise ServiceFailed(
                service.name, how_it_ended(status), child.log_tail() if child else ""
            )
        if watched.is_overdue():
            late = f"no answer within {service.start_timeout_s:.0f} s"
            raise ServiceFailed(service.name, late, child.log_tail())

    def _retry(self, watched: Watched) -> None:
        if time.monotonic() < watched.retry_at:
            return
        try:
            watched.spawn()
        except Exception as error:  # noqa: BLE001 - the last resort of a restart loop: it says so and tries again
            _, wait_s = watched.bury()
            self._say(f"{watched.service.name}: {error}; trying again in {wait_s:.1f} s")
        self._remember()

    def _greet(self, watched: Watched, child: Child) -> None:
        if watched.service.is_ready():
            watched.ready = True
            self._say(f"{watched.service.name} is back")
        elif watched.is_overdue():
            self._say(f"{watched.service.name} does not answer; ending it")
            child.stop(watched.service.stop_signal, watched.service.stop_grace_s)

    def _remember(self) -> None:
        write_records(self._records, [r for w in self._all for r in _record(w)])


def _record(watched: Watched) -> list[Record]:
    child, service = watched.child, watched.service
    if child is None or child.identity is None:
        return []
    return [Record(service.name, child.pid, child.identity, int(service.stop_signal))]


def how_it_ended(status: int) -> str:
    """An exit status in words."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
