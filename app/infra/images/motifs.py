"""The geometric motifs of drawn covers: one family of shapes for each part of the library.

Every motif fills a square field of SIDE units with flat colours and takes all its chances from the
given generator, so a book's cover is the same on every machine.
"""

import math
from collections.abc import Callable
from random import Random

from msgspec import Struct
from PIL import ImageDraw

Colour = tuple[int, int, int]
Draw = ImageDraw.ImageDraw
SIDE = 1280


class Palette(Struct, frozen=True):
    """The few colours of one cover."""

    ground: Colour
    ink: Colour
    tones: tuple[Colour, ...]


Motif = Callable[[Draw, Random, Palette, int], None]


def disc(draw: Draw, x: float, y: float, radius: float, fill: Colour) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def ring(draw: Draw, x: float, y: float, radius: float, width: int, fill: Colour) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=fill, width=width)


def orbits(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """A bright body and what circles it."""
    x, y = rng.choice([(0.28, 0.62), (0.72, 0.6), (0.5, 0.72), (0.95, 0.9), (0.05, 0.95)])
    cx, cy = x * SIDE, top + y * SIDE
    step = rng.randint(96, 132)
    for n in range(9, 0, -1):
        radius = 150 + n * step
        if cy - radius < top - 40:  # higher up stand the words
            continue
        ring(draw, cx, cy, radius, 7, palette.tones[n % 2])
        if rng.random() < 0.8:  # noqa: PLR2004
            angle = rng.uniform(0, math.tau)
            px, py = cx + radius * math.cos(angle), cy + radius * math.sin(angle)
            disc(draw, px, py, rng.choice([22, 34, 52]), palette.tones[rng.randint(1, 2)])
    disc(draw, cx, cy, 150, palette.tones[2])


def cells(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Round bodies with a kernel, as under a microscope."""
    placed: list[tuple[float, float, float]] = []
    for _ in range(240):
        radius = rng.choice([70, 100, 140, 190, 250])
        x, y = rng.uniform(0, SIDE), top + rng.uniform(140, SIDE)
        if y - radius < top or any(
            math.hypot(x - a, y - b) < radius + r + 16 for a, b, r in placed
        ):
            continue
        placed.append((x, y, radius))
        disc(draw, x, y, radius, palette.tones[rng.randint(0, 1)])
        shift = radius * 0.25
        kx, ky = x + rng.uniform(-shift, shift), y + rng.uniform(-shift, shift)
        disc(draw, kx, ky, radius * 0.42, palette.ground)
        disc(draw, kx, ky, radius * 0.2, palette.tones[2])


def quarters(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """A grid of quarter circles."""
    count = rng.choice([3, 4, 4, 5])
    size = SIDE / count
    for row in range(count):
        for column in range(count):
            x, y = column * size, top + row * size
            colour = palette.tones[rng.randrange(len(palette.tones))]
            corner = rng.randrange(6)
            if corner < 4:  # noqa: PLR2004  # the four corners; the rest stays empty or round
                cx, cy = x + size * (corner % 2), y + size * (corner // 2)
                start = (0, 90, 270, 180)[corner]
                box = (cx - size, cy - size, cx + size, cy + size)
                draw.pieslice(box, start, start + 90, fill=colour)
            elif corner == 4:  # noqa: PLR2004
                disc(draw, x + size / 2, y + size / 2, size / 2, colour)


def triangles(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """A tiling of right-angled triangles."""
    count = rng.choice([4, 5, 6])
    size = SIDE / count
    for row in range(count):
        for column in range(count):
            x, y = column * size, top + row * size
            corners = [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]
            left_out = rng.randrange(4)
            if row + rng.random() * count * 0.6 < count * 0.35:
                continue
            triangle = [c for n, c in enumerate(corners) if n != left_out]
            draw.polygon(triangle, fill=palette.tones[rng.randrange(len(palette.tones))])


def dots(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """A field of dots that a wave makes larger and smaller."""
    count = 14
    size = SIDE / count
    fx, fy = rng.uniform(0.25, 0.6), rng.uniform(0.25, 0.6)
    phase = rng.uniform(0, math.tau)
    for row in range(count + 1):
        for column in range(count):
            wave = math.sin(column * fx + phase) + math.cos(row * fy + phase)
            radius = size * (0.1 + 0.19 * (wave + 2) / 1.6)
            tone = palette.tones[2 if wave > 1.2 else row % 2]  # noqa: PLR2004
            disc(draw, (column + 0.5) * size, top + (row + 0.5) * size, radius, tone)


def pixels(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """A mirrored sprite of squares: no two programs look alike."""
    count = rng.choice([8, 10, 12])
    size = SIDE / count
    for row in range(count):
        for column in range(count // 2):
            if rng.random() < 0.2 + 0.45 * row / count:
                tone = palette.tones[rng.choice([0, 0, 1, 1, 2])]
                for mirrored in (column, count - 1 - column):
                    x, y = mirrored * size, top + row * size
                    draw.rectangle((x + 5, y + 5, x + size - 5, y + size - 5), fill=tone)


def circuits(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Lines that run down, turn and end in a contact."""
    lanes = 11
    size = SIDE / lanes
    for lane in range(lanes):
        x = (lane + 0.5) * size
        tone = palette.tones[rng.randrange(len(palette.tones))]
        turn = top + rng.randint(2, 7) * size
        shift = rng.choice([-1, 0, 0, 1]) * size
        points = [(x, top + SIDE + 20), (x, turn + abs(shift)), (x + shift, turn)]
        end = turn - rng.randint(0, 4) * size * 0.5
        draw.line([*points, (x + shift, end)], fill=tone, width=26, joint="curve")
        disc(draw, x + shift, end, 40, tone)
        disc(draw, x + shift, end, 18, palette.ground)


def strata(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Layers of time, the oldest below."""
    y = float(top + rng.randint(120, 260))
    layer = 0
    while y < top + SIDE + 200:
        height = rng.randint(80, 200)
        frequency, phase = rng.uniform(0.8, 2.2), rng.uniform(0, math.tau)
        lift = rng.randint(20, 75)
        edge = [
            (x, y + lift * math.sin(frequency * math.tau * x / SIDE / 1.4 + phase))
            for x in range(0, SIDE + 20, 20)
        ]
        below = top + SIDE + 400
        tone = palette.tones[layer % len(palette.tones)]
        draw.polygon([*edge, (SIDE, below), (0, below)], fill=tone)
        y += height
        layer += 1


def arches(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Arcades, one within the other."""
    count = rng.choice([1, 2, 3])
    width = SIDE / count
    for column in range(count):
        cx = (column + 0.5) * width
        outer = width / 2 - 14
        lift = top + 120 + (rng.choice([0, 130, 260]) if count > 1 else 60)
        rings = rng.choice([3, 4, 5])
        for n in range(rings):
            radius = outer * (1 - n / rings)
            tone = palette.ground if n % 2 else palette.tones[(column + n // 2) % 3]
            cy = lift + outer
            draw.pieslice((cx - radius, cy - radius, cx + radius, cy + radius), 180, 360, fill=tone)
            draw.rectangle((cx - radius, cy - 1, cx + radius, top + SIDE + 40), fill=tone)


def scripts(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Lines of an unread writing."""
    rows = 9
    height = SIDE / rows
    for row in range(rows):
        x = 96.0
        y = top + (row + 0.62) * height
        while x < SIDE - 130:
            length = rng.choice([46, 46, 110, 180, 260])
            tone = palette.tones[2 if rng.random() < 0.14 else rng.randint(0, 1)]  # noqa: PLR2004
            end = min(x + length, SIDE - 96)
            draw.rounded_rectangle((x, y - 23, end, y + 23), 23, fill=tone)
            x = end + 40


def hills(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """A sun over a far country: every story begins somewhere."""
    sun = rng.randint(130, 230)
    disc(draw, rng.uniform(0.2, 0.8) * SIDE, top + rng.randint(240, 420), sun, palette.tones[2])
    for n in range(4):
        base = top + 480 + n * 200
        peak, phase = rng.randint(90, 230), rng.uniform(0, math.tau)
        frequency = rng.uniform(0.5, 1.3)
        edge = [
            (x, base - peak * math.sin(frequency * math.tau * x / SIDE + phase) * 0.8)
            for x in range(0, SIDE + 16, 16)
        ]
        below = top + SIDE + 400
        draw.polygon([*edge, (SIDE, below), (0, below)], fill=palette.tones[(n + 1) % 2])
        if n < 3:  # noqa: PLR2004  # a lighter seam between the ridges
            draw.line(edge, fill=palette.ground, width=12, joint="curve")


def waves(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Rows of scales, as the sea is drawn on old prints."""
    columns = rng.choice([4, 5, 6])
    radius = SIDE / columns / 2
    row, y = 0, top + radius * rng.uniform(1.0, 2.4)
    while y < top + SIDE + radius:
        offset = radius if row % 2 else 0
        for column in range(-1, columns + 1):
            cx = column * 2 * radius + radius + offset
            for n, part in enumerate((1.0, 0.72, 0.44, 0.18)):
                tone = (palette.tones[row % 2], palette.ground, palette.tones[2], palette.ground)[n]
                disc(draw, cx, y + radius * 0.3, radius * part * 0.98, tone)
        y += radius * 0.62
        row += 1


def labyrinth(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Walls with doors, towards a centre."""
    x, y = rng.choice([(0.5, 0.58), (0.32, 0.7), (0.7, 0.66)])
    cx, cy = x * SIDE, top + y * SIDE
    for n in range(9, 0, -1):
        radius = n * 92
        tone = palette.tones[n % 2]
        ring(draw, cx, cy, radius, 34, tone)
        angle = math.radians(rng.choice([20, 90, 160, 200, 270, 340]))
        gx, gy = cx + (radius - 17) * math.cos(angle), cy + (radius - 17) * math.sin(angle)
        if gy > top + 30:
            disc(draw, gx, gy, 44, palette.ground)
    disc(draw, cx, cy, 40, palette.tones[2])


def bars(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Columns of different height, and what joins them."""
    count = rng.choice([6, 7, 9])
    width = SIDE / count
    height = rng.uniform(0.2, 0.45)
    heads = []
    for n in range(count):
        height = min(0.9, max(0.15, height + rng.uniform(-0.2, 0.26)))
        y = top + SIDE * (1 - height)
        box = (n * width + 12, y, (n + 1) * width - 12, top + SIDE + 60)
        draw.rectangle(box, fill=palette.tones[n % 2])
        heads.append(((n + 0.5) * width, y - 74))
    draw.line(heads, fill=palette.tones[2], width=14, joint="curve")
    for px, py in heads:
        disc(draw, px, py, 32, palette.tones[2])


def collage(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Planes and a circle, composed on a wall."""
    y = float(top + 60)
    while y < top + SIDE:
        height = rng.choice([180, 260, 340])
        x = 0.0
        while x < SIDE:
            width = rng.choice([160, 240, 400, 560])
            tone = rng.choice([palette.ground, *palette.tones])
            draw.rectangle((x, y, x + width - 20, y + height - 20), fill=tone)
            if rng.random() < 0.35 and min(width, height) > 200:  # noqa: PLR2004
                radius = min(width, height) / 2 - 40
                other = rng.choice([t for t in (palette.ground, *palette.tones) if t != tone])
                disc(draw, x + width / 2 - 10, y + height / 2 - 10, radius, other)
            x += width
        y += height


def rays(draw: Draw, rng: Random, palette: Palette, top: int) -> None:
    """Light from a low sun, in petals."""
    cx, cy = SIDE * rng.choice([0.5, 0.5, 0.3, 0.7]), top + SIDE * rng.choice([0.7, 0.95])
    count = rng.choice([16, 20, 24, 32])
    for n in range(count):
        start = 360 * n / count
        box = (cx - 1500, cy - 1500, cx + 1500, cy + 1500)
        if n % 2 == 0:
            draw.pieslice(box, start, start + 360 / count, fill=palette.tones[0])
    draw.rectangle((0, 0, SIDE, top), fill=palette.ground)
    for radius, tone in ((330, palette.ground), (280, palette.tones[1]), (190, palette.ground)):
        disc(draw, cx, cy, radius, tone)
    for n in range(12):
        angle = math.tau * n / 12
        disc(draw, cx + 235 * math.cos(angle), cy + 235 * math.sin(angle), 22, palette.ground)
    disc(draw, cx, cy, 130, palette.tones[2])
