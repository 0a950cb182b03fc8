"""What pictures are painted with: draws that repeat, smooth noise, edges without steps, layers, light and grain.

A canvas has the shape (side, side, 3), with sRGB between 0 and 1; places run from 0 to 1, x to the right, y downwards.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Canvas = NDArray[np.float32]
Field = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]


class Draws:
    """Random numbers from a seed; only what numpy promises to keep the same in every version is used of it."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def field(self, *shape: int) -> NDArray[np.float64]:
        """Numbers between 0 and 1."""
        raw = self._bits.random_raw(int(np.prod(shape)))
        return np.asarray((raw >> np.uint64(11)) * 2.0**-53, np.float64).reshape(shape)

    def between(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * float(self.field(1)[0])

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both among them."""
        return low + int(self.field(1)[0] * (high - low + 1))


def places(side: int) -> tuple[Field, Field]:
    """x of shape (1, side) and y of shape (side, 1), of the middles of the pixels."""
    line = ((np.arange(side) + 0.5) / side).astype(np.float32)
    return line[None, :], line[:, None]


def smooth(field: Numbers, low: float, high: float) -> Field:
    """0 up to `low`, 1 from `high` on, a smooth step between."""
    step = np.clip((field - low) / (high - low), 0.0, 1.0)
    return np.asarray(step * step * (3.0 - 2.0 * step), np.float32)


def inside(distance: Numbers, side: int) -> Field:
    """How much of a pixel lies inside a shape, from the signed distance to its edge (below zero: inside)."""
    return np.asarray(np.clip(0.5 - distance * side, 0.0, 1.0), np.float32)


def layered(canvas: Canvas, colour: Numbers, cover: Numbers) -> Canvas:
    """`colour` laid over the canvas where `cover` is 1."""
    return np.asarray(canvas + (colour - canvas) * cover[..., None], np.float32)


def screened(canvas: Canvas, colour: Numbers, cover: Numbers) -> Canvas:
    """Light of a colour added to the canvas; it never gets lighter than white."""
    return np.asarray(1.0 - (1.0 - canvas) * (1.0 - colour * cover[..., None]), np.float32)


def clouds(draws: Draws, side: int, *, cells: int, octaves: int = 5, fall: float = 0.5) -> Field:
    """Smooth noise between 0 and 1, shape (side, side): cubic between random points, each octave twice as fine."""
    total, most = np.zeros((side, side), np.float32), 0.0
    for octave in range(octaves):
        points = min(cells * 2**octave + 3, side)
        grid = Image.fromarray(draws.field(points, points).astype(np.float32))
        edge = points / (cells * 2**octave + 3)
        fine = grid.resize((side, side), Image.Resampling.BICUBIC, box=(edge, edge, points - edge, points - edge))
        total += np.asarray(fine) * fall**octave
        most += fall**octave
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-6), np.float32)


def hills(draws: Draws, side: int, *, waves: float, octaves: int = 6, fall: float = 0.5) -> Field:
    """The same in one dimension, between -1 and 1, shape (side,)."""
    x = (np.arange(side) + 0.5) / side
    total = np.zeros(side)
    for octave in range(octaves):
        points = draws.field(int(waves * 2**octave) + 4)
        place = x * waves * 2**octave + 1
        left = place.astype(int)
        part = place - left
        part = part * part * (3 - 2 * part)
        total += (points[left] * (1 - part) + points[left + 1] * part - 0.5) * fall**octave
    return np.asarray(total / max(float(np.abs(total).max()), 1e-6), np.float32)


def displaced(field: Field, right: Field, down: Field) -> Field:
    """The field seen through bent glass: each pixel taken from so far (in sides) to the right and down; it repeats."""
    side = len(field)
    row, column = np.mgrid[0:side, 0:side].astype(np.float32)
    column = column + right * side
    row = row + down * side
    left, top = np.floor(column), np.floor(row)
    part_x, part_y = column - left, row - top
    # Mirrored at the edges, so that no seam shows.
    x0, x1 = (_mirrored(left.astype(np.int64) + at, side) for at in (0, 1))
    y0, y1 = (_mirrored(top.astype(np.int64) + at, side) for at in (0, 1))
    upper = field[y0, x0] * (1 - part_x) + field[y0, x1] * part_x
    lower = field[y1, x0] * (1 - part_x) + field[y1, x1] * part_x
    return np.asarray(upper * (1 - part_y) + lower * part_y, np.float32)


def evened(field: Field) -> Field:
    """The same order of values with every value equally frequent (histogram equalisation)."""
    counts = np.histogram(field, bins=512, range=(0.0, 1.0))[0].cumsum()
    return np.asarray(np.interp(field, np.linspace(0, 1, 512), counts / counts[-1]), np.float32)


def lit(height: Field, *, strength: float) -> Field:
    """Light from the upper left on a relief, shape (side, side): 0 is neither light nor shade."""
    down, right = np.gradient(height)
    return np.asarray(np.tanh((down + right) * -strength * len(height)), np.float32)


def finished(canvas: Canvas, draws: Draws, *, grain: float = 0.035, vignette: float = 0.22) -> Image.Image:
    """The canvas as a picture: a little darker towards its corners, with the grain of paper or film."""
    side = len(canvas)
    x, y = places(side)
    corners = smooth(np.sqrt((x - 0.5) ** 2 + (y - 0.5) ** 2), 0.35, 0.85) * vignette
    noise = draws.field(side, side) + draws.field(side, side) - 1.0
    shaded = canvas * (1.0 - corners[..., None]) + (noise * grain)[..., None].astype(np.float32)
    return Image.fromarray(np.round(np.clip(shaded, 0.0, 1.0) * 255.0).astype(np.uint8))


def _mirrored(index: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    index = index % (2 * side)
    return np.asarray(np.where(index < side, index, 2 * side - 1 - index), np.int64)
