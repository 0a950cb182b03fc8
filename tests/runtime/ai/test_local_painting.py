"""A cover is painted from the hash of what was asked: always the same for the same, never twice the same for others."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tonetouch_runtime.ai.local import TextRefused
from tonetouch_runtime.ai.local.brushes import Draws, clouds, finished, hills, inside, smooth
from tonetouch_runtime.ai.local.painting import MAX_CHARACTERS, SIDE, paint
from tonetouch_runtime.ai.local.palettes import MOODS, PALETTES, fitting
from tonetouch_runtime.ai.local.picture import measured
from tonetouch_runtime.ai.local.styles import STYLES

SMALL = 192


def pixels(image: bytes) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(image)), np.float64)


def test_a_cover_is_a_square_jpeg() -> None:
    """Large enough for every page, small enough to be sent."""
    painted = paint("a slow sad piano piece at night")
    with Image.open(io.BytesIO(painted.image)) as opened:
        assert (opened.format, opened.size, opened.mode) == ("JPEG", (SIDE, SIDE), "RGB")
    assert painted.media_type == "image/jpeg"
    assert 20_000 < len(painted.image) < 1_500_000


def test_the_same_prompt_gives_the_same_picture_in_any_thread() -> None:
    """Bit for bit; case, spaces and invisible characters are not part of it."""
    prompts = ["Night Drive", " night\u200b  DRIVE\n"] * 3
    with ThreadPoolExecutor(4) as threads:
        pictures = list(threads.map(lambda prompt: paint(prompt, side=SMALL), prompts))
    assert all(picture == pictures[0] for picture in pictures)


def test_another_prompt_or_seed_gives_another_picture() -> None:
    """Not only other bytes: other pixels all over."""
    asked = [("night drive", None), ("night drives", None), ("night drive", 1), ("night drive", 2), ("night drive", 0)]
    pictures = [pixels(paint(prompt, seed=seed, side=SMALL).image) for prompt, seed in asked]
    for number, one in enumerate(pictures):
        assert all(np.abs(one - other).mean() > 5 for other in pictures[:number])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(3))
def test_no_style_ever_gives_an_empty_or_a_torn_picture(style: str, seed: int) -> None:
    """Every pixel is a colour; there is contrast, and more than one colour that can be named."""
    canvas = STYLES[style](Draws(seed), PALETTES[4 * seed % len(PALETTES)], SMALL)
    assert canvas.shape == (SMALL, SMALL, 3)
    assert np.isfinite(canvas).all() and canvas.min() > -0.05 and canvas.max() < 1.1
    file = io.BytesIO()
    finished(canvas, Draws(0)).save(file, "PNG")
    picture = measured(file.getvalue())
    assert picture.contrast > 6
    assert len(picture.colours) >= 3 and picture.colours[0][1] < 0.98


def test_every_style_and_palette_has_its_turn() -> None:
    """Over many prompts; none is asked for more than three times its share."""
    painted = [paint(f"track {number}", side=16) for number in range(300)]
    for names, found in ((STYLES, [one.style for one in painted]), (PALETTES, [one.palette for one in painted])):
        counts = [found.count(name) for name in set(found)]
        assert len(counts) == len(names)
        assert max(counts) < 3 * len(painted) / len(names)


def test_words_of_the_prompt_choose_the_colours() -> None:
    """Those that most of its words call for; all of them where it says nothing of colours."""
    assert {palette.name for palette in fitting("Deep OCEAN rain")} == {"tide", "mint", "night"}
    assert [palette.name for palette in fitting("ocean rain by night")] == ["night"]
    assert fitting("xyz") == PALETTES
    assert all(set(names) <= {palette.name for palette in PALETTES} for names in MOODS.values())


@pytest.mark.parametrize(
    "prompt", ["夜に駆ける", "😀", "a\x00b\u202ec", "' OR 1=1; --", "x" * MAX_CHARACTERS, "\ud800a"]
)
def test_any_readable_prompt_is_painted(prompt: str) -> None:
    """In any script, with anything in it."""
    assert paint(prompt, side=32).image


@pytest.mark.parametrize("prompt", ["", " \u200b\x00\n", "x" * (MAX_CHARACTERS + 1)])
def test_an_empty_or_endless_prompt_is_refused(prompt: str) -> None:
    """There is nothing to paint, or more than is read."""
    with pytest.raises(TextRefused):
        paint(prompt)


def test_draws_are_the_same_for_ever() -> None:
    """The first numbers of a seed, as they were on the first day: PCG64 is stable by promise of numpy."""
    draws = Draws(7)
    assert [round(draws.between(0, 1), 6) for _ in range(3)] == [0.625095, 0.897214, 0.775686]
    assert {Draws(seed).whole(2, 4) for seed in range(40)} == {2, 3, 4}
    assert draws.field(3, 4).shape == (3, 4)


def test_noise_is_smooth_and_fills_its_range() -> None:
    """No step between neighbours, nothing outside of what is promised."""
    field = clouds(Draws(1), 128, cells=3, octaves=3)
    assert (float(field.min()), float(field.max())) == (0.0, 1.0)
    assert max(float(np.abs(np.diff(field, axis=axis)).max()) for axis in (0, 1)) < 0.15
    line = hills(Draws(1), 256, waves=3.0)
    assert float(np.abs(line).max()) == pytest.approx(1.0)


def test_edges_are_covered_in_part() -> None:
    """Half a pixel inside is half covered."""
    assert inside(np.array([-1.0, 0.0, 1.0]), 100).tolist() == [1.0, 0.5, 0.0]
    assert smooth(np.array([0.0, 0.5, 1.0]), 0.0, 1.0).tolist() == [0.0, 0.5, 1.0]
