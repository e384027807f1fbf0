"""A local SeaweedFS with its S3 gateway, on loopback ports."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from app.infra.embedded.faults import MissingPrerequisite
from app.infra.embedded.ports import GRPC_STEP, LOOPBACK, free_ports
from app.infra.embedded.process import Command
from app.infra.embedded.s3probe import S3Keys, put
from app.infra.embedded.service import SETUP, program

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
        self.master, self.volume, self.filer, self.s3 = free_ports(4, steps=(0, GRPC_STEP))

    def prepare(self) -> None:
        """Write the keys it shall accept."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
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

    def environment(self) -> Mapping[str, str]:
        """Where the app finds its storage, and with which keys."""
        return {
            "S3_ENDPOINT_URL": f"http://{LOOPBACK}:{self.s3}",
            "S3_ACCESS_KEY_ID": self.keys.access,
            "S3_SECRET_ACCESS_KEY": self.keys.secret,
        }

    @property
    def _config(self) -> Path:
        return self.run / "s3.json"
