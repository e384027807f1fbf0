"""The floors and rooms of DESIGN.md hold: import-linter's contracts, run as a test."""

import sys

from importlinter import cli

from tests.contract.conftest import ROOT


def test_every_import_contract_is_kept(monkeypatch, capsys) -> None:
    """Upper floors import lower ones, never back."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "argv", ["lint-imports"])
    # Its logging setup would silence every logger that exists, and tests that listen to them.
    monkeypatch.setattr(cli.logging_config, "dictConfig", lambda _config: None)
    status = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out
