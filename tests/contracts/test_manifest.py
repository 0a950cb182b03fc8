"""The manifest declares each thing once, and nothing in it reaches beyond itself."""

import importlib
import inspect
import pkgutil
import re
from itertools import combinations
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

import tonetouch_contracts
from tests.contracts.nats_subjects import covers, overlap
from tests.contracts.songs import LATER, SongRated, SongRatedV2
from tonetouch_contracts import manifest
from tonetouch_contracts.indexing import REEMBED
from tonetouch_contracts.manifest import CONSUMERS, EVENTS, QUEUES, STREAMS, VOCABULARY, Consumer, Stream, WorkQueue
from tonetouch_contracts.message import Event
from tonetouch_contracts.subjects import command_subject, queue_subject
from tonetouch_contracts.track import TrackRejected
from tonetouch_contracts.upload import ShowIngest, StepName
from tonetouch_contracts.vocabulary import Unknown

SOURCES: dict[str, Stream | WorkQueue] = {
    **{stream.name: stream for stream in STREAMS},
    **{queue.name: queue for queue in QUEUES},
}
SAYS_WHAT_IT_DOES_NOT_MEAN = re.compile(r"\b(not|never|no|nobody|nothing|none|cannot|neither|nor)\b", re.IGNORECASE)

each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.wire_name())
each_consumer = pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.name)


def declared_events() -> set[type[Event]]:
    """Every event class with a name of its own in the package, whether the manifest knows it or not."""
    modules = [
        importlib.import_module(f"tonetouch_contracts.{m.name}")
        for m in pkgutil.iter_modules(tonetouch_contracts.__path__)
    ]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    events = {kind for kind in classes if issubclass(kind, Event)} - {Unknown}
    return {kind for kind in events if kind.wire_name() != Event.wire_name()}


def test_each_event_type_is_said_on_exactly_one_stream() -> None:
    """A fact has one place: no type is on two streams, and none that is declared is left out."""
    assert len(EVENTS) == len(set(EVENTS)) == len({event.wire_name() for event in EVENTS})
    retired = {event for event in declared_events() - set(EVENTS) if event.wire_name() in VOCABULARY}
    assert declared_events() == set(EVENTS) | retired


def test_the_stream_of_an_event_is_the_one_that_lists_it() -> None:
    """Whoever appends asks the manifest where to; a type that no stream declares has no answer."""
    assert all(manifest.stream_of(event) is stream for stream in STREAMS for event in stream.says)
    with pytest.raises(KeyError):
        manifest.stream_of(Unknown)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_a_stream_lists_exact_event_subjects(stream: Stream) -> None:
    """Noun and verb stand in each subject: with ``noun.*.*`` a mistyped request would be stored as a fact."""
    assert stream.subjects == [f"{event.wire_name()}.*" for event in stream.says]
    for subject in stream.subjects:
        noun, verb, entity = subject.split(".")
        assert re.fullmatch(r"[a-z]+", noun)
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", verb)
        assert entity == "*"


def test_no_two_streams_or_queues_overlap() -> None:
    """Every subject belongs to one stream: the server would refuse another, and a fact would have two owners."""
    for one, other in combinations(SOURCES.values(), 2):
        assert not [(a, b) for a in one.subjects for b in other.subjects if overlap(a, b)]


def test_a_request_that_nobody_answers_is_never_stored() -> None:
    """No stream and no queue listens where commands are sent."""
    assert not [s for source in SOURCES.values() for s in source.subjects if overlap(s, command_subject(ShowIngest))]
    assert not [s for source in SOURCES.values() for s in source.subjects if overlap(s, "cmd.>")]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_stream_and_queue_says_what_it_promises(source: Stream | WorkQueue) -> None:
    """Another team can tell what it may rely on, and a name fits the rules of the server."""
    assert source.promise.endswith(".")
    assert source.owner
    assert re.fullmatch(r"[A-Z][A-Z_]*", source.name)


def test_a_retired_shape_leads_to_one_that_is_said() -> None:
    """Over other retired ones or at once; what leads nowhere, round in a circle or to another stream is a mistake."""
    (gone,) = LATER.retired
    assert "song.rated" in manifest.vocabulary([LATER])
    between = replace(gone, shape=SongRatedV2, successor=SongRated)
    for says, retired in [((), (gone,)), ((), (gone, between)), ((TrackRejected,), (gone,))]:
        with pytest.raises(ValueError, match=r"song\.rated is retired, and SONGS says nothing it leads to"):
            manifest.vocabulary([replace(LATER, says=says, retired=retired)])


def test_whoever_hears_a_shape_hears_all_it_grew_out_of() -> None:
    """A chain of retired names is listened to as a whole: in the log there are events under each of them."""
    (gone,) = LATER.retired
    newest = replace(gone, shape=SongRatedV2, successor=TrackRejected)
    stream = replace(LATER, says=(TrackRejected,), retired=(gone, newest))
    assert stream.filters(TrackRejected) == ("track.rejected.*", "song.rated-v2.*", "song.rated.*")
    assert sorted(stream.subjects) == sorted(stream.filters(TrackRejected))


@each_consumer
def test_a_consumer_filters_inside_its_stream(consumer: Consumer) -> None:
    """A filter beyond the stream's subjects would wait for ever; two that overlap are refused by the server."""
    subjects = SOURCES[consumer.stream].subjects
    assert consumer.filters
    assert [pattern for pattern in consumer.filters if not any(covers(subject, pattern) for subject in subjects)] == []
    assert not [pair for pair in combinations(consumer.filters, 2) if overlap(*pair)]


@each_consumer
def test_a_consumer_has_a_name_of_its_own_that_begins_with_its_owner(consumer: Consumer) -> None:
    """From the name alone an operator sees whose consumer it is, and it can be looked up."""
    assert manifest.consumer(consumer.name) is consumer
    assert re.fullmatch(rf"{consumer.owner}-[a-z-]+", consumer.name)
    assert consumer.ack_wait_seconds > 0
    assert consumer.max_ack_pending > 0


def test_consumers_of_a_work_queue_share_its_steps_out() -> None:
    """Each step of a queue has one consumer: the server allows no two on one subject of a work queue."""
    for queue in QUEUES:
        filters = [pattern for consumer in CONSUMERS if consumer.stream == queue.name for pattern in consumer.filters]
        assert sorted(filters) == sorted(queue_subject(queue.segment, step) for step in queue.steps)


def test_the_ingest_queue_knows_every_step() -> None:
    """A step that the events name can be queued, and so can a track to be embedded again, which is no step of it."""
    assert set(QUEUES[0].steps) == {*get_args(StepName), REEMBED}


def test_an_undeclared_consumer_is_a_key_error() -> None:
    """A service that asks for a consumer nobody declared is told at once."""
    with pytest.raises(KeyError):
        manifest.consumer("nobody-listening")


@each_event
def test_a_wire_name_is_noun_and_verb(event: type[Event]) -> None:
    """Two tokens in lower case, so that subjects have three and filters by type and by entity both work."""
    assert re.fullmatch(r"[a-z]+\.[a-z]+(-v[2-9][0-9]*)?", event.wire_name())


@each_event
def test_an_event_knows_its_entity(event: type[Event]) -> None:
    """`entity_field` names a required field of the struct: without its entity a fact has no subject."""
    assert event.entity_field in event.__struct_fields__
    schema_required = [field.name for field in msgspec.structs.fields(event) if field.required]
    assert event.entity_field in schema_required


@each_event
def test_an_event_says_what_it_means_and_what_it_does_not(event: type[Event]) -> None:
    """The first sentence is the meaning; a later one keeps readers from concluding too much."""
    sentences = re.split(r"(?<=[.!?])\s+", " ".join((inspect.getdoc(event) or "").split()))
    assert event.__doc__ != Event.__doc__
    assert len(sentences) >= 2
    assert SAYS_WHAT_IT_DOES_NOT_MEAN.search(" ".join(sentences[1:]))


@each_event
def test_an_event_tolerates_fields_of_the_future(event: type[Event]) -> None:
    """No event forbids fields it does not know: a newer writer may add some."""
    assert not event.__struct_config__.forbid_unknown_fields
    assert event.__struct_config__.frozen
    assert event.__struct_config__.tag_field == "event"
