"""Uploads: what is taken, what is refused, and what is left of them."""

import io
import struct
import time
import zlib

import pytest
from PIL import Image

from app.infra.images import ImageRefused, Limits, as_webp
from app.infra.images.covers import HEIGHT, PALETTES, STYLES, WIDTH, draw_cover

WIDTHS = (160, 320, 480)
LIMITS = Limits()


def picture(
    kind: str, size: tuple[int, int] = (300, 450), mode: str = "RGB", **how: object
) -> bytes:
    """A plain picture of a kind."""
    packed = io.BytesIO()
    Image.new(mode, size, 1 if mode == "P" else None).save(packed, kind, **how)
    return packed.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than its few bytes hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\x00" * 100_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")],
)
async def test_becomes_webp_in_every_width(kind: str, mode: str) -> None:
    """Three copies with the proportions of the upload."""
    pictures = await as_webp(picture(kind, mode=mode), WIDTHS, LIMITS)
    opened = [Image.open(io.BytesIO(packed), formats=("WEBP",)) for packed in pictures]
    assert [image.size for image in opened] == [(160, 240), (320, 480), (480, 720)]


async def test_nothing_but_pixels_is_kept() -> None:
    """Where a photograph was taken is nobody's business."""
    exif = Image.Exif()
    exif[0x010E] = "SECRET-PLACE"
    exif[0x0112] = 6  # lying on its side
    upload = picture("JPEG", (450, 300), exif=exif, comment=b"SECRET-COMMENT")
    pictures = await as_webp(upload + b"SECRET-TAIL<?php", WIDTHS, LIMITS)
    assert not any(b"SECRET" in packed for packed in pictures)
    image = Image.open(io.BytesIO(pictures[0]))
    assert (image.size, dict(image.getexif())) == ((160, 240), {})


@pytest.mark.parametrize(
    ("upload", "why"),
    [
        (b"", "JPEG, PNG or WebP"),
        (b"GIF89a" + b"\x00" * 100, "JPEG, PNG or WebP"),
        (picture("GIF"), "JPEG, PNG or WebP"),
        (picture("TIFF"), "JPEG, PNG or WebP"),
        (picture("BMP"), "JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG or WebP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "JPEG, PNG or WebP"),
        (png_of(50_000, 50_000), "pixels"),
        (png_of(6_400, 6_400), "pixels"),
        (png_of(6_000, 6_000), "damaged"),
        (picture("JPEG")[:1500], "damaged"),
        (picture("PNG", (30, 30)), "too small"),
        (picture("PNG", (100, 900)), "narrow"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_hostile_is_refused_with_a_reason(upload: bytes, why: str) -> None:
    """Bombs, foreign formats and broken files cost little and are told why."""
    began = time.monotonic()
    with pytest.raises(ImageRefused, match=why):
        await as_webp(upload, WIDTHS, LIMITS)
    assert time.monotonic() - began < 10


async def test_memory_has_an_end() -> None:
    """A picture that needs more than its share is refused; only the child pays."""
    upload = picture("PNG", (5_000, 5_000))
    with pytest.raises(ImageRefused, match=r"costly|many pixels"):
        await as_webp(upload, WIDTHS, Limits(memory_bytes=300 * 1024 * 1024))


async def test_time_has_an_end() -> None:
    """A child that does not finish is killed."""
    with pytest.raises(ImageRefused, match="too long"):
        await as_webp(picture("PNG"), WIDTHS, Limits(wall_s=0.001))


class TestDrawnCovers:
    @pytest.mark.parametrize("topic", [*STYLES, "Something new"])
    def test_is_the_same_on_every_machine(self, topic: str) -> None:
        """A cover is decided by its book alone."""
        first = draw_cover("Title", "Author", topic, "Group", "seed", WIDTHS)
        assert first == draw_cover("Title", "Author", topic, "Group", "seed", WIDTHS)
        image = Image.open(io.BytesIO(first[-1]))
        assert image.size == (WIDTH, HEIGHT)

    @pytest.mark.parametrize(
        ("title", "author"),
        [
            ("A", None),
            ("W" * 60, "X" * 90),
            ("Rechtsschutzversicherungsgesellschaften " * 3, "Ōkura Čapek"),
            ("日本 и мир", "🦉"),
            ("word " * 60, "name " * 40),
        ],
    )
    def test_any_words_fit(self, title: str, author: str | None) -> None:
        """Long, foreign or missing words never stop the loader."""
        assert draw_cover(title, author, "Arts", "Group", title, (160,))

    def test_words_can_be_read(self) -> None:
        """Ink on ground has the contrast of WCAG 2.2 AA in every palette."""
        for name, palette in PALETTES.items():
            assert contrast(palette.ink, palette.ground) >= 4.5, name


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """WCAG 2.2, relative luminance."""

    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
