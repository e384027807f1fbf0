"""The mark of a browser that signed up: ours, of this installation, and for a time."""

import pytest

from app.accounts.service.sign_up_marks import SignUpMarks
from app.infra.vault import Vault
from app.kit.secret import Secret

SECRET = Secret("s" * 32)
HOUR_S = 3600


def test_reads_what_it_made() -> None:
    """It says whose browser this is."""
    marks = SignUpMarks(SECRET, lifetime_s=HOUR_S)
    assert marks.read(marks.make(2**53)) == 2**53


def test_ends() -> None:
    """With the link of the sign-up: a mark from before says nothing about a later link."""
    over = SignUpMarks(SECRET, lifetime_s=0).make(7)
    assert SignUpMarks(SECRET, lifetime_s=HOUR_S).read(over) is None


def test_all_are_as_long() -> None:
    """It is given for a taken address too, which it must not give away."""
    marks = SignUpMarks(SECRET, lifetime_s=HOUR_S)
    assert len(marks.make(7)) == len(marks.make(2**53))


def test_v11_3_3_another_installation_s_mark_and_another_seal_are_worth_nothing() -> None:
    """Neither another secret's, nor what this secret sealed for something else."""
    marks = SignUpMarks(SECRET, lifetime_s=HOUR_S)
    assert marks.read(SignUpMarks(Secret("t" * 32), lifetime_s=HOUR_S).make(7)) is None
    assert marks.read(Vault(SECRET, "totp").seal(b"x" * 16, "browser").hex()) is None


@pytest.mark.parametrize(
    "mark", [None, "", "=", "None", "a", "A" * 59, "A" * 10_000, "\u00e9" * 59, "\x00", "a b;c"]
)
def test_anything_else_says_nothing(mark: str | None) -> None:
    """A cookie is whatever somebody sends."""
    assert SignUpMarks(SECRET, lifetime_s=HOUR_S).read(mark) is None


def test_each_place_is_guarded() -> None:
    """Whichever character is altered: the seal breaks."""
    marks = SignUpMarks(SECRET, lifetime_s=HOUR_S)
    mark = marks.make(7)
    for n, sign in enumerate(mark[:-1]):  # the last carries two bits that no byte has
        altered = f"{mark[:n]}{'A' if sign != 'A' else 'B'}{mark[n + 1 :]}"
        assert marks.read(altered) is None
