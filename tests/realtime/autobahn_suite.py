"""Where the Autobahn suite comes from: it needs Python 2.7, so each way brings one.

`wstest` on the PATH; Java and Maven (the suite on Jython, as Maven Central has it); or Docker.
"""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

IMAGE = "crossbario/autobahn-testsuite"
FOLDER = Path(".data/autobahn")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
DRIVER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from autobahntestsuite import wstest
wstest.start({"mode": "fuzzingclient"}, json.load(open(sys.argv[2])))
"""
"""Python 2: what `wstest -m fuzzingclient` does, without a console script."""


@dataclass(frozen=True)
class Jar:
    """A file of Maven Central, by its name there and by its content."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies once it is here."""
        return FOLDER / f"{self.name}-{self.version}.jar"

    def is_here(self) -> bool:
        """Whether it lies there whole."""
        path = self.path
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


SUITE = Jar(
    "me.normanmaurer.maven.autobahntestsuite",
    "autobahntestsuite-maven-plugin",
    "0.1.5",
    "b57f5ec225b8b88fff484d694f28febd0baac1bd597e99a0c181b76260af935f",
)
JYTHON = Jar(
    "org.python",
    "jython-standalone",
    "2.7.1",
    "c4410d1a731948131a71f24c4e1ed0c5326711265b474b173acab2723c258c4b",
)


def command(spec: Path) -> list[str] | None:
    """How to start the suite on this machine; None: nothing here can."""
    plain = ["-m", "fuzzingclient", "-s", str(spec)]
    if wstest := shutil.which("wstest"):
        return [wstest, *plain]
    if (java := shutil.which("java")) and all([bring(SUITE), bring(JYTHON)]):
        jython = [java, "-Dpython.cachedir.skip=true", "-cp", f"{SUITE.path}:{JYTHON.path}"]
        return [*jython, "org.python.util.jython", "-c", DRIVER, str(SUITE.path), str(spec)]
    if docker := shutil.which("docker"):
        here = ["--network", "host", "-v", f"{spec.parent}:{spec.parent}"]
        return [docker, "run", "--rm", *here, IMAGE, "wstest", *plain]
    return None


def bring(jar: Jar) -> bool:
    """Fetch a jar with Maven, once; False when it cannot be had."""
    if jar.is_here():
        return True
    if maven := shutil.which("mvn"):
        what = f"-Dartifact={jar.group}:{jar.name}:{jar.version}"
        where = f"-DoutputDirectory={FOLDER.resolve()}"
        subprocess.run([maven, "-q", "-B", COPY, what, where], check=False)
    return jar.is_here()
