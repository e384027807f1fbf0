"""The parts of second factors that need no server: codes of a clock that we own, and the vault."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from app.infra.totp import STEP_S, matching_step, new_secret, provisioning_uri, qr_svg
from app.infra.vault import Unreadable, Vault
from app.kit.secret import Secret

NOON = datetime(2026, 11, 22, 12, 0, 7, tzinfo=UTC)
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The key of RFC 6238, appendix B, in base32."""


@pytest.mark.parametrize(
    ("at_s", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]
)
def test_codes_of_the_rfc(at_s: int, code: str) -> None:
    """The last six digits of the vectors of RFC 6238, appendix B."""
    at = datetime.fromtimestamp(at_s, UTC)
    assert matching_step(RFC_SECRET, code, at, after=0) == at_s // STEP_S


@pytest.mark.parametrize(
    ("steps", "is_right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_window_is_one_step_either_way(steps: int, is_right: bool) -> None:
    """A phone may be half a minute off, not more."""
    secret = new_secret()
    code = pyotp.TOTP(secret).at(NOON + timedelta(seconds=steps * STEP_S))
    assert (matching_step(secret, code, NOON, after=0) is not None) is is_right


def test_v6_5_1_used_step_and_all_before_it_are_over() -> None:
    """Neither the same code nor an earlier one counts after a code was used."""
    secret = new_secret()
    now = matching_step(secret, pyotp.TOTP(secret).at(NOON), NOON, after=0)
    assert now is not None
    assert matching_step(secret, pyotp.TOTP(secret).at(NOON), NOON, after=now) is None
    before = pyotp.TOTP(secret).at(NOON - timedelta(seconds=STEP_S))
    assert matching_step(secret, before, NOON, after=now) is None
    after = pyotp.TOTP(secret).at(NOON + timedelta(seconds=STEP_S))
    assert matching_step(secret, after, NOON, after=now) == now + 1


def test_blanks_in_a_code_do_not_matter() -> None:
    """Apps show `123 456`."""
    secret = new_secret()
    code = pyotp.TOTP(secret).at(NOON)
    assert matching_step(secret, f" {code[:3]} {code[3:]} ", NOON, after=0) is not None


def test_picture_holds_no_active_content_and_no_style() -> None:
    """The strict policy of the pages has no place for either."""
    picture = qr_svg(provisioning_uri(RFC_SECRET, "ada@example.org"))
    assert "<script" not in picture
    assert "style" not in picture


def test_vault_opens_only_what_it_sealed_for_that_place() -> None:
    """Altered, moved, or under another secret or purpose: it stays shut."""
    vault = Vault(Secret("a" * 32), "totp")
    sealed = vault.seal(b"secret", "1")
    assert vault.open(sealed, "1") == b"secret"
    assert vault.seal(b"secret", "1") != sealed
    for other, what, place in (
        (vault, sealed, "2"),
        (vault, sealed[:-1] + bytes([sealed[-1] ^ 1]), "1"),
        (vault, b"", "1"),
        (Vault(Secret("b" * 32), "totp"), sealed, "1"),
        (Vault(Secret("a" * 32), "other"), sealed, "1"),
    ):
        with pytest.raises(Unreadable):
            other.open(what, place)
