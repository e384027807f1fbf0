"""The house rules that a reader of the source can check: fences, floors, sizes, and no traces."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.contract.conftest import ROOT

MAX_LINES = 300
READS_ENVIRONMENT = {
    "app.settings",
    "app.infra.embedded.model_server",  # a program of its own, never imported
}
FENCES = {
    "redis": ("realtime.broker_redis", "app.infra"),
    "openai": ("app.infra.llm",),
    "httpx2": ("app.infra.llm", "app.infra.federation"),
    "joserfc": ("app.infra.federation",),
    "aioboto3": ("app.infra.storage",),
    "PIL": ("app.infra.images",),
    "argon2": ("app.infra.passwords",),
    "aiosmtplib": ("app.infra.mail",),
    "cryptography": ("app.infra",),
    "litestar": (
        "app.main",
        "app.contract",
        "app.http",
        *(
            f"app.{name}.routes"
            for name in ("accounts", "audit", "catalog", "media", "interactions", "reports", "chat")
        ),
    ),
    "structlog": ("app",),
    "pyotp": ("app.infra.totp",),
    "segno": ("app.infra.totp",),
    "webauthn": ("app.infra.passkeys",),
    "jwt": ("app.infra.tokens", "realtime.tokens"),
    "prometheus_client": ("app.http", "app.infra"),
}
"""Who may import a library: these modules and what stands below them."""

CLOCK_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".json",
    ".yaml",
    ".yml",
    ".ts",
    ".tsx",
    ".js",
    ".css",
    ".html",
    ".lock",
    ".sh",
    "",
}
TRACES = re.compile(
    r"(?<![\w.])/(?:work|root|home/\w+|tmp/brief)/\w"  # a folder of somebody's machine
    r"|(?:^|[\s=\"'(])(?:index-url|registry)\s*=\s*https?:"  # a package index of somebody's network
    r"|files\.pythonhosted\.org|registry\.npmjs\.org"
)
MAY_SHOW_TRACES = {"tests/contract/test_house_rules.py"}


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path
    for folder in ("app", "realtime")
    for path in (ROOT / folder).rglob("*.py")
}
TEST_MODULES = {
    module_name(path): path
    for path in (ROOT / "tests").rglob("*.py")
    if "node_modules" not in path.parts
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product, parsed."""
    for name, path in sorted(MODULES.items()):
        yield name, parsed(path)


@cache
def parsed(path: Path) -> ast.Module:
    """Once for all rules: a dozen of them read every module."""
    return ast.parse(path.read_text())


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every imported module with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.lineno


def is_under(name: str, roots: tuple[str, ...]) -> bool:
    """Whether a module is one of these or stands below one."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def test_environment_is_read_in_settings_only() -> None:
    """`os.environ` and `os.getenv` stand in one module."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv")}
    ]
    assert [place for place in found if place.partition(":")[0] not in READS_ENVIRONMENT] == []


def test_the_clock_has_one_owner() -> None:
    """Only `app.kit.clock` asks for the date and time; so a test can own it."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        if name != "app.kit.clock"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in CLOCK_CALLS
    ]
    assert found == []


def test_no_import_inside_a_function() -> None:
    """All imports stand at the top: what a module needs is seen at once, and cycles show."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert found == []


@pytest.mark.parametrize("library", FENCES)
def test_library_stays_behind_its_fence(library: str) -> None:
    """A library is imported by its own adapter only, so that it can be replaced."""
    found = [
        f"{name}:{line}"
        for name, tree in trees()
        if not is_under(name, FENCES[library])
        for imported, line in imports(tree)
        if is_under(imported, (library,))
    ]
    assert found == []


def test_product_imports_no_tests() -> None:
    """The product runs without its tests."""
    found = [
        f"{name}:{line}"
        for name, tree in trees()
        for imported, line in imports(tree)
        if is_under(imported, ("tests", "pytest", "hypothesis"))
    ]
    assert found == []


def test_raw_sql_stands_in_queries_only() -> None:
    """A feature's SQL has a name and a place."""
    verbs = re.compile(
        r"^\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH \w+ AS)\s", re.IGNORECASE
    )
    features = ("accounts", "audit", "catalog", "media", "interactions", "reports", "chat")
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        if is_under(name, tuple(f"app.{feature}" for feature in features))
        and "queries" not in name.split(".")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if verbs.match(node.value)
    ]
    assert found == []


def test_modules_are_short() -> None:
    """A longer module holds more than one idea; a test module more than one subject."""
    lines = {
        name: len(path.read_text().splitlines()) for name, path in (MODULES | TEST_MODULES).items()
    }
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    """The first line of a module is its purpose."""
    silent = [name for name, tree in trees() if tree.body and ast.get_docstring(tree) is None]
    assert silent == []


def test_no_trace_of_a_machine_or_registry() -> None:
    """Tracked files name no folder of somebody's machine and no package registry's host."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = []
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if not name or name in MAY_SHOW_TRACES or path.suffix not in TEXT or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if TRACES.search(line):
                found.append(f"{name}:{number}: {line.strip()[:80]}")
    assert found == []


def test_a_benchmark_is_a_program() -> None:
    """It prints JSON when somebody asks for it; no run of the tests depends on how fast it was."""
    assert sorted((ROOT / "tests/load").glob("**/test_*.py")) == []
