"""Ids of points as ids of Qdrant: the usual ones can be read back, and no two points share one."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_contracts.identity import uuid7
from tonetouch_recommend.vectors.edge_ids import edge_id, point_id

ENTITIES = st.builds(uuid7, st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
NUMBERED = st.builds("{}:{}".format, ENTITIES, st.integers(0, 47))
OTHER = st.one_of(
    st.text(min_size=1, max_size=20),
    st.uuids(version=4).map(str),
    st.builds("{}:{}".format, ENTITIES, st.one_of(st.integers(48), st.sampled_from(["", "01", "-1", "+1", "1 ", "१"]))),
    ENTITIES.filter(lambda one: one != one.upper()).map(str.upper),
    ENTITIES.map(lambda one: one.replace("-", "")),
)


@given(ENTITIES | NUMBERED)
def test_an_entity_and_its_passages_are_read_back(own: str) -> None:
    """What the point is called needs no look at the point."""
    assert point_id(edge_id(own)) == own


@given(OTHER)
def test_any_other_id_is_derived_and_has_to_be_told(own: str) -> None:
    """Another version, another spelling, another number: made from the text, the same each time."""
    edge = edge_id(own)
    assert (point_id(edge), edge.version, edge.variant) == (None, 5, uuid.RFC_4122)
    assert edge == edge_id(own)


@given(st.lists(ENTITIES | NUMBERED | OTHER, unique=True))
def test_no_two_points_share_an_id(names: list[str]) -> None:
    """Passages of one track neither meet each other nor the track."""
    assert len({edge_id(own) for own in names}) == len(names)


def test_a_track_has_room_for_more_passages_than_are_made() -> None:
    """All 48 of them beside the track itself."""
    track = uuid7(1, b"0123456789")
    assert len({edge_id(track), *(edge_id(f"{track}:{number}") for number in range(48))}) == 49


@pytest.mark.parametrize("number", [0, 15, 16, 31, 32, 47])
def test_a_numbered_id_is_no_uuid_that_anybody_makes(number: int) -> None:
    """Its variant is not that of RFC 9562, so it never meets one that was made elsewhere."""
    assert edge_id(f"{uuid7(1, b'0123456789')}:{number}").variant != uuid.RFC_4122
