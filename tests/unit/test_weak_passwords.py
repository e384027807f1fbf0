"""Passwords that are guessed first are refused, whatever their case."""

import pytest

from app.infra.weak_passwords import WeakPasswords

OWN = ("ada.lovelace@example.org", "ada.lovelace", "Ada Lovelace")


@pytest.fixture(scope="module")
def weak() -> WeakPasswords:
    """The list as shipped."""
    return WeakPasswords()


def test_v6_2_4_the_list_is_long_enough(weak: WeakPasswords) -> None:
    """At least the 3 000 most common ones that the length would allow."""
    assert len(weak) >= 3000


@pytest.mark.parametrize(
    "password",
    ["password", "PassWord1", "12345678", "qwertyuiop", "trustno1", "iloveyou", "ＰＡＳＳＷＯＲＤ"],  # noqa: RUF001
)
def test_v6_2_4_common_ones_are_refused(weak: WeakPasswords, password: str) -> None:
    """In any case, and in letters that only look different."""
    assert weak.refuses(password, ())


@pytest.mark.parametrize(
    "password",
    ["Ada.Lovelace@Example.org", "ada.lovelace", "adalovelace", "ada lovelace", "AdaLovelace1815!"],
)
def test_v6_2_11_ones_own_words_are_refused(weak: WeakPasswords, password: str) -> None:
    """One's address and name, also with a year behind them."""
    assert weak.refuses(password, OWN)


@pytest.mark.parametrize(
    "password",
    ["correct-horse-battery", "sicerdas-demo", "Lovelace wrote loops", "        "],
)
def test_others_are_accepted(weak: WeakPasswords, password: str) -> None:
    """A sentence may hold one's name; an account without a name has no empty one."""
    assert not weak.refuses(password, (*OWN, ""))
