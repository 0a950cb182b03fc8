"""Names become subjects in one place, and no id can reach beyond its own entity."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.contracts.golden import EVENT_SAMPLES, wire_name
from tests.contracts.nats_subjects import covers, overlap
from tonetouch_contracts.documents.schemas import every_command
from tonetouch_contracts.identity import TrackId, derived, is_entity_id, named, uuid7
from tonetouch_contracts.manifest import EVENTS, STREAMS, VOCABULARY
from tonetouch_contracts.message import Command, ShowHealth
from tonetouch_contracts.subjects import command_subject, entity_filter, event_subject, queue_subject, type_filter
from tonetouch_contracts.track import ShowTrack, TrackRejected

ENTITY_IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


def rejected(track_id: str) -> TrackRejected:
    """A fact about a track of this id."""
    return TrackRejected(track_id=TrackId(track_id), reason="It is not audio.")


@pytest.mark.parametrize(
    ("pattern", "subject", "yes"),
    [
        ("track.uploaded.*", "track.uploaded.1", True),
        ("track.uploaded.*", "track.uploaded", False),
        ("track.uploaded.*", "track.uploaded.1.2", False),
        ("*.*.1", "track.uploaded.1", True),
        ("*.*.1", "track.uploaded.2", False),
        ("track.>", "track.uploaded.1", True),
        ("track.>", "track", False),
        ("track.*.*", "track.>", False),
        ("track.>", "track.*.*", True),
        ("track.uploaded.*", "track.*.*", False),
    ],
)
def test_these_tests_match_subjects_as_the_server_does(pattern: str, subject: str, yes: bool) -> None:
    """The matching that the other tests rely on, case by case."""
    assert covers(pattern, subject) is yes


@pytest.mark.parametrize(
    ("first", "second", "yes"),
    [("a.*", "*.b", True), ("a.*", "b.*", False), ("a.>", "a.b.c", True), ("a", "a.>", False), ("a.b", "a.b.c", False)],
)
def test_these_tests_see_where_subjects_overlap(first: str, second: str, yes: bool) -> None:
    """Overlap is judged as the server judges it, and does not depend on the order."""
    assert overlap(first, second) is overlap(second, first) is yes


@given(ENTITY_IDS)
def test_an_event_is_three_tokens_with_its_entity_last(entity_id: str) -> None:
    """Noun, verb, entity: whatever the id, the subject keeps its form."""
    assert event_subject(rejected(entity_id)).split(".") == ["track", "rejected", entity_id]


@given(st.text())
def test_no_id_smuggles_tokens_or_wildcards_into_a_subject(text: str) -> None:
    """Either a text is refused, or it is one token that stands for itself alone."""
    if is_entity_id(text):
        assert covers(entity_filter(text), event_subject(rejected(text)))
    else:
        for build in (entity_filter, lambda id_: event_subject(rejected(id_))):
            with pytest.raises(ValueError, match="cannot be an entity id"):
                build(text)


@pytest.mark.parametrize("text", ["*", ">", "a.b", "a b", "", "a\n", "\u00e9", "a" * 65, "*.*", ".", "$JS", "a\x00"])
def test_dots_wildcards_and_spaces_are_refused(text: str) -> None:
    """An id of a request that is `*` would read, or write under, every entity there is."""
    assert not is_entity_id(text)
    with pytest.raises(ValueError, match="cannot be an entity id"):
        entity_filter(text)
    if text != "*":
        with pytest.raises(ValueError, match="cannot be an entity id"):
            queue_subject("ingest", "embed", text)


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10), st.text(), st.text())
def test_all_ids_we_make_are_entity_ids(unix_ms: int, randomness: bytes, first: str, second: str) -> None:
    """Ids by time, by name and derived ones can all stand in a subject."""
    assert all(
        is_entity_id(made) for made in (uuid7(unix_ms, randomness), named(first, second), derived(first, second))
    )


@pytest.mark.parametrize("sample", EVENT_SAMPLES, ids=lambda sample: sample.name)
def test_an_entitys_filter_matches_all_of_its_events(sample: Path) -> None:
    """The life of an entity is told in several nouns; one filter sees all of it."""
    event = VOCABULARY.decode(wire_name(sample), sample.read_bytes())
    assert covers(entity_filter(event.entity_id), event_subject(event))
    assert covers(type_filter(event.wire_name()), event_subject(event))


@given(ENTITY_IDS, ENTITY_IDS)
def test_an_entitys_filter_matches_nobody_elses_events(one: str, other: str) -> None:
    """Two entities' filters have no event in common."""
    assume(one != other)
    assert not covers(entity_filter(one), event_subject(rejected(other)))
    assert not overlap(entity_filter(one), entity_filter(other))


@pytest.mark.parametrize("command", every_command(), ids=lambda command: command.wire_name())
def test_commands_live_under_cmd_where_no_stream_listens(command: type[Command[Any]]) -> None:
    """A request whose service is away gets no responders; it is never stored as a fact."""
    subject = command_subject(command)
    assert subject.split(".") == ["cmd", *command.wire_name().split(".")]
    assert not [stream for stream in STREAMS for pattern in stream.subjects if overlap(pattern, subject)]


def test_a_command_that_all_answer_is_sent_to_the_one_that_is_named() -> None:
    """Asking after the health of a service is addressed to that service."""
    assert command_subject(ShowHealth, "catalog") == "cmd.catalog.show-health"
    assert command_subject(ShowTrack) == "cmd.catalog.show-track"


def test_a_queued_step_is_one_subject_per_entity() -> None:
    """A queue keeps one message per subject, so asking twice for a step of a track is asking once."""
    assert queue_subject("ingest", "embed", "0192") == "q.ingest.embed.0192"
    assert covers(queue_subject("ingest", "embed"), queue_subject("ingest", "embed", "0192"))
    assert not covers(queue_subject("ingest", "stage"), queue_subject("ingest", "embed", "0192"))


def test_no_two_types_share_a_subject() -> None:
    """A type's filter matches that type alone."""
    filters = [type_filter(event.wire_name()) for event in EVENTS]
    assert not [(one, two) for one in filters for two in filters if one is not two and overlap(one, two)]
