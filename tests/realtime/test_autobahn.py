"""The judge of R1: a case that failed fails the run."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.realtime import autobahn_suite
from tests.realtime.autobahn import MISSING, judge
from tests.realtime.autobahn_suite import SUITE, Jar


def found(folder: Path, *cases: tuple[str, str]) -> Path:
    """What the suite leaves behind: behaviour, and behaviour at the close."""
    results = {f"1.{n}": {"behavior": b, "behaviorClose": c} for n, (b, c) in enumerate(cases)}
    index = folder / "index.json"
    index.write_text(json.dumps({"sicerdas": results}))
    return index


def test_what_the_rfc_allows_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NON-STRICT is said, and is no failure."""
    assert judge(found(tmp_path, ("OK", "OK"), ("NON-STRICT", "OK"))) == 0
    assert "events=2" in (said := capsys.readouterr().out)
    assert "non_strict=['1.1']" in said


@pytest.mark.parametrize("case", [("FAILED", "OK"), ("OK", "FAILED BY CLIENT"), ("OK", "UNCLEAN")])
def test_one_failure_fails_the_run(tmp_path: Path, case: tuple[str, str]) -> None:
    """In what it answered, or in how it hung up."""
    assert judge(found(tmp_path, ("OK", "OK"), case)) == 1


def test_nothing_is_no_success(tmp_path: Path) -> None:
    """No result, or an empty one."""
    assert judge(tmp_path / "index.json") == MISSING
    assert judge(found(tmp_path)) == 1


def test_a_jar_is_known_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a download is none."""
    monkeypatch.setattr(autobahn_suite, "FOLDER", tmp_path)
    jar = Jar("g", "n", "1", hashlib.sha256(b"whole").hexdigest())
    assert not jar.is_here()
    jar.path.write_bytes(b"who")
    assert not jar.is_here()
    jar.path.write_bytes(b"whole")
    assert jar.is_here()
    assert SUITE.path.parent == tmp_path
