"""Alt text says what was measured and what is known, and nothing about what the image might show."""

import numpy as np
import pytest

from tests.runtime.ai.pictures import BLACK, NAVY, ORANGE, WHITE, encoded, flat, spot, stripes
from tonetouch_runtime.ai.local import ImageRefused, Written, check
from tonetouch_runtime.ai.local.describing import describe_image

KNOWN = {"title": "Night Walk", "by": "Ana Lima"}


def describe(image: bytes, **facts: str) -> Written:
    return describe_image(image, facts, count_tokens=lambda text: len(text.split()))


def test_a_flat_cover_is_described_in_two_sentences() -> None:
    """Title and maker as given, then shape, light and colour as measured."""
    assert describe(encoded(flat(NAVY)), **KNOWN).text == (
        "“Night Walk” by Ana Lima. A very dark square image, mostly navy blue, plain and of little contrast."
    )


def test_colours_side_by_side_are_listed() -> None:
    """No colour is called the main one when none covers half of the image."""
    text = describe(encoded(stripes(ORANGE, NAVY, every=20))).text
    assert text == "A mid-toned square image in orange and navy blue, simple and of strong contrast."


def test_an_accent_is_named_after_its_ground() -> None:
    """One ninth is too little to be named, a light spot is still seen."""
    text = describe(encoded(spot(WHITE, NAVY))).text
    assert text.startswith("A dark square image, mostly navy blue, plain and of strong contrast.")
    assert text.endswith("It is lightest in the middle.")
    banner = flat(BLACK, width=100, height=40)
    banner[:, :30] = ORANGE
    assert "wide image, mostly black with orange," in describe(encoded(banner)).text


def test_noise_is_busy_and_a_gradient_is_not() -> None:
    """The word for detail follows the steps between neighbours."""
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    ramp = np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[:, None, None], 128, axis=1).repeat(3, axis=2)
    assert " busy and " in describe(encoded(noise)).text
    assert " plain and " in describe(encoded(ramp)).text


def test_every_word_leads_to_a_fact() -> None:
    """Given facts keep their key as id, measured ones say so, and the text stands on both."""
    result = describe(encoded(flat(NAVY)), **KNOWN, unused="Somebody Else")
    assert result.sentences[0].fact_ids == ("title", "by")
    assert all(fact_id.startswith("measured.") for fact_id in result.sentences[1].fact_ids)
    assert check(result.sentences, result.facts) == (result.sentences, ())
    assert "Somebody" not in result.text
    assert result.model == "measured-picture@1"
    assert result.prompt_tokens > result.completion_tokens - 12 > 0


@pytest.mark.parametrize(
    ("facts", "beginning"),
    [
        ({"title": "Night Walk"}, "“Night Walk”. A"),
        ({"by": "Ana Lima"}, "By Ana Lima. A"),
        ({}, "A very dark"),
        ({"title": " \u202e "}, "A very dark"),
    ],
)
def test_unknown_facts_are_left_out(facts: dict[str, str], beginning: str) -> None:
    """A missing or empty fact leaves no hole in the text."""
    assert describe(encoded(flat(NAVY)), **facts).text.startswith(beginning)


def test_hostile_facts_stay_short_and_visible() -> None:
    """A megabyte of title with bidi and control characters becomes a short plain one."""
    text = describe(encoded(flat(NAVY)), title="\u202e\x00evil title " * 100_000).text
    assert len(text) < 450
    assert text.isprintable()


def test_the_same_image_gives_the_same_text() -> None:
    """Asking twice is asking once."""
    image = encoded(stripes(ORANGE, NAVY, every=9), form="JPEG")
    assert describe(image, **KNOWN) == describe(image, **KNOWN)


def test_what_is_no_image_is_refused() -> None:
    """There is no alt text for bytes that are no image, whatever is known about them."""
    with pytest.raises(ImageRefused):
        describe(b"not an image", **KNOWN)
