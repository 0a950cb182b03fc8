"""The covers of the demo album: one small painting for each piece, from its mood and the seed."""

import io
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tonetouch_deploy.demo.painting import (
    SIZE,
    Picture,
    Plane,
    X,
    Y,
    below,
    disc,
    finished,
    from_point,
    glow,
    gradient,
    inside,
    line,
    lit,
    over,
    polygon,
    rolling,
    scattered,
    with_lamps,
)

Painter = Callable[[np.random.Generator], Picture]


def cover_jpeg(name: str, seed: int) -> bytes:
    """The cover `name` (see `PAINTERS`) as a square JPEG; the same name and seed give the same bytes."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    picture = finished(PAINTERS[name](rng), rng)
    kept = io.BytesIO()
    Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).save(kept, "JPEG", quality=88)
    return kept.getvalue()


def rain(rng: np.random.Generator) -> Picture:
    """A wet street at night: rails that run to one warm light, blurred lamps, rain."""
    picture = gradient((0, "0b1224"), (0.45, "22304d"), (0.56, "4a5670"), (0.6, "2a3347"), (1, "0a0f1a"))
    hues = ("f2b263", "8fb4d9", "d98a6a", "c9d6e8")
    picture = with_lamps(picture, rng, 26, hues, within=(0.3, 0.54), radii=(0.012, 0.052), strength=0.32)
    for foot in (0.1, 0.3, 0.7, 0.9):
        picture = lit(picture, line((0.5, 0.58), (foot, 1.05), 0.005, 0.004) * np.float32(0.45) * (Y - 0.4), "ffd9a0")
    reflection = np.exp(-(((X - 0.5) / 0.05) ** 2)) * np.clip((Y - 0.57) * 30, 0, 1) * np.exp(-(Y - 0.57) / 0.22)
    ripple = 0.6 + 0.4 * np.sin(Y * 260 + 3 * np.sin(X * 40))
    picture = lit(picture, reflection * ripple, "f7b765")
    picture = lit(picture, glow(0.5, 0.53, 0.2) * np.float32(0.55), "f0a24f")
    picture = over(picture, polygon((0.455, 0.47), (0.545, 0.47), (0.552, 0.575), (0.448, 0.575)), "1a1c26")
    picture = lit(picture, polygon((0.465, 0.485), (0.535, 0.485), (0.538, 0.525), (0.462, 0.525)), "ffdf9e")
    picture = lit(picture, disc(0.5, 0.553, 0.009, 0.006), "fff3d0")
    return _rained(picture, rng)


def _rained(picture: Picture, rng: np.random.Generator) -> Picture:
    mask = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(420):
        column, row = int(rng.random() * (SIZE - 60)), int(rng.random() * SIZE)
        length, strength = int(20 + 70 * rng.random()), 0.06 + 0.22 * rng.random() ** 2
        steps = np.arange(length)
        rows, columns = np.minimum(row + steps, SIZE - 1), column + steps // 7
        mask[rows, columns] = np.maximum(mask[rows, columns], strength * np.sin(np.pi * steps / length))
    return lit(picture, mask, "cfe0ff")


def sunrise(rng: np.random.Generator) -> Picture:
    """A neon sun behind a grid of light."""
    picture = gradient((0, "1b0b4b"), (0.25, "6a1b8f"), (0.45, "ef3f87"), (0.6, "ffb45c"), (1, "ffb45c"))
    picture = lit(picture, scattered(rng, 120, top=0, bottom=0.3, largest=0.003), "ffffff")
    picture = lit(picture, glow(0.5, 0.5, 0.42) * np.float32(0.5), "ff6f91")
    slits = np.where((Y > 0.4) & (((Y - 0.4) % 0.038) < 0.004 + (Y - 0.4) * 0.085), 0.0, 1.0).astype(np.float32)
    picture = over(
        picture, disc(0.5, 0.47, 0.235) * slits, gradient((0.23, "fff27a"), (0.45, "ff9a4d"), (0.66, "ff2f87"))
    )
    depth = np.clip(Y - 0.615, 1e-4, 1)
    ground = below(np.full(SIZE, 0.615, np.float32))
    picture = over(picture, ground, gradient((0.6, "3d0f6b"), (0.75, "1b0840"), (1, "0b0322")))
    columns = np.abs(((X - 0.5) / depth * 0.9 + 0.5) % 1 - 0.5) * depth / 0.9
    rows = np.abs((0.16 / depth + rng.random()) % 1 - 0.5) * depth**2 / 0.16
    mesh = np.maximum(inside(columns - 0.0011, 0.0015), inside(rows - 0.0011, 0.0015)) * ground
    picture = lit(picture, mesh * np.clip(depth * 12, 0, 1) * np.float32(0.85), "37e6ff")
    return lit(picture, np.exp(-((np.abs(Y - 0.615) / 0.012) ** 2)) * np.float32(0.8), "ffd0f0")


def glitter(rng: np.random.Generator) -> Picture:
    """A mirror ball and its beams."""
    picture = gradient((0, "2a0d45"), (0.5, "6b1456"), (1, "1a0930"))
    angle = np.arctan2(Y - 0.45, X - 0.5)
    beams = sum(
        (
            np.exp(-((np.sin((angle - rng.uniform(0, 2 * np.pi)) / 2) / rng.uniform(0.02, 0.07)) ** 2))
            for _ in range(16)
        ),
        np.zeros((SIZE, SIZE), np.float32),
    )
    away = from_point(0.5, 0.45)
    picture = lit(picture, np.clip(beams, 0, 1) * np.float32(0.5) * np.exp(-away / 0.5), "ff9ad5")
    hues = ("ffd36b", "7be0ff", "ff8fd0")
    picture = with_lamps(picture, rng, 60, hues, within=(0.0, 1.0), radii=(0.006, 0.024), strength=0.35)
    picture = over(picture, line((0.5, -0.02), (0.5, 0.2), 0.006), "d9c7e8")
    picture = _mirror_ball(picture, rng, radius=0.26)
    for x, y, reach in ((0.4, 0.33, 0.11), (0.61, 0.5, 0.08), (0.47, 0.6, 0.06)):
        picture = lit(picture, _sparkle(x, y, reach), "ffffff")
    return picture


def _mirror_ball(picture: Picture, rng: np.random.Generator, *, radius: float) -> Picture:
    across, down = (X - 0.5) / radius, (Y - 0.45) / radius
    front = np.sqrt(np.clip(1 - across**2 - down**2, 1e-4, 1))
    latitude = np.arcsin(np.clip(down, -1, 1)) / np.pi * 22
    longitude = np.arctan2(across, front) / np.pi * 22 * np.clip(np.cos(np.arcsin(np.clip(down, -1, 1))), 0.15, 1)
    row, column = np.floor(latitude).astype(int) % 64, np.floor(longitude).astype(int) % 64
    shine = rng.random((64, 64)).astype(np.float32)[row, column] ** 1.6
    shade = np.clip(0.35 + 0.75 * (-0.45 * across - 0.55 * down + 0.6 * front), 0.08, 1.2)
    gap = np.minimum(np.minimum(latitude % 1, 1 - latitude % 1), np.minimum(longitude % 1, 1 - longitude % 1))
    tiles = gradient(
        (0, "3a2450"),
        (0.35, "a05aa8"),
        (0.7, "f4b6d8"),
        (1, "fffdf5"),
        along=np.clip(shine * 0.65 + shade * 0.4 - 0.1, 0, 1),
    )
    ball = disc(0.5, 0.45, radius)
    picture = over(picture, ball, "2a1838")
    return over(picture, ball * np.clip((gap - 0.04) * 14, 0, 1), tiles * np.clip(shade, 0, 1)[..., None])


def _sparkle(x: float, y: float, reach: float) -> Plane:
    across, down = np.abs(X - x) / reach, np.abs(Y - y) / reach
    star = np.exp(-across * 4) * np.exp(-down * 60) + np.exp(-down * 4) * np.exp(-across * 60)
    return np.asarray(np.clip(star + glow(x, y, reach * 0.16), 0, 1))


def mill(rng: np.random.Generator) -> Picture:
    """A mill wheel in green hills under a pale sun."""
    picture = gradient((0, "f6e7c1"), (0.35, "f4d9a8"), (0.6, "e9c48f"), (1, "e9c48f"))
    picture = over(picture, disc(0.72, 0.25, 0.095), "fdf6e3")
    picture = lit(picture, glow(0.72, 0.25, 0.22) * np.float32(0.45), "fff1c9")
    hills = (("b9c79a", 0.5, 0.05), ("93b083", 0.58, 0.045), ("6d9570", 0.66, 0.035), ("4d7a60", 0.74, 0.025))
    for paint, level, swing in hills:
        picture = over(picture, below(rolling(rng, level=level, swing=swing, waves=(0.8, 1.7))), paint)
    picture = over(picture, polygon((0.1, 0.46), (0.34, 0.46), (0.34, 0.8), (0.1, 0.8)), "f3ead6")
    picture = over(picture, polygon((0.06, 0.475), (0.22, 0.31), (0.38, 0.475)), "b5533c")
    for x in (0.125, 0.195):
        picture = over(picture, polygon((x, 0.55), (x + 0.042, 0.55), (x + 0.042, 0.62), (x, 0.62)), "6b5a4a")
    picture = _wheel(picture, x=0.47, y=0.66, radius=0.19, turned=rng.random())
    bank = rolling(rng, level=0.82, swing=0.008, waves=(1.3, 2.9))
    picture = over(picture, below(bank), gradient((0.8, "8cc0c4"), (1, "3f7f93")))
    for number in range(9):
        crest = rolling(rng, level=0.845 + 0.018 * number, swing=0.004, waves=(2.0 + number * 0.4, 5.0))
        ribbon = np.exp(-(((Y - crest[None, :]) / 0.0022) ** 2)) * np.float32(0.5)
        picture = over(picture, ribbon * (0.5 + 0.5 * np.sin(X * (9 + number) + number * 2)), "eaf6f2")
    return picture


def _wheel(picture: Picture, *, x: float, y: float, radius: float, turned: float) -> Picture:
    ring = from_point(x, y)
    for spoke in range(12):
        angle = (spoke + turned) * np.pi / 6
        tip = (x + radius * 1.13 * np.cos(angle), y + radius * 1.13 * np.sin(angle))
        picture = over(picture, line((x, y), tip, 0.009), "6b4a35")
        paddle = (-np.sin(angle) * 0.034, np.cos(angle) * 0.034)
        picture = over(
            picture,
            line((tip[0] - paddle[0], tip[1] - paddle[1]), (tip[0] + paddle[0], tip[1] + paddle[1]), 0.014),
            "5a3c2b",
        )
    for at, width in ((1.0, 0.011), (0.72, 0.008)):
        picture = over(picture, inside(np.abs(ring - radius * at) - width), "7a543b")
    return over(picture, disc(x, y, 0.03), "4a3022")


def circuit(rng: np.random.Generator) -> Picture:
    """A tunnel of light, seen at speed."""
    away, angle = from_point(0.52, 0.47), np.arctan2(Y - 0.47, X - 0.52)
    picture = gradient((0, "1d2b6b"), (0.2, "0d1440"), (0.75, "05060f"), along=away)
    for ring in range(15):
        radius = 0.035 * 1.235**ring
        start, arc = rng.uniform(-np.pi, np.pi), rng.uniform(0.8, 2.6)
        within = inside((np.abs((angle - start + np.pi) % (2 * np.pi) - np.pi) - arc) * radius, 0.004)
        near = np.abs(away - radius)
        hue = ("24e8ff", "ff2fa8", "7c5cff")[ring % 3]
        picture = lit(picture, within * np.exp(-near / (0.004 + radius * 0.03)) * np.float32(0.55), hue)
        picture = lit(picture, within * inside(near - (0.0012 + radius * 0.007)), hue)
    for hue in ("a8f6ff", "ffb3e4"):
        picture = lit(picture, _streaks(rng, 35, away, angle), hue)
    return lit(picture, glow(0.52, 0.47, 0.05), "f3fbff")


def _streaks(rng: np.random.Generator, count: int, away: Plane, angle: Plane) -> Plane:
    """Thin rays that come towards the viewer, painted as columns in polar coordinates and then bent round."""
    rays, reach = 4096, np.arange(SIZE) / SIZE
    polar = np.zeros((SIZE, rays), np.float32)
    for _ in range(count):
        ray, start = int(rng.integers(2, rays - 2)), rng.uniform(0.06, 0.5)
        stretch = np.clip((reach - start) * 14, 0, 1) * np.clip((start * 2 + 0.05 - reach) * 8, 0, 1)
        beam = np.array([0.2, 0.75, 1.0, 0.75, 0.2]) * rng.uniform(0.25, 0.8)
        polar[:, ray - 2 : ray + 3] = stretch[:, None] * beam
    column = ((angle + np.pi) / (2 * np.pi) * rays).astype(int) % rays
    return np.asarray(polar[np.minimum((away * SIZE).astype(int), SIZE - 1), column])


def tide(rng: np.random.Generator) -> Picture:
    """Still water in many layers, and a low moon."""
    picture = gradient((0, "0e3a4f"), (0.3, "2f7d86"), (0.48, "a9d8c8"), (0.52, "e8efd8"), (1, "e8efd8"))
    picture = lit(picture, glow(0.5, 0.4, 0.3) * np.float32(0.35), "fff4d6")
    picture = over(picture, disc(0.5, 0.39, 0.105, 0.003), "fdf8e6")
    for paint, level in (("5d8d92", 0.5), ("46777f", 0.515)):
        picture = over(picture, below(rolling(rng, level=level, swing=0.014, waves=(1.2, 2.6))) * (Y < 0.56), paint)
    layers = 11
    for number in range(layers):
        share = number / (layers - 1)
        crest = rolling(rng, level=0.535 + 0.43 * share**1.25, swing=0.004 + 0.014 * share, waves=(1.4, 0.6, 2.3))
        shade = gradient((0, "9fd0c6"), (0.4, "3f929b"), (1, "0b2f45"), along=np.full((SIZE, SIZE), share, np.float32))
        edge = np.exp(-(((Y - crest[None, :]) / 0.0025) ** 2)) * np.float32(0.3)
        picture = lit(over(picture, below(crest) * np.float32(0.82), shade), edge, "f4ffe9")
    path = np.exp(-(((X - 0.5) / (0.03 + 0.12 * np.clip(Y - 0.53, 0, 1))) ** 2)) * (Y > 0.535)
    glints = np.clip(np.sin(Y * 210 + 2.5 * np.sin(X * 31)) * 1.6 - 0.5, 0, 1)
    return lit(picture, path * glints * np.float32(0.7), "fff6d8")


def cathedral(rng: np.random.Generator) -> Picture:
    """Pointed arches of iron, one behind the other, and fire at the end."""
    picture = gradient((0, "0a0809"), (0.6, "1c0d0c"), (1, "080606"))
    arches = 9
    for number in range(arches):
        share = number / (arches - 1)
        arch = _pointed(x=0.5, foot=0.98 - 0.27 * share, half=0.47 - 0.4 * share)
        shade = gradient(
            (0, "151012"),
            (0.55, "4a120c"),
            (0.85, "c23a12"),
            (1, "ffb84a"),
            along=np.full((SIZE, SIZE), share, np.float32),
        )
        picture = over(picture, inside(arch), shade * (0.75 + 0.25 * np.clip(1.4 - Y, 0, 1))[..., None])
        picture = lit(picture, np.exp(-np.abs(arch) / 0.004) * np.float32(0.3 + 0.5 * share), "ff6a2a")
    picture = lit(picture, glow(0.5, 0.6, 0.2) * np.float32(0.75), "ff8a3a")
    picture = lit(picture, glow(0.5, 0.6, 0.045), "fff0c0")
    floor = np.exp(-(((X - 0.5) / (0.02 + 0.35 * np.clip(Y - 0.7, 0, 1))) ** 2)) * np.clip((Y - 0.71) * 20, 0, 1)
    picture = lit(picture, floor * np.exp(-(Y - 0.71) / 0.16) * np.float32(0.7), "e2521c")
    return lit(picture, scattered(rng, 160, top=0.1, bottom=0.98, largest=0.004) * glow(0.5, 0.6, 0.42), "ffb26b")


def _pointed(*, x: float, foot: float, half: float) -> Plane:
    """Signed distance to a Gothic arch: two circles that meet in a point, on straight sides."""
    spring = foot - half * 0.95
    left, right = from_point(x - half * 0.6, spring) - half * 1.6, from_point(x + half * 0.6, spring) - half * 1.6
    head = np.maximum(left, right)
    sides = np.abs(X - x) - half
    return np.asarray(np.maximum(np.where(spring > Y, head, sides), Y - foot))


def boat(rng: np.random.Generator) -> Picture:
    """A paper boat under a crescent moon, on the sea of sleep."""
    picture = gradient((0, "141b4d"), (0.4, "2f3b86"), (0.7, "7a74b8"), (1, "d9b8cf"))
    picture = lit(picture, scattered(rng, 190, top=0, bottom=0.6, largest=0.0035), "fff7de")
    picture = lit(picture, glow(0.7, 0.24, 0.22) * np.float32(0.4), "ffe9b8")
    crescent = np.clip(disc(0.7, 0.24, 0.1) - disc(0.655, 0.22, 0.092), 0, 1)
    picture = over(picture, crescent, "fff0c4")
    back = (("6a6cb4", 0.66), ("5560ab", 0.7))
    for paint, level in back:
        picture = over(picture, below(rolling(rng, level=level, swing=0.014, waves=(2.0, 3.4))), paint)
    picture = _paper_boat(picture, x=0.42, y=0.7)
    for paint, level, swing in (
        ("4552a0", 0.745, 0.013),
        ("364390", 0.8, 0.015),
        ("28357c", 0.86, 0.017),
        ("1b2663", 0.925, 0.018),
    ):
        crest = rolling(rng, level=level, swing=swing, waves=(2.0, 3.0))
        picture = over(picture, below(crest), paint)
        picture = lit(picture, np.exp(-(((Y - crest[None, :]) / 0.002) ** 2)) * np.float32(0.35), "c9d2ff")
    return picture


def _paper_boat(picture: Picture, *, x: float, y: float) -> Picture:
    picture = over(picture, polygon((x - 0.085, y - 0.055), (x, y - 0.235), (x, y - 0.02)), "fff7ea")
    picture = over(picture, polygon((x, y - 0.235), (x + 0.085, y - 0.055), (x, y - 0.02)), "e6d5d2")
    picture = over(
        picture, polygon((x - 0.19, y - 0.075), (x, y - 0.02), (x, y + 0.07), (x - 0.12, y + 0.07)), "fffdf5"
    )
    return over(picture, polygon((x, y - 0.02), (x + 0.19, y - 0.075), (x + 0.12, y + 0.07), (x, y + 0.07)), "f0ded6")


PAINTERS: dict[str, Painter] = {
    painter.__name__: painter for painter in (rain, sunrise, glitter, mill, circuit, tide, cathedral, boat)
}
