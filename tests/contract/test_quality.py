"""Style, types, import rules, spelling: what `make lint` checks, and the pages' own tests."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PAGES = PROJECT / "frontend-contract" / "reference-app"
TIMEOUT_S = 170


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "command",
    [
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "codespell",
        # A process of its own: import-linter silences every logger of the process it runs in.
        "lint-imports --no-cache",
    ],
)
def test_source_passes(command: str) -> None:
    """No finding, in any file."""
    name, *arguments = command.split()
    check([str(BIN / name), *arguments], PROJECT)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("script", ["check", "test"])
def test_pages_pass(script: str) -> None:
    """The reference app's types, and its pure parts."""
    check([str(BIN / "npm"), "run", "--silent", script], PAGES)


def check(argv: list[str], folder: Path) -> None:
    """Run a checker; its output is the failure."""
    path = f"{BIN}:/usr/bin:/bin"
    done = subprocess.run(
        argv,
        cwd=folder,
        env={"PATH": path, "HOME": str(PROJECT / ".venv"), "CI": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
