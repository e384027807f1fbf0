"""`asvs.toml` names every requirement of ASVS 5.0.0 that an application of level 2 must meet."""

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
SECURITY = (TESTS.parent / "SECURITY.md").read_text()
TABLE: dict[str, dict[str, Any]] = {
    number: row
    for chapter in tomllib.loads((TESTS / "security" / "asvs.toml").read_text()).values()
    for number, row in chapter.items()
}
ANSWERS = {"tests", "doc", "reason", "open"}

LEVEL_1_AND_2 = {
    "1.1": "1 2",
    "1.2": "1 2 3 4 5 6 7 8 9",
    "1.3": "1 2 3 4 5 6 7 8 9 10 11",
    "1.4": "1 2 3",
    "1.5": "1 2",
    "2.1": "1 2 3",
    "2.2": "1 2 3",
    "2.3": "1 2 3 4",
    "2.4": "1",
    "3.2": "1 2",
    "3.3": "1 2 3 4",
    "3.4": "1 2 3 4 5 6",
    "3.5": "1 2 3 4 5",
    "3.7": "1 2",
    "4.1": "1 2 3",
    "4.2": "1",
    "4.3": "1 2",
    "4.4": "1 2 3 4",
    "5.1": "1",
    "5.2": "1 2 3",
    "5.3": "1 2",
    "5.4": "1 2 3",
    "6.1": "1 2 3",
    "6.2": "1 2 3 4 5 6 7 8 9 10 11 12",
    "6.3": "1 2 3 4",
    "6.4": "1 2 3 4",
    "6.5": "1 2 3 4 5",
    "6.6": "1 2 3",
    "6.8": "1 2 3 4",
    "7.1": "1 2 3",
    "7.2": "1 2 3 4",
    "7.3": "1 2",
    "7.4": "1 2 3 4 5",
    "7.5": "1 2",
    "7.6": "1 2",
    "8.1": "1 2",
    "8.2": "1 2 3",
    "8.3": "1",
    "8.4": "1",
    "9.1": "1 2 3",
    "9.2": "1 2 3 4",
    "10.1": "1 2",
    "10.2": "1 2",
    "10.3": "1 2 3 4",
    "10.4": "1 2 3 4 5 6 7 8 9 10 11",
    "10.5": "1 2 3 4 5",
    "10.6": "1 2",
    "10.7": "1 2 3",
    "11.1": "1 2",
    "11.2": "1 2 3",
    "11.3": "1 2 3",
    "11.4": "1 2 3 4",
    "11.5": "1",
    "11.6": "1",
    "12.1": "1 2 3",
    "12.2": "1 2",
    "12.3": "1 2 3 4",
    "13.1": "1",
    "13.2": "1 2 3 4 5",
    "13.3": "1 2",
    "13.4": "1 2 3 4 5",
    "14.1": "1 2",
    "14.2": "1 2 3 4",
    "14.3": "1 2 3",
    "15.1": "1 2 3",
    "15.2": "1 2 3",
    "15.3": "1 2 3 4 5 6 7",
    "16.1": "1",
    "16.2": "1 2 3 4 5",
    "16.3": "1 2 3 4",
    "16.4": "1 2 3",
    "16.5": "1 2 3",
    "17.1": "1",
    "17.2": "1 2 3 4",
    "17.3": "1 2",
}
"""By section the last parts of the numbers; level 3 alone is left out."""

CHOSEN_OF_LEVEL_3 = {"5.2.6", "6.3.8", "7.5.3", "8.3.2", "15.4.2", "16.5.4"}


def numbers() -> set[str]:
    """Every requirement that the table must name."""
    return {f"{section}.{one}" for section, ones in LEVEL_1_AND_2.items() for one in ones.split()}


def test_the_list_is_that_of_the_standard() -> None:
    """70 requirements of level 1 and 183 of level 2."""
    assert len(numbers()) == 70 + 183
    levels = Counter(row["level"] for row in TABLE.values())
    assert levels == {1: 70, 2: 183, 3: len(CHOSEN_OF_LEVEL_3)}


def test_every_requirement_has_an_answer_and_only_one() -> None:
    """A test, a page, a reason why not, or the plain word that it is open."""
    assert TABLE.keys() == numbers() | CHOSEN_OF_LEVEL_3
    for number, row in TABLE.items():
        assert row["about"], number
        assert len(row.keys() & ANSWERS) == 1, number


def names_in(file: Path) -> set[str]:
    """The tests of a file as pytest calls them."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{name}" for name in functions(node.body)}
    return found | functions(ast.parse(file.read_text()).body)


def functions(body: list[ast.stmt]) -> set[str]:
    """The names of the functions of a module or class."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in body if isinstance(node, kinds)}


def test_every_named_test_exists() -> None:
    """A test that was renamed or removed takes its requirement with it."""
    missing = []
    for number, row in TABLE.items():
        for test in row.get("tests", []):
            file, _, name = test.partition("::")
            path = TESTS / file
            if not path.is_file() or name not in names_in(path):
                missing.append(f"{number}: {test}")
    assert missing == []


def test_every_named_heading_exists() -> None:
    """The page says what the table promises."""
    headings = set(re.findall(r"^## (.+)$", SECURITY, flags=re.MULTILINE))
    assert {row["doc"] for row in TABLE.values() if "doc" in row} <= headings


def test_what_is_open_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for the record: how many requirements have which answer."""
    counted = Counter(next(iter(row.keys() & ANSWERS)) for row in TABLE.values())
    open_ones = sorted(number for number, row in TABLE.items() if "open" in row)
    with capsys.disabled():
        print(f"\nASVS 5.0.0: {dict(sorted(counted.items()))}, open: {' '.join(open_ones) or '-'}")
    assert all(len(row["open"]) > 10 for row in TABLE.values() if "open" in row)
