"""However much is asked, what is sent to Vectorize is a filter that it takes, and nothing that passes is left out."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cloud.indexes import Index, Vector
from tests.cloud.vector_filters import checked_filter, fits
from tests.recommend.vectors.behaviour import EAST, TRACKS
from tonetouch_recommend.vectors.collection import AnyOf, Between, Condition, Is, NoneOf, Point
from tonetouch_recommend.vectors.memory import passes
from tonetouch_recommend.vectors.vectorize_filters import Part, planned
from tonetouch_recommend.vectors.vectorize_metadata import (
    ABSENT_NUMBER,
    SPACES,
    fields_of,
    indexes_of,
    metadata_of,
    payload_of,
    space_of,
)

WORDS = [f"{number:02}" + "é" * 31 for number in range(60)]
"""So long that only some thirty of them fit into a filter."""

LISTS = st.integers(0, 60).map(lambda number: tuple(WORDS[:number]))
CONDITIONS = st.one_of(
    st.builds(AnyOf, st.sampled_from(["region", "moods"]), LISTS),
    st.builds(NoneOf, st.sampled_from(["region", "moods"]), LISTS),
    st.builds(Is, st.sampled_from(["region", "moods"]), st.sampled_from(WORDS)),
    st.builds(NoneOf, st.just("explicit"), st.lists(st.integers(-3, 3), max_size=3).map(tuple)),
    st.builds(AnyOf, st.just("explicit"), st.lists(st.integers(-3, 3), max_size=3).map(tuple)),
    st.builds(
        Between, st.sampled_from(["explicit", "energy"]), st.none() | st.floats(-2, 2), st.none() | st.floats(-2, 2)
    ),
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "region": st.sampled_from(WORDS),
        "moods": st.lists(st.sampled_from(WORDS), max_size=4),
        "explicit": st.integers(-3, 3),
        "energy": st.sampled_from([-1.5, 0.0, 2.0]),
    },
)


def index() -> Index:
    """A simulated index with the metadata indexes of the collection."""
    made = Index(name="tracks", dimensions=8, metric="cosine", description="", created="")
    made.properties.update(indexes_of(TRACKS.fields))
    return made


@settings(max_examples=300, deadline=None)
@given(st.lists(PAYLOADS, min_size=1, max_size=6), st.lists(CONDITIONS, max_size=4), st.booleans())
def test_the_parts_and_what_is_looked_at_later_are_what_was_asked(
    payloads: list[dict[str, Any]], conditions: list[Condition], absent_is_unequal: bool
) -> None:
    """Each filter has fewer than 2,048 bytes; together with the check afterwards they say just what the terms say."""
    simulated, plan = index(), planned(TRACKS, conditions)
    filters = [checked_filter(simulated, part.where) if part.where else {} for part in plan.parts]
    for number, payload in enumerate(payloads):
        metadata = metadata_of(Point(f"p{number}", EAST, payload), TRACKS)
        kept = Vector(id="p", values=np.ones(8, np.float32), metadata=metadata, indexed=frozenset(simulated.properties))
        sent = any(fits(simulated, kept, one, absent_is_unequal=absent_is_unequal) for one in filters)
        assert (sent and passes(payload, plan.rest)) == passes(payload, conditions)


@given(PAYLOADS)
def test_a_payload_comes_back_as_it_was(payload: dict[str, Any]) -> None:
    """Nothing is added, and an absent field stays absent."""
    assert payload_of(metadata_of(Point("p", EAST, payload), TRACKS), TRACKS.fields) == payload


def test_the_names_of_the_indexes_tell_the_fields() -> None:
    """Whatever else has been indexed by hand."""
    assert fields_of({*indexes_of(TRACKS.fields), "bucket", "year", "string_year", "keyword_"}) == TRACKS.fields


def test_the_number_for_what_is_absent_is_one_that_vectorize_can_tell() -> None:
    """It survives the way into a float64 and back."""
    assert int(float(ABSENT_NUMBER)) == ABSENT_NUMBER


def test_every_point_is_in_one_of_the_parts() -> None:
    """The namespaces of a part that is split are those into which points are written, and each is used."""
    written = {space_of(f"p{number}") for number in range(1_000)}
    assert written == {part.space for part in Part({}).split()}
    assert len(written) == SPACES
