"""Keeps a text in the database that only this installation can read (AES-256-GCM, RFC 5116)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.kit.secret import Secret

KEY_BYTES, NONCE_BYTES = 32, 12


class SealBroken(Exception):
    """The text was altered, or sealed under another SICERDAS_SECRET or for another purpose."""


class Seal:
    """One key for each purpose, derived from the installation's secret (HKDF, RFC 5869)."""

    def __init__(self, secret: Secret, purpose: str) -> None:
        info = f"sicerdas:{purpose}".encode()
        derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info)
        self._cipher = AESGCM(derive.derive(secret.reveal().encode()))

    def close(self, text: bytes) -> bytes:
        """The sealed text; another one each time."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text, None)

    def open(self, sealed: bytes) -> bytes:
        """The text itself. Raises SealBroken."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as fault:
            raise SealBroken from fault
