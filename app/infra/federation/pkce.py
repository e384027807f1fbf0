"""Proof Key for Code Exchange (RFC 7636): a code is worthless without the verifier behind it."""

import hashlib
from base64 import urlsafe_b64encode


def challenge_of(verifier: str) -> str:
    """What the browser may carry: S256 of the verifier (RFC 7636, 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
