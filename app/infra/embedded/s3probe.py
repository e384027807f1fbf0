"""One signed S3 request with the standard library: enough to see whether storage accepts a PUT."""

import datetime as dt
import hashlib
import hmac
import http.client
from dataclasses import dataclass

REGION = "us-east-1"
UNSIGNED = "UNSIGNED-PAYLOAD"
TIMEOUT_S = 3.0


@dataclass(frozen=True)
class S3Keys:
    """An access key and its secret."""

    access: str
    secret: str


def signed_headers(method: str, host: str, path: str, keys: S3Keys, at: str) -> dict[str, str]:
    """The headers of AWS signature version 4 for a request without a query."""
    headers = {"host": host, "x-amz-content-sha256": UNSIGNED, "x-amz-date": at}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{UNSIGNED}"
    scope = f"{at[:8]}/{REGION}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"Credential={keys.access}/{scope}"
    value = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": value}


def put(host: str, port: int, path: str, keys: S3Keys, body: bytes = b"") -> int:
    """Send one PUT; the status, or 0 when nobody answers."""
    # The protocol wants the wall clock; this is no fact of the product, so not kit.clock.
    at = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        headers = signed_headers("PUT", f"{host}:{port}", path, keys, at)
        connection.request("PUT", path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
