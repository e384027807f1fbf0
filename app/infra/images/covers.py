"""Covers for books that have none: one series, drawn from a title, an author and a topic."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from random import Random

from PIL import Image, ImageDraw, ImageFont

from app.infra.images import motifs
from app.infra.images.motifs import SIDE, Colour, Motif, Palette

WIDTH, HEIGHT = 480, 720
SCALE = SIDE / WIDTH
FIELD_HEIGHT = round(HEIGHT * SCALE)
FIELD_TOP = FIELD_HEIGHT - SIDE
MARGIN = 39
LABEL_TOP, TEXT_TOP, GAP = 39, 68, 10
LINE_HEIGHT = 1.12
TITLE_SIZES = (57, 50, 44, 38, 33, 29, 25)
MAX_TITLE_LINES, MAX_AUTHOR_LINES = 4, 2
AUTHOR_SIZE, LABEL_SIZE = 23, 14
QUALITY = 80
EFFORT = 0
"""libwebp's `method`: flat colours gain little from more of it, and hundreds are drawn at once."""


def _colour(code: str) -> Colour:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def _palette(ground: str, ink: str, *tones: str) -> Palette:
    return Palette(_colour(ground), _colour(ink), tuple(_colour(tone) for tone in tones))


PALETTES = {
    "teal": _palette("0f3d3e", "f4ead6", "1d5f5d", "2f8079", "f2a65a"),
    "night": _palette("1b2440", "f3ecdc", "2d3b66", "46598f", "f0b95b"),
    "moss": _palette("2f4430", "f5efdd", "47633f", "6c8a52", "e9c46a"),
    "clay": _palette("8c3b2a", "fbeedb", "a9523a", "c77350", "f4d8a8"),
    "sand": _palette("ecdcbb", "33261a", "d9bf8c", "c39b5f", "a2432f"),
    "paper": _palette("f4ecdd", "2a2926", "ddcfb5", "8fa3a0", "c8553d"),
    "plum": _palette("452339", "f7e9dd", "66344f", "8c4b66", "eeb462"),
    "sky": _palette("cfe0e3", "1f3440", "a3c4ca", "5f93a0", "d9673f"),
    "rose": _palette("f0d3c4", "43222a", "dfab97", "b76a5f", "4c2a3d"),
    "slate": _palette("30363d", "f1ede3", "4a535c", "6f7b84", "e07a5f"),
    "mustard": _palette("d9a440", "2b2118", "c18a2c", "efc878", "8f3b22"),
    "sage": _palette("c9d3ba", "26332a", "a5b78f", "70896a", "b8532f"),
    "ocean": _palette("12455a", "f3efe2", "1f6079", "3c8499", "f3c677"),
    "ember": _palette("b5482f", "fdf1df", "cb6546", "963723", "f8d49a"),
}
Style = tuple[tuple[Motif, ...], tuple[str, ...]]
STYLES: dict[str, Style] = {
    "Science": ((motifs.orbits, motifs.cells, motifs.dots), ("teal", "night", "sky", "moss")),
    "Mathematics": (
        (motifs.quarters, motifs.triangles, motifs.dots),
        ("paper", "ocean", "mustard"),
    ),
    "Computing": ((motifs.pixels, motifs.circuits), ("slate", "night", "sage")),
    "History": ((motifs.strata, motifs.arches), ("sand", "clay", "moss")),
    "Language": ((motifs.scripts,), ("paper", "rose", "ocean", "plum")),
    "Literature": ((motifs.hills, motifs.waves), ("plum", "ember", "sky", "night", "rose", "sage")),
    "Philosophy": ((motifs.labyrinth, motifs.arches), ("slate", "sand", "plum", "teal")),
    "Economics & Society": ((motifs.bars, motifs.dots), ("ocean", "mustard", "sage")),
    "Arts": ((motifs.collage, motifs.quarters), ("paper", "rose", "ember", "sky")),
    "Religion & Myth": ((motifs.rays, motifs.waves), ("clay", "night", "mustard", "plum")),
}
OTHER: Style = ((motifs.quarters, motifs.hills, motifs.dots), ("teal", "paper", "clay", "night"))


def draw_cover(
    title: str, author: str | None, topic: str, label: str, seed: str, widths: Sequence[int]
) -> list[bytes]:
    """WebP pictures in these widths. `seed` decides all that is left to chance."""
    digest = hashlib.sha256(seed.encode()).digest()
    rng = Random(int.from_bytes(digest[:8]))  # noqa: S311  # pictures, not secrets
    shapes, names = STYLES.get(topic, OTHER)
    palette = PALETTES[rng.choice(names)]
    cover = _field(rng.choice(shapes), rng, palette)
    _letter(cover, title, author or "", label, palette)
    return [_packed(cover, width) for width in widths]


def _field(motif: Motif, rng: Random, palette: Palette) -> Image.Image:
    """The ground and the motif below, drawn larger so that edges come out smooth."""
    large = Image.new("RGB", (SIDE, FIELD_HEIGHT), palette.ground)
    motif(ImageDraw.Draw(large), rng, palette, FIELD_TOP)
    return large.resize((WIDTH, HEIGHT), Image.Resampling.BOX)


def _letter(cover: Image.Image, title: str, author: str, label: str, palette: Palette) -> None:
    draw = ImageDraw.Draw(cover)
    _spaced(draw, label.upper(), (MARGIN, LABEL_TOP), palette.tones[2])
    authors = _wrapped(author, "400-italic", AUTHOR_SIZE)[:MAX_AUTHOR_LINES]
    author_height = round(len(authors) * AUTHOR_SIZE * LINE_HEIGHT) + GAP
    lines, size = _fitted(title, FIELD_TOP / SCALE - TEXT_TOP - author_height - GAP)
    y = TEXT_TOP
    for line in lines:
        _write(draw, (MARGIN, y), line, "600-normal", size, palette.ink)
        y += round(size * LINE_HEIGHT)
    y += GAP
    for line in authors:
        _write(draw, (MARGIN, y), line, "400-italic", AUTHOR_SIZE, palette.ink)
        y += round(AUTHOR_SIZE * LINE_HEIGHT)


def _fitted(title: str, room: float) -> tuple[list[str], int]:
    """The largest size in which the title takes few lines and no word sticks out."""
    lines: list[str] = []
    size = TITLE_SIZES[0]
    for size in TITLE_SIZES:
        lines = _wrapped(title, "600-normal", size)
        tall = len(lines) * size * LINE_HEIGHT
        widest = max(_length(line, "600-normal", size) for line in lines)
        if len(lines) <= MAX_TITLE_LINES and tall <= room and widest <= WIDTH - 2 * MARGIN:
            return lines, size
    kept = lines[: MAX_TITLE_LINES + 1]
    if len(kept) < len(lines):
        kept[-1] = kept[-1].rstrip(" ,:;") + "…"
    return kept, size


def _wrapped(text: str, face: str, size: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _length(longer, face, size) > WIDTH - 2 * MARGIN:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, face: str, size: int, ink: Colour
) -> None:
    x, y = at
    for run, font in _runs(text, face, size):
        draw.text((x, y + size), run, font=font, fill=ink, anchor="ls")
        x += font.getlength(run)


def _spaced(draw: ImageDraw.ImageDraw, text: str, at: tuple[float, float], ink: Colour) -> None:
    x, y = at
    for letter in text:
        for run, font in _runs(letter, "600-normal", LABEL_SIZE):
            draw.text((x, y + LABEL_SIZE), run, font=font, fill=ink, anchor="ls")
            x += font.getlength(run) + LABEL_SIZE * 0.14


def _length(text: str, face: str, size: int) -> float:
    return sum(font.getlength(run) for run, font in _runs(text, face, size))


def _runs(text: str, face: str, size: int) -> Iterator[tuple[str, ImageFont.FreeTypeFont]]:
    """Stretches of text with the subset of the font that has their letters."""
    run, subset = "", "latin"
    for letter in text:
        wanted = "latin" if _is_basic(letter) else "latin-ext"
        if wanted != subset and run:
            yield run, _font(subset, face, size)
            run = ""
        subset = wanted
        run += letter
    if run:
        yield run, _font(subset, face, size)


def _is_basic(letter: str) -> bool:
    return ord(letter) < 0x100 or letter in "–—‘’“”…•œŒ€"  # noqa: RUF001, PLR2004


@cache
def _font(subset: str, face: str, size: int) -> ImageFont.FreeTypeFont:
    data = files(__package__).joinpath(f"fonts/source-serif-4-{subset}-{face}.woff").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)


def _packed(cover: Image.Image, width: int) -> bytes:
    size = (width, round(HEIGHT * width / WIDTH))
    picture = cover if width == WIDTH else cover.resize(size, Image.Resampling.BOX)
    packed = io.BytesIO()
    picture.save(packed, "WEBP", quality=QUALITY, method=EFFORT)
    return packed.getvalue()
