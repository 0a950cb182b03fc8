"""An image is decoded within bounds and measured; anything else is refused in one sentence."""

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.runtime.ai.pictures import BLACK, NAVY, ORANGE, WHITE, bomb, encoded, flat, spot, stripes
from tonetouch_runtime.ai.local import ImageRefused
from tonetouch_runtime.ai.local.picture import COLOUR_NAMES, FORMATS, MAX_BYTES, dominant, measured

SEEDS = {form: encoded(stripes(ORANGE, NAVY, every=7, side=40), form=form) for form in FORMATS}


@pytest.mark.parametrize("form", sorted(SEEDS))
def test_every_format_gives_the_same_measurements(form: str) -> None:
    """The codec may change the numbers a little, never the words."""
    picture = measured(SEEDS[form])
    assert (picture.width, picture.height) == (40, 40)
    assert {name for name, share in picture.colours if share > 0.2} == {"orange", "navy blue"}


@pytest.mark.parametrize("name", sorted(COLOUR_NAMES))
def test_a_colour_goes_by_its_own_name(name: str) -> None:
    """Each anchor is nearest to itself."""
    assert measured(encoded(flat(COLOUR_NAMES[name]))).colours == ((name, 1.0),)


def test_light_contrast_and_detail_are_on_the_scale_of_cie_lightness() -> None:
    """White is 100 and black 0; halves of both spread by 50; finer stripes are busier."""
    assert measured(encoded(flat((255, 255, 255)))).lightness == pytest.approx(100, abs=0.1)
    assert measured(encoded(flat((0, 0, 0)))).lightness == pytest.approx(0, abs=0.1)
    coarse = measured(encoded(stripes((0, 0, 0), (255, 255, 255), every=60)))
    fine = measured(encoded(stripes((0, 0, 0), (255, 255, 255), every=4)))
    assert coarse.contrast == pytest.approx(50, abs=0.5)
    assert fine.detail > 5 * coarse.detail > 0


def test_a_light_middle_and_a_light_top_are_seen() -> None:
    """Where the light is, is measured by area."""
    assert measured(encoded(spot(WHITE, BLACK))).middle_lead > 80
    assert measured(encoded(spot(BLACK, WHITE))).middle_lead < -80
    sky = flat(BLACK)
    sky[:30] = WHITE
    assert measured(encoded(sky)).top_lead > 80


def test_a_photograph_stored_lying_down_is_measured_upright() -> None:
    """EXIF orientation 6 means: turn right to see it; its left edge is the top then."""
    lying = flat(BLACK, width=90, height=30)
    lying[:, :45] = WHITE
    picture = measured(encoded(lying, form="JPEG", exif_orientation=6))
    assert (picture.width, picture.height) == (30, 90)
    assert picture.top_lead > 80


def test_transparent_parts_are_seen_on_white() -> None:
    """As a page shows them."""
    clear = io.BytesIO()
    Image.new("RGBA", (50, 50), (255, 0, 0, 0)).save(clear, "PNG")
    assert measured(clear.getvalue()).colours == (("white", 1.0),)


def test_sixteen_bits_of_grey_are_scaled_not_clipped() -> None:
    """Half of 65535 is a middle grey."""
    deep = io.BytesIO()
    Image.fromarray(np.full((20, 20), 32768, np.uint16)).save(deep, "PNG")
    assert measured(deep.getvalue()).colours == (("grey", 1.0),)


def test_dominant_colours_are_the_large_ones_and_always_one() -> None:
    """A share below the bound counts only when nothing is larger."""
    assert dominant([("red", 0.6), ("blue", 0.3), ("green", 0.1)], at_least=0.2, at_most=3) == ("red", "blue")
    assert dominant([("red", 0.1), ("blue", 0.09)], at_least=0.2, at_most=3) == ("red",)


@pytest.mark.parametrize(("width", "height"), [(5001, 5000), (30_000, 30_000), (2**31 - 1, 2**31 - 1), (6000, 100)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    """Size is read from the header; no memory is taken for the pixels."""
    data = bomb(width, height)
    tracemalloc.start()
    with pytest.raises(ImageRefused):
        measured(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe", SEEDS["PNG"][:60], bytes(MAX_BYTES + 1)],
    ids=["empty", "one byte", "svg", "postscript", "cut", "too long"],
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    """Nothing, noise, formats that run programs, a file cut short and one too long."""
    with pytest.raises(ImageRefused):
        measured(data)


def test_formats_outside_the_list_are_refused() -> None:
    """TIFF could be decoded, but covers are not made of it and every decoder is a door."""
    with pytest.raises(ImageRefused):
        measured(encoded(flat(ORANGE), form="TIFF"))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
    st.floats(0.1, 1),
)
def test_a_damaged_image_is_measured_or_refused(form: str, changes: list[tuple[float, int]], kept: float) -> None:
    """Flipped bytes and a missing end lead to no other error."""
    damaged = bytearray(SEEDS[form])
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    try:
        measured(bytes(damaged[: int(kept * len(damaged))]))
    except ImageRefused as refused:
        assert str(refused)
