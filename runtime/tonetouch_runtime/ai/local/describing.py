"""Alt text for an image from what can be measured and what the caller knows: never from what it might show."""

from collections.abc import Mapping

from tonetouch_runtime.ai.local import models
from tonetouch_runtime.ai.local.picture import Picture, dominant, measured
from tonetouch_runtime.ai.local.writing import Pattern, write_from_facts
from tonetouch_runtime.ai.local.written import CountTokens, Fact, Written

# Upper bounds of CIE L* (mean, standard deviation, mean step between neighbours) for each word; set by eye on
# gradients, noise and flat areas (tests/runtime/ai/test_local_describing.py).
LIGHTNESS_WORDS = ((15.0, "very dark"), (38.0, "dark"), (62.0, "mid-toned"), (85.0, "bright"), (101.0, "very bright"))
CONTRAST_WORDS = ((8.0, "little contrast"), (22.0, "moderate contrast"), (101.0, "strong contrast"))
DETAIL_WORDS = ((0.8, "plain"), (3.0, "simple"), (8.0, "detailed"), (101.0, "busy"))
UNEVEN = 15.0
GROUND_SHARE = 0.55
ACCENT_SHARE = 0.12

_TEMPLATE = (
    (
        Pattern("“{title}” by {by}.", needs=("title", "by")),
        Pattern("“{title}”.", needs=("title",)),
        Pattern("By {by}.", needs=("by",)),
    ),
    (
        Pattern(
            "{lightness:a} {shape} image, mostly {ground} with {accents}, {detail} and of {contrast}.",
            needs=("lightness", "shape", "ground", "accents", "detail", "contrast"),
        ),
        Pattern(
            "{lightness:a} {shape} image, mostly {ground}, {detail} and of {contrast}.",
            needs=("lightness", "shape", "ground", "detail", "contrast"),
        ),
        Pattern(
            "{lightness:a} {shape} image in {colours}, {detail} and of {contrast}.",
            needs=("lightness", "shape", "colours", "detail", "contrast"),
        ),
    ),
    (Pattern("It is lightest {lightest}.", needs=("lightest",)),),
)


def describe_image(image: bytes, facts: Mapping[str, str], *, count_tokens: CountTokens) -> Written:
    """Two or three sentences of alt text: the facts `title` and `by` if given, then shape, light, colours and detail.

    Given facts keep their key as id; measured ones have ids that begin with `measured.`. Other given facts are not
    used. Raises `ImageRefused` for bytes that are no image, damaged, or over 32 MiB or 25 million pixels.
    """
    given = tuple(Fact(id=name, name=name, value=facts[name]) for name in ("title", "by") if name in facts)
    seen = tuple(Fact(id=f"measured.{name}.{at}", name=name, value=value) for at, name, value in _seen(measured(image)))
    return write_from_facts(given + seen, template=_TEMPLATE, count_tokens=count_tokens, model=models.DESCRIBING)


def _seen(picture: Picture) -> list[tuple[int, str, str]]:
    """What was measured, in words: (number within its name, name, value)."""
    words = {
        "shape": [_shape(picture)],
        "lightness": [_word(picture.lightness, LIGHTNESS_WORDS)],
        "contrast": [_word(picture.contrast, CONTRAST_WORDS)],
        "detail": [_word(picture.detail, DETAIL_WORDS)],
        **_colours(picture),
        "lightest": _lightest(picture),
    }
    return [(at, name, value) for name, values in words.items() for at, value in enumerate(values, start=1)]


def _colours(picture: Picture) -> dict[str, list[str]]:
    """A ground with accents where one colour covers half of the image, else several colours side by side."""
    largest, *others = dominant(picture.colours, at_least=ACCENT_SHARE, at_most=3)
    if picture.colours[0][1] >= GROUND_SHARE:
        return {"ground": [largest], "accents": others}
    return {"colours": [largest, *others]}


def _word(value: float, scale: tuple[tuple[float, str], ...]) -> str:
    return next((word for bound, word in scale if value < bound), scale[-1][1])


def _shape(picture: Picture) -> str:
    ratio = picture.width / picture.height
    if 0.95 <= ratio <= 1.05:
        return "square"
    return "wide" if ratio > 1 else "tall"


def _lightest(picture: Picture) -> list[str]:
    """Where the image is clearly lighter than elsewhere, empty where it is even."""
    leads = {
        "in the middle": picture.middle_lead,
        "at its edges": -picture.middle_lead,
        "at the top": picture.top_lead,
        "at the bottom": -picture.top_lead,
    }
    place = max(leads, key=lambda name: leads[name])
    return [place] if leads[place] > UNEVEN else []
