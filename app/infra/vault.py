"""Small secrets at rest: AES-256-GCM under a key that is derived from the installation's secret."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.kit.secret import Secret

NONCE_BYTES = 12
"""96 random bits (NIST SP 800-38D, 8.2.2): safe for 2^32 secrets under one key."""


class Unreadable(Exception):
    """Not sealed by this vault for this place: altered, moved, or under another secret."""


class Vault:
    """Seals bytes to one purpose; what is sealed for one place opens at no other."""

    def __init__(self, secret: Secret, purpose: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=f"sicerdas:{purpose}".encode())
        self._cipher = AESGCM(derived.derive(secret.reveal().encode()))

    def seal(self, plain: bytes, place: str) -> bytes:
        """What may be stored."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed for this place. Raises Unreadable."""
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, place.encode())
        except (InvalidTag, ValueError) as fault:
            raise Unreadable from fault
