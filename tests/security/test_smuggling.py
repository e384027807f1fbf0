"""Where one request ends and the next begins is never a matter of opinion (ASVS 5.0, 4.2.1)."""

import asyncio

import pytest

from tests.support.house import Served

SMUGGLED = b"GET /api/v1/info HTTP/1.1\r\nhost: x\r\n\r\n"
HEADS = {
    "both lengths": b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
    "both lengths the other way": b"transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    "two lengths": b"content-length: 0\r\ncontent-length: 38\r\n",
    "a length with a sign": b"content-length: +0\r\n",
    "a length in hex": b"content-length: 0x0\r\n",
    "unknown coding": b"transfer-encoding: xchunked\r\n",
    "coding with a space": b"transfer-encoding : chunked\r\n",
    "chunked is not last": b"transfer-encoding: chunked, identity\r\n",
    "bare line feed": b"transfer-encoding: chunked\n",
}
WITHIN_S = 5


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
async def test_v4_2_1_ambiguous_lengths_are_refused(served: Served, head: bytes) -> None:
    """Such a request is refused and its connection closed: what stands behind it is never run."""
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    start = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: " + host.encode() + b"\r\n"
    writer.write(start + head + b"\r\n0\r\n\r\n" + SMUGGLED)
    try:
        async with asyncio.timeout(WITHIN_S):
            said = await reader.read()
    except TimeoutError:
        said = b""
    finally:
        writer.close()
    assert b'"sicerdas"' not in said, said
    assert said.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in said
