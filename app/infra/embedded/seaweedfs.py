"""A local SeaweedFS with its S3 gateway, on loopback ports."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from app.infra.embedded.faults import MissingPrerequisite
from app.infra.embedded.ports import GRPC_STEP, LOOPBACK, free_ports, is_free
from app.infra.embedded.process import Command
from app.infra.embedded.s3probe import S3Keys, put
from app.infra.embedded.service import SETUP, program

SOCKETS = Path("/tmp")  # noqa: S108 - fixed in its program, only cleared by us
PORTS_FILE = "ports.json"
PORTS = 4  # master, volume, filer, S3
PROBE_BUCKET = "/readiness"
HTTP_OK, HTTP_CONFLICT = 200, 409  # 409: the bucket is there already


def binary() -> Path:
    """The `weed` program.

    Raises:
        MissingPrerequisite: it is absent; the text names the command that installs it.
    """
    found = program("weed")
    if found is None:
        raise MissingPrerequisite("SeaweedFS", f"{SETUP} (or set S3_ENDPOINT_URL)")
    return found


class SeaweedServer:
    """Keeps its volumes in `data`; its keys are made by the caller, once for the data folder."""

    name = "seaweedfs"
    stop_signal = signal.SIGTERM
    # It takes 15 s to leave by itself and is safe over a kill: no reason to wait for it.
    stop_grace_s = 0.5
    start_timeout_s = 60.0
    tier = 0

    def __init__(self, data: Path, run: Path, log: Path, keys: S3Keys) -> None:
        """Choose the ports; nothing else is touched before `prepare`."""
        self.data, self.run, self.log, self.keys = data, run, log, keys
        self._binary = binary()
        self.master, self.volume, self.filer, self.s3 = _last_ports(data) or free_ports(
            PORTS, steps=(0, GRPC_STEP)
        )

    def prepare(self) -> None:
        """Write the keys it shall accept, and the ports for the next start."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.data / PORTS_FILE).write_text(json.dumps(self._ports), encoding="utf-8")
        self.clean_up()
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        credentials = [{"accessKey": self.keys.access, "secretKey": self.keys.secret}]
        actions = ["Admin", "Read", "List", "Tagging", "Write"]
        identity = {"name": "sicerdas", "credentials": credentials, "actions": actions}
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")

    def command(self) -> Command:
        """Every part in one process; telemetry is on unless switched off."""
        argv = [str(self._binary), "server", f"-dir={self.data}"]
        argv += [f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-master.telemetry=false"]
        argv += ["-master.electionTimeout=1s", "-volume.preStopSeconds=0", "-volume.max=50"]
        argv += ["-master.volumeSizeLimitMB=256", f"-master.port={self.master}"]
        argv += [f"-volume.port={self.volume}", f"-filer.port={self.filer}"]
        argv += [f"-filer.localSocket={self.run / 'filer.sock'}"]
        argv += ["-s3", f"-s3.port={self.s3}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        argv += [f"-s3.config={self._config}", f"-s3.localSocket={self.run / 's3.sock'}"]
        env = {"PATH": os.defpath, "HOME": str(self.data), "TMPDIR": str(self.run)}
        return Command(tuple(argv), self.data, self.log, env)

    def is_ready(self) -> bool:
        """Whether it stores an object: its port opens seconds before it can."""
        made = put(LOOPBACK, self.s3, PROBE_BUCKET, self.keys)
        if made not in {HTTP_OK, HTTP_CONFLICT}:
            return False
        return put(LOOPBACK, self.s3, f"{PROBE_BUCKET}/probe", self.keys, b"ready") == HTTP_OK

    def set_up(self) -> None:
        """Nothing to make: the app makes its bucket."""

    def clean_up(self) -> None:
        """Its parts also listen on sockets in /tmp, wherever it is told to keep its files."""
        for port in self._ports:
            for left in SOCKETS.glob(f"seaweedfs-*-grpc-{port + GRPC_STEP}.sock"):
                left.unlink(missing_ok=True)

    def environment(self) -> Mapping[str, str]:
        """Where the app finds its storage, and with which keys."""
        return {
            "S3_ENDPOINT_URL": f"http://{LOOPBACK}:{self.s3}",
            "S3_ACCESS_KEY_ID": self.keys.access,
            "S3_SECRET_ACCESS_KEY": self.keys.secret,
        }

    @property
    def _ports(self) -> tuple[int, ...]:
        return self.master, self.volume, self.filer, self.s3

    @property
    def _config(self) -> Path:
        return self.run / "s3.json"


def _last_ports(data: Path) -> tuple[int, ...] | None:
    """The ports of the last start, if all are free: they name what a kill left behind in /tmp."""
    try:
        ports = tuple(int(port) for port in json.loads((data / PORTS_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    wanted = [port + step for port in ports for step in (0, GRPC_STEP)]
    return ports if len(ports) == PORTS and all(is_free(port) for port in wanted) else None
