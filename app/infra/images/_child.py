"""The limited child: one untrusted picture on standard input, WebP pictures on standard output.

Run as a file, in isolated mode, with: widths, pixel limit, memory and processor limits. It answers
with length-prefixed pictures and exit code 0, or with one line that says why not and code 3.
"""

import io
import resource
import struct
import sys
import warnings
from typing import NoReturn

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP")
REFUSED = 3
MIN_SIDE = 64
MAX_RATIO = 3.0
QUALITY = 82


def limit(memory_bytes: int, cpu_s: int) -> None:
    """From here on the kernel ends what takes more, and no file can be written."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def refuse(reason: str) -> NoReturn:
    """Say why and leave."""
    sys.stdout.buffer.write(reason.encode())
    sys.stdout.buffer.flush()
    sys.exit(REFUSED)


def main() -> None:
    """Read, check, re-encode, write."""
    *widths, max_pixels, memory_bytes, cpu_s = (int(word) for word in sys.argv[1:])
    Image.preinit()
    limit(memory_bytes, cpu_s)
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # our own limit follows, before anything is decoded
    try:
        image = Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=FORMATS)
    except MemoryError:
        refuse("The picture has too many pixels")
    except Exception:  # noqa: BLE001  # whatever a decoder raises, it is not one of ours
        refuse("Send a JPEG, PNG or WebP picture")
    width, height = image.size
    if width * height > max_pixels:
        refuse(f"The picture has {width} x {height} pixels; at most {max_pixels} are accepted")
    if min(width, height) < MIN_SIDE:
        refuse(f"The picture is too small: both sides need at least {MIN_SIDE} pixels")
    if max(width, height) > MAX_RATIO * min(width, height):
        refuse("The picture is too narrow for a cover")
    try:
        image.draft("RGB", (2 * max(widths), 2 * max(widths)))
        upright = ImageOps.exif_transpose(image).convert("RGBA")
        flat = Image.new("RGB", upright.size, "white")
        flat.paste(upright, mask=upright)
        answer = b""
        for target in widths:
            size = (target, max(1, round(flat.height * target / flat.width)))
            packed = io.BytesIO()
            flat.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0).save(
                packed, "WEBP", quality=QUALITY, method=4
            )
            answer += struct.pack(">I", packed.tell()) + packed.getvalue()
    except Exception:  # noqa: BLE001  # truncated, damaged or too costly to decode
        refuse("The picture is damaged or too costly to decode")
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
