"""One-time codes of authenticator apps (TOTP, RFC 6238), and the picture that carries a secret."""

import hmac
import io
import re
from datetime import datetime

import pyotp
import segno

STEP_S = 30
DIGITS = 6
SECRET_CHARACTERS = 32
"""160 bits, the length of HMAC-SHA-1's output (RFC 4226, 4)."""
SKEW_STEPS = (0, -1, 1)
"""One step either way for clocks that differ and codes that travel (RFC 6238, 5.2)."""
ISSUER = "sicerdas"
CODE = re.compile(rf"\d{{{DIGITS}}}", re.ASCII)


def new_secret() -> str:
    """A random secret, in base32 as apps take it."""
    return pyotp.random_base32(SECRET_CHARACTERS)


def matching_step(secret: str, code: str, at: datetime, *, after: int) -> int | None:
    """The 30 s step whose code this is; only one later than `after`, so that no code counts twice.

    None for a wrong, old or used code. Apps show blanks inside a code: they do not matter.
    """
    digits = "".join(code.split())
    if CODE.fullmatch(digits) is None:
        return None
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    present = totp.timecode(at)
    for skew in SKEW_STEPS:
        step = present + skew
        if hmac.compare_digest(totp.generate_otp(step), digits) and step > after:
            return step
    return None


def provisioning_uri(secret: str, account: str) -> str:
    """The `otpauth:` address that apps read from a picture."""
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    return totp.provisioning_uri(name=account, issuer_name=ISSUER)


def qr_svg(uri: str) -> str:
    """The picture, dark on white whatever surrounds it, with the quiet zone that readers need."""
    drawn = io.BytesIO()
    picture = segno.make(uri, error="m", micro=False)
    picture.save(
        drawn, kind="svg", xmldecl=False, border=4, dark="#000", light="#fff", omitsize=True
    )
    return drawn.getvalue().decode()
