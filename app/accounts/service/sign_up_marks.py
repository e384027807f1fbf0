"""Which browser signed an account up: a sealed mark that this browser alone keeps in a cookie.

Where addresses are confirmed first there is no session yet that could tell, and the link in the
mail may be followed by somebody whose address a stranger used. Everybody who signs up gets a mark;
for an address that was taken it names an account that will never be.
"""

import base64
import binascii
import struct

from app.infra.vault import Unreadable, Vault
from app.kit.clock import now
from app.kit.secret import Secret

PLACE = "browser"
FORM = struct.Struct(">QQ")
"""The number, and the Unix time at which the mark ends: always as long."""


class SignUpMarks:
    """Makes the marks, and reads them."""

    def __init__(self, secret: Secret, *, lifetime_s: int) -> None:
        self._vault = Vault(secret, "sign-up")
        self._lifetime_s = lifetime_s

    def make(self, user_id: int) -> str:
        """The mark of a browser that has just signed up."""
        plain = FORM.pack(user_id, int(now().timestamp()) + self._lifetime_s)
        return base64.urlsafe_b64encode(self._vault.seal(plain, PLACE)).decode().rstrip("=")

    def read(self, mark: str | None) -> int | None:
        """The account that this browser signed up; None for no mark, an old or an altered one."""
        try:
            sealed = base64.urlsafe_b64decode(f"{mark}=")
            user_id, ends_at = FORM.unpack(self._vault.open(sealed, PLACE))
        except (binascii.Error, ValueError, Unreadable):
            return None
        return user_id if ends_at > now().timestamp() else None
