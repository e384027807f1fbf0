"""Hands an untrusted picture to the limited child and reads the harmless copies back."""

import asyncio
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

CHILD = Path(__file__).with_name("_child.py")
REFUSED = 3
LENGTH_BYTES = 4


class ImageRefused(Exception):
    """The upload is not a picture that we take; the text says why, for the person who sent it."""


class Limits(Struct, frozen=True):
    """What one picture may cost; beyond it the kernel ends the child, never the app."""

    max_pixels: int = 40_000_000
    memory_bytes: int = 768 * 1024 * 1024
    """Address space: libraries take about 200 MiB of it, 40 megapixels in RGBA 160."""
    cpu_s: int = 10
    wall_s: float = 15.0


async def as_webp(data: bytes, widths: Sequence[int], limits: Limits) -> list[bytes]:
    """WebP copies in these widths, made of nothing but the picture's pixels.

    Raises ImageRefused. A child that is still at work when the caller goes away is killed.
    """
    words = [*widths, limits.max_pixels, limits.memory_bytes, limits.cpu_s]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(CHILD),
        *(str(int(word)) for word in words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(limits.wall_s):
            answer, _ = await child.communicate(data)
    except TimeoutError as fault:
        raise ImageRefused("The picture takes too long to decode") from fault
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == REFUSED:
        raise ImageRefused(answer.decode())
    if child.returncode != 0:
        raise ImageRefused("The picture is damaged or too costly to decode")
    return list(_split(answer, len(widths)))


def _split(answer: bytes, count: int) -> list[bytes]:
    pictures = []
    for _ in range(count):
        (length,) = struct.unpack(">I", answer[:LENGTH_BYTES])
        pictures.append(answer[LENGTH_BYTES : LENGTH_BYTES + length])
        answer = answer[LENGTH_BYTES + length :]
    return pictures
