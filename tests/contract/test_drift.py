"""The committed contract is what the code says now."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.conftest import CONTRACT, ROOT
from tests.support.npm import install

FILES = [
    "openapi.json",
    "asyncapi.json",
    "errors.json",
    "client/openapi.d.ts",
    "client/realtime.d.ts",
    "docs/asyncapi-parsed.json",
]
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A contract made anew, without any server."""
    folder = tmp_path_factory.mktemp("contract")
    install(CONTRACT / "generators")
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, CONTRACT / "generate.py", folder],
        cwd=ROOT,
        env={"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("name", FILES)
def test_committed_file_is_current(generated: Path, name: str) -> None:
    """Byte for byte."""
    if (generated / name).read_bytes() != (CONTRACT / name).read_bytes():
        pytest.fail(
            f"frontend-contract/{name} is not what the code says: run `make contract`, look at the "
            "difference, and say in the commit why clients survive it",
            pytrace=False,
        )
