"""Ways to paint: each makes a whole picture of a palette and of draws, and of nothing else."""

from collections.abc import Callable, Mapping

import numpy as np

from tonetouch_runtime.ai.local.brushes import (
    Canvas,
    Draws,
    Field,
    Numbers,
    clouds,
    displaced,
    evened,
    hills,
    inside,
    layered,
    lit,
    places,
    screened,
    smooth,
)
from tonetouch_runtime.ai.local.palettes import Colour, Palette

Style = Callable[[Draws, Palette, int], Canvas]


def ridges(draws: Draws, palette: Palette, side: int) -> Canvas:
    """Hills behind hills in the haze, under a low sun."""
    x, y = places(side)
    sun_x, sun_y, radius = draws.between(0.25, 0.75), draws.between(0.22, 0.4), draws.between(0.07, 0.13)
    away = np.sqrt((x - sun_x) ** 2 + (y - sun_y) ** 2)
    canvas = palette.at(np.broadcast_to(0.5 + 0.5 * smooth(y, 0.0, 0.62), (side, side))).astype(np.float32)
    canvas = screened(canvas, _of(palette.accent), 0.55 * np.exp(-((away / (radius * 3.2)) ** 2)))
    canvas = layered(canvas, 0.25 * _of(palette.accent) + 0.75, 0.95 * inside(away - radius, side))
    layers = draws.whole(6, 8)
    for layer in range(layers):
        depth = layer / (layers - 1)
        top = draws.between(-0.03, 0.03) + 0.42 + 0.5 * depth**1.15
        outline = top + hills(draws, side, waves=draws.between(1.6, 2.6) + depth, fall=0.46) * (0.05 + 0.07 * depth)
        below = y - outline[None, :]
        shade = 0.74 * (1 - depth) ** 1.1 + 0.02
        haze = np.clip(shade + 0.2 * (1 - 0.6 * depth) * smooth(below, 0.0, 0.32), 0, 1)
        canvas = layered(canvas, palette.at(haze), inside(-below, side))
    return canvas


def marble(draws: Draws, palette: Palette, side: int) -> Canvas:
    """Ink stirred in water, with the light on its folds."""
    field = clouds(draws, side, cells=draws.whole(2, 3), octaves=5, fall=0.48)
    for strength in (draws.between(0.12, 0.2), draws.between(0.2, 0.34)):
        right, down = (clouds(draws, side, cells=2, octaves=3) - 0.5 for _ in range(2))
        field = displaced(field, strength * right * 2, strength * down * 2)
    bands = evened(field)
    folds = 0.5 + 0.5 * np.cos(2 * np.pi * (bands * draws.whole(2, 4) + draws.between(0, 1)))
    canvas = palette.at(np.clip(0.72 * bands + 0.26 * folds.astype(np.float32), 0, 1)).astype(np.float32)
    vein = np.exp(-(((folds - 0.97) / 0.018) ** 2)).astype(np.float32)
    canvas = screened(canvas, _of(palette.accent), 0.5 * vein * smooth(bands, 0.35, 0.8))
    return np.clip(canvas * (1 + 0.2 * lit(0.6 * bands + 0.1 * folds, strength=0.06)[..., None]), 0, 1)


def orbits(draws: Draws, palette: Palette, side: int) -> Canvas:
    """Arcs and small worlds around a light."""
    x, y = places(side)
    centre_x, centre_y = draws.between(0.3, 0.7), draws.between(0.3, 0.7)
    away = np.sqrt((x - centre_x) ** 2 + (y - centre_y) ** 2)
    angle = np.arctan2(y - centre_y, x - centre_x)
    dust = clouds(draws, side, cells=3)
    canvas = palette.at(0.04 + 0.3 * dust * np.exp(-2.2 * away)).astype(np.float32)
    stars = (draws.field(side, side) > 0.9996).astype(np.float32) * draws.field(side, side).astype(np.float32)
    canvas = screened(canvas, np.ones(3), stars)
    canvas = screened(canvas, _of(palette.accent), 0.7 * np.exp(-((away / 0.17) ** 2)))
    radius = draws.between(0.1, 0.14)
    canvas = layered(canvas, 0.2 * _of(palette.accent) + 0.8, inside(away - radius * 0.55, side))
    inhabited: list[float] = []
    while radius < 1.0:
        width = draws.between(0.002, 0.03) if draws.between(0, 1) < 0.62 else draws.between(0.0012, 0.003)
        start, length = draws.between(-np.pi, np.pi), draws.between(0.6, 6.0)
        ring = inside(np.abs(away - radius) - width / 2, side)
        along = (angle - start) % (2 * np.pi)
        sweep = ring * smooth(along, 0.0, 0.03) * (1 - smooth(along, length - 0.03, length)) if length < 5.5 else ring
        fade = 0.35 + 0.65 * np.clip(along / length, 0, 1)
        colour = palette.at(np.array(draws.between(0.35, 1.0)))
        canvas = layered(canvas, colour, sweep * fade * draws.between(0.55, 0.95))
        if draws.between(0, 1) < 0.4:
            inhabited.append(radius)
        radius += width / 2 + draws.between(0.012, 0.055)
    for orbit in inhabited:
        _world(canvas, draws, palette, (centre_x, centre_y), orbit)
    return canvas


def _world(canvas: Canvas, draws: Draws, palette: Palette, centre: tuple[float, float], orbit: float) -> None:
    """Put a small ball somewhere on an orbit, lit from the middle."""
    side = len(canvas)
    x, y = places(side)
    turn, size = draws.between(-np.pi, np.pi), draws.between(0.008, 0.03)
    lightened = draws.between(0, 1) < 0.6
    at_x, at_y = centre[0] + orbit * np.cos(turn), centre[1] + orbit * np.sin(turn)
    left, top = (int(np.clip((at - 2 * size) * side, 0, side)) for at in (at_x, at_y))
    right, bottom = (int(np.clip((at + 2 * size) * side, 0, side)) for at in (at_x, at_y))
    here = np.s_[top:bottom, left:right]
    x, y = x[:, left:right] - at_x, y[top:bottom] - at_y
    away = np.sqrt(x**2 + y**2)
    lightness = np.clip(0.65 - 0.45 * (x * np.cos(turn) + y * np.sin(turn)) / size, 0, 1)
    body = palette.at(lightness) if lightened else _of(palette.accent) * (0.5 + 0.5 * lightness[..., None])
    canvas[here] = layered(canvas[here], palette.at(np.array(0.02)), inside(away - size * 1.35, side))
    canvas[here] = layered(canvas[here], body, inside(away - size, side))


def tiles(draws: Draws, palette: Palette, side: int) -> Canvas:
    """A board of plain shapes, as a school of design might have printed it."""
    number = draws.whole(4, 6)
    x, y = places(side)
    canvas = np.broadcast_to(palette.at(np.array(0.97)).astype(np.float32), (side, side, 3)).copy()
    inks = [palette.at(np.array(place)) for place in (0.0, 0.25, 0.5, 0.75, 1.0)] + [_of(palette.accent)]
    edges = np.round(np.linspace(0, side, number + 1)).astype(int)
    for row in range(number):
        for column in range(number):
            here = np.s_[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
            ground = draws.whole(0, 5)
            ink = (ground + draws.whole(1, 5)) % 6
            cover = _shape(draws, x[:, here[1]] * number - column, y[here[0]] * number - row, side / number)
            canvas[here] = layered(np.broadcast_to(inks[ground], (*cover.shape, 3)), inks[ink], cover)
    paper = clouds(draws, side, cells=24, octaves=4, fall=0.7)
    return np.asarray(canvas * (0.94 + 0.1 * paper[..., None]), np.float32)


def _shape(draws: Draws, u: Field, v: Field, pixels: float) -> Field:
    """One of seven shapes in a tile, turned some way: how much of each pixel it covers."""
    kind, turn = draws.whole(0, 6), draws.whole(0, 3)
    u, v = ((u, v), (1 - v, u), (1 - u, 1 - v), (v, 1 - u))[turn]
    u, v = np.broadcast_arrays(u, v)
    corner, middle = np.sqrt(u**2 + v**2), np.sqrt((u - 0.5) ** 2 + (v - 0.5) ** 2)
    distance = (
        lambda: corner - 1.0,
        lambda: np.abs(corner - 0.625) - 0.1875,
        lambda: middle - 0.36,
        lambda: np.maximum(corner - 1.0, np.sqrt((u - 1) ** 2 + (v - 1) ** 2) - 1.0),
        lambda: (u + v - 1.0) / np.sqrt(2.0),
        lambda: np.maximum(np.sqrt((u - 0.5) ** 2 + v**2) - 0.5, -v),
        lambda: np.abs((v * 4) % 1.0 - 0.5) / 4 - 0.0625,
    )[kind]()
    return inside(np.asarray(distance, np.float32), round(pixels))


def grooves(draws: Draws, palette: Palette, side: int) -> Canvas:
    """The rings of a record or of a tree, pushed aside by what is underneath."""
    x, y = places(side)
    centre_x, centre_y = draws.between(0.35, 0.65), draws.between(0.35, 0.65)
    away = np.sqrt((x - centre_x) ** 2 + (y - centre_y) ** 2)
    relief = clouds(draws, side, cells=draws.whole(3, 4), octaves=3, fall=0.4)
    number = draws.between(26.0, 38.0)
    height = (away + draws.between(0.16, 0.26) * (relief - 0.5) * smooth(away, 0.02, 0.4)) * number
    down, right = np.gradient(height)
    steep = np.maximum(np.sqrt(down**2 + right**2), 1e-4)
    ring, part = np.floor(height), height % 1.0
    inner, spread = draws.whole(2, 4), draws.whole(5, 9)
    tone = np.clip(0.08 + 0.2 * relief + 0.1 * np.sin(ring / spread), 0, 1)
    canvas = palette.at(np.where(ring < inner, 0.02, tone)).astype(np.float32)
    canvas = screened(canvas, palette.at(np.array(0.6)), 0.35 * np.clip(lit(relief, strength=0.05), 0, 1))
    width = (0.9 + 1.5 * (0.5 + 0.5 * np.sin(ring * 2.4 + draws.between(0, 6)))) * side / 1024
    line = np.clip(0.5 - (np.abs(part - 0.5) / steep - width), 0, 1).astype(np.float32)
    colours = palette.at(np.clip(0.4 + 0.6 * relief + 0.12 * np.sin(ring), 0, 1))
    canvas = layered(canvas, colours, line * (0.95 - 0.25 * smooth(away, 0.3, 0.9)))
    chosen = np.isin(ring, [inner + draws.whole(3, 7), inner + draws.whole(9, 16)])
    canvas = layered(canvas, _of(palette.accent), chosen * np.clip(0.5 - (np.abs(part - 0.5) - 0.36) / steep, 0, 1))
    canvas = layered(canvas, _of(palette.accent), inside(away - 0.6 * inner / number, side))
    return layered(canvas, palette.at(np.array(0.02)), inside(away - 0.12 * inner / number, side))


def bloom(draws: Draws, palette: Palette, side: int) -> Canvas:
    """A flower of light: rings of petals, each seen through the others."""
    x, y = places(side)
    x, y = x - 0.5, y - 0.5
    away, angle = np.sqrt(x**2 + y**2), np.arctan2(y, x)
    canvas = palette.at(np.clip(0.16 - 0.2 * away, 0, 1)).astype(np.float32)
    petals, rings = draws.whole(5, 11), draws.whole(5, 7)
    for ring in range(rings, 0, -1):
        reach = 0.46 * (ring / rings) ** 0.85
        turn = draws.between(0, 2 * np.pi)
        wave = 0.5 + 0.5 * np.cos(petals * angle + turn + draws.between(-3.0, 3.0) * away)
        edge = reach * (0.52 + 0.48 * wave ** draws.between(0.45, 1.1))
        depth = np.clip(away / np.maximum(edge, 1e-3), 0, 1)
        tint = palette.at(np.clip(0.25 + 0.7 * (1 - ring / rings) + 0.25 * (1 - depth), 0, 1))
        cover = inside((away - edge) * 0.55, side)
        rim = np.exp(-(((depth - 0.985) / 0.018) ** 2)) * cover
        shadow = smooth(edge - away, -0.05, 0.0) * (1 - cover)
        canvas = np.asarray(canvas * (1 - 0.28 * shadow[..., None]), np.float32)
        canvas = layered(canvas, tint, cover * (0.35 + 0.45 * depth**2).astype(np.float32))
        canvas = screened(canvas, palette.at(np.array(1.0)), (0.4 * rim).astype(np.float32))
    canvas = screened(canvas, _of(palette.accent), 0.95 * np.exp(-((away / 0.06) ** 2)))
    return layered(canvas, 0.15 * _of(palette.accent) + 0.85, inside(away - 0.022, side))


def silk(draws: Draws, palette: Palette, side: int) -> Canvas:
    """Cloth falling in soft folds."""
    x, y = places(side)
    tilt = draws.between(-0.7, 0.7)
    warp = clouds(draws, side, cells=2, octaves=3, fall=0.3)
    ripple = clouds(draws, side, cells=3, octaves=2, fall=0.3)
    along = x * np.cos(tilt) + y * np.sin(tilt)
    phase = draws.between(3.0, 4.6) * along + draws.between(2.0, 3.0) * warp + 0.5 * ripple
    height = np.asarray(np.abs((phase % 1.0) - 0.5) * 2, np.float32)
    height = smooth(height, -0.35, 1.15) + 0.22 * smooth(np.abs((2.03 * phase + ripple) % 1.0 - 0.5) * 2, -0.2, 1.2)
    light = lit(height, strength=0.05)
    tone = 0.44 + 0.28 * (evened(warp) - 0.5) + 0.3 * light + 0.2 * (height - 0.6)
    canvas = palette.at(np.clip(tone, 0, 1)).astype(np.float32)
    hue = smooth(evened(ripple), 0.55, 1.0)
    canvas = screened(canvas, _of(palette.accent), 0.35 * hue * np.clip(light, 0, 1))
    return screened(canvas, palette.at(np.array(1.0)), 0.35 * smooth(light, 0.55, 1.0))


def _of(colour: Colour) -> Numbers:
    return np.array(colour, np.float32) / np.float32(255.0)


STYLES: Mapping[str, Style] = {
    "ridges": ridges,
    "marble": marble,
    "orbits": orbits,
    "tiles": tiles,
    "grooves": grooves,
    "bloom": bloom,
    "silk": silk,
}
