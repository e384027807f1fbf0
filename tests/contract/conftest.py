"""What the contract's tests share: the committed files, and node with the contract's packages."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.npm import install

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "frontend-contract"
NODE_TIMEOUT_S = 60


def committed(name: str) -> dict[str, Any]:
    """One of the contract's JSON files."""
    return json.loads((CONTRACT / name).read_text())


def node(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the contract's programs."""
    program = shutil.which("node", path=str(ROOT / ".venv" / "bin")) or shutil.which("node")
    if program is None:
        pytest.fail("node is missing: run `make setup`", pytrace=False)
    install(CONTRACT / "generators")
    return subprocess.run(
        [program, CONTRACT / "generators" / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=NODE_TIMEOUT_S,
    )


@pytest.fixture(scope="session")
def openapi() -> dict[str, Any]:
    """The committed REST document."""
    return committed("openapi.json")


@pytest.fixture(scope="session")
def asyncapi() -> dict[str, Any]:
    """The committed realtime document."""
    return committed("asyncapi.json")
