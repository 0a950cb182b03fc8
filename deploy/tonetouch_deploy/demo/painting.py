"""Paint for covers: colours, soft-edged shapes as masks, gradients, light and grain, all as NumPy arrays.

Coordinates run from 0 to 1, from the upper left; a mask has the shape (SIZE, SIZE) with values 0 to 1, a picture
(SIZE, SIZE, 3) with linear amounts of red, green and blue from 0 to 1.
"""

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating]
Picture = NDArray[np.floating]

SIZE = 800
_PIXEL = 1.0 / SIZE
_AXIS = ((np.arange(SIZE) + 0.5) * _PIXEL).astype(np.float32)
X: Plane = np.broadcast_to(_AXIS[None, :], (SIZE, SIZE))
Y: Plane = np.broadcast_to(_AXIS[:, None], (SIZE, SIZE))


def colour(code: str) -> Plane:
    """A colour from its hexadecimal code, `ff8800` for orange."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def gradient(*stops: tuple[float, str], along: Plane | None = None) -> Picture:
    """A picture whose colour runs through the stops, from top to bottom or along any other plane of values."""
    plane = Y if along is None else along
    at = [place for place, _ in stops]
    channels = np.stack([colour(code) for _, code in stops])
    return np.stack([np.interp(plane, at, channels[:, i]) for i in range(3)], axis=-1).astype(np.float32)


def over(picture: Picture, mask: Plane, paint: Picture | Plane | str) -> Picture:
    """The picture with paint laid over it where the mask says."""
    laid = colour(paint) if isinstance(paint, str) else paint
    return np.asarray(picture + mask[..., None] * (laid - picture), np.float32)


def lit(picture: Picture, mask: Plane, light: str) -> Picture:
    """The picture with light added where the mask says; it can dazzle but not darken."""
    return np.asarray(1 - (1 - picture) * (1 - mask[..., None] * colour(light)), np.float32)


def inside(distance: Plane, softness: float = _PIXEL) -> Plane:
    """A mask from a signed distance: one where it is negative, with an edge as wide as `softness`."""
    return np.asarray(np.clip(0.5 - distance / (softness + _PIXEL), 0, 1))


def from_point(x: float, y: float) -> Plane:
    """Distance from a point."""
    return np.asarray(np.hypot(X - np.float32(x), Y - np.float32(y)))


def disc(x: float, y: float, radius: float, softness: float = _PIXEL) -> Plane:
    """A round mask."""
    return inside(from_point(x, y) - np.float32(radius), softness)


def glow(x: float, y: float, radius: float) -> Plane:
    """Light around a point that falls off like a bell."""
    return np.asarray(np.exp(-((from_point(x, y) / np.float32(radius)) ** 2)))


def line(start: tuple[float, float], end: tuple[float, float], width: float, softness: float = _PIXEL) -> Plane:
    """A stroke with round ends."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((X - x0) * dx + (Y - y0) * dy) / (dx * dx + dy * dy + 1e-12), 0, 1)
    return inside(np.hypot(X - x0 - along * dx, Y - y0 - along * dy) - width / 2, softness)


def polygon(*corners: tuple[float, float]) -> Plane:
    """A convex polygon, its corners clockwise as seen."""
    farthest = np.full((SIZE, SIZE), -9.0, np.float32)
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = np.hypot(x1 - x0, y1 - y0)
        farthest = np.maximum(farthest, ((X - x0) * (y1 - y0) - (Y - y0) * (x1 - x0)) / length)
    return inside(farthest)


def below(heights: Plane, softness: float = _PIXEL) -> Plane:
    """Everything under a curve given as one height per column."""
    return inside(heights[None, :] - Y, softness)


def rolling(rng: np.random.Generator, *, level: float, swing: float, waves: tuple[float, ...]) -> Plane:
    """A gentle curve across the picture: a few sines with chosen lengths and chance beginnings."""
    curve = np.full(SIZE, level, np.float32)
    for number, count in enumerate(waves):
        curve += np.float32(swing / (number + 1)) * np.sin(2 * np.pi * (count * _AXIS + np.float32(rng.random())))
    return curve


def scattered(rng: np.random.Generator, count: int, *, top: float, bottom: float, largest: float) -> Plane:
    """Small soft points, such as stars, between two heights."""
    mask = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(count):
        column, row = int(rng.random() * SIZE), int((top + (bottom - top) * rng.random()) * SIZE)
        radius = 0.0012 + largest * rng.random() ** 3
        reach = int(radius * SIZE * 3) + 2
        rows, columns = slice(max(0, row - reach), row + reach), slice(max(0, column - reach), column + reach)
        away = np.hypot(X[rows, columns] - column * _PIXEL, Y[rows, columns] - row * _PIXEL)
        spot = np.exp(-((away / np.float32(radius)) ** 2)) * (0.4 + 0.6 * rng.random())
        mask[rows, columns] = np.maximum(mask[rows, columns], spot)
    return mask


def with_lamps(
    picture: Picture,
    rng: np.random.Generator,
    count: int,
    hues: tuple[str, ...],
    *,
    within: tuple[float, float],
    radii: tuple[float, float],
    strength: float,
) -> Picture:
    """The picture with lamps out of focus: pale discs of chance size and hue between two heights."""
    picture = picture.copy()
    for _ in range(count):
        x, y, radius = rng.random(), rng.uniform(*within), rng.uniform(*radii)
        around = tuple(slice(max(0, int((at - radius) * SIZE) - 8), int((at + radius) * SIZE) + 8) for at in (y, x))
        disc_here = inside(np.hypot(X[around] - x, Y[around] - y) - radius, 0.008)
        light = disc_here * np.float32(strength * rng.uniform(0.35, 1.0))
        picture[around] = lit(picture[around], light, hues[int(rng.integers(len(hues)))])
    return picture


def finished(picture: Picture, rng: np.random.Generator, *, grain: float = 0.018, vignette: float = 0.28) -> Picture:
    """The last touch: darker corners, and a grain that keeps gradients from showing steps."""
    corners = 1 - np.float32(vignette) * np.clip(from_point(0.5, 0.5) / 0.72, 0, 1) ** 2.5
    noise = rng.normal(0.0, grain, (SIZE, SIZE, 1)).astype(np.float32)
    return np.asarray(np.clip(picture * corners[..., None] + noise, 0, 1))
