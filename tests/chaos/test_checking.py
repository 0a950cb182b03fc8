"""The checks of chaos find what they look for: each is shown a run that was fine, and the same with one thing wrong."""

from dataclasses import replace
from itertools import islice

import msgspec
import pytest

from tests.chaos.checking import (
    enough_happened,
    ingests_in_order,
    ledger_is_the_clouds,
    names_in_order,
    plays_kept,
    uploads_arrived,
)
from tests.chaos.faults import Injected, planned
from tests.chaos.load import Acknowledged
from tests.chaos.log import Logs
from tests.cloud import Call, Charged
from tests.contracts.golden import EVENT_SAMPLES
from tests.journeys.platform import EVERYTHING
from tonetouch_contracts.identity import PlayId, PlaylistId, TrackId, UserId
from tonetouch_contracts.manifest import STREAMS, VOCABULARY, stream_of
from tonetouch_contracts.message import Event
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.playlist import PlaylistRenamed
from tonetouch_contracts.track import TrackPublished, TrackUploaded
from tonetouch_contracts.upload import IngestCompleted, IngestStarted
from tonetouch_runtime import Recorded


def played(play: str) -> Event:
    user, track = UserId("u"), TrackId("t")
    return PlayRecorded(
        play_id=PlayId(play), user_id=user, track_id=track, heard_seconds=1.0, duration_seconds=2.0, at=""
    )


def named(name: str) -> Event:
    return PlaylistRenamed(playlist_id=PlaylistId("p"), user_id=UserId("u"), name=name)


def sample(event: type[Event], **changes: str) -> Event:
    (path,) = [path for path in EVENT_SAMPLES if path.name == f"{event.wire_name()}.json"]
    return msgspec.structs.replace(VOCABULARY.decode(event.wire_name(), path.read_bytes()), **changes)


def logs(*events: Event) -> Logs:
    """These events, each on its stream."""
    found: Logs = {stream.name: [] for stream in STREAMS}
    for number, event in enumerate(events, start=1):
        stream = stream_of(type(event)).name
        found[stream].append(Recorded(event=event, stream=stream, sequence=number, id=str(number), time=""))
    return found


def test_a_play_that_is_lost_or_there_twice_is_found() -> None:
    """What was acknowledged has to be there; what was not may be."""
    said = Acknowledged(plays=["a", "b"])
    assert not list(plays_kept(said, logs(played("a"), played("b"), played("unknown"))))
    assert list(plays_kept(said, logs(played("a"))))
    assert list(plays_kept(said, logs(played("a"), played("b"), played("b"))))


def test_a_name_that_is_lost_out_of_order_or_repeated_is_found() -> None:
    """One that was asked for again may be there again."""
    said = Acknowledged(names=["1", "2"])
    assert not list(names_in_order(said, logs(named("1"), named("2"))))
    assert list(names_in_order(said, logs(named("1"))))
    assert list(names_in_order(said, logs(named("2"), named("1"))))
    assert list(names_in_order(said, logs(named("1"), named("2"), named("1"))))
    said.repeated.add("1")
    assert not list(names_in_order(said, logs(named("1"), named("2"), named("1"))))


def test_an_upload_that_is_lost_or_published_twice_is_found() -> None:
    """Accepted is uploaded and published, once."""
    said = Acknowledged(uploads={"t": "Song"})
    uploaded = sample(TrackUploaded, track_id="t")
    published = sample(TrackPublished, track_id="t", title="Song")
    assert not list(uploads_arrived(said, logs(uploaded, published)))
    assert list(uploads_arrived(said, logs(published)))
    assert list(uploads_arrived(said, logs(uploaded)))
    assert list(uploads_arrived(said, logs(uploaded, published, published)))


def test_a_story_that_begins_or_ends_twice_is_found() -> None:
    """An ingest is started first, and completed once."""
    started, completed = sample(IngestStarted, track_id="t"), sample(IngestCompleted, track_id="t")
    assert not list(ingests_in_order(logs(started, completed)))
    assert list(ingests_in_order(logs(started, started)))
    assert list(ingests_in_order(logs(started, completed, completed)))


def call(request: str, job: str) -> Call:
    return Call(
        number=1,
        at=0.0,
        provider="workers-ai",
        model="m",
        task="chat",
        surface="gateway",
        streamed=False,
        outcome="answered",
        charged=Charged(prompt_tokens=10, completion_tokens=5),
        request_id=request,
        metadata={"job": job},
    )


ROW = {
    "job_id": "j",
    "provider": "cloudflare",
    "cache": "miss",
    "outcome": "succeeded",
    "type": "chat",
    "provider_request_id": "r",
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "contradicted_at": None,
}


@pytest.mark.parametrize(
    ("calls", "rows"),
    [
        pytest.param([call("r", "j"), call("q", "k")], [ROW], id="a call without a row"),
        pytest.param([call("r", "j"), call("q", "j")], [ROW, {**ROW, "provider_request_id": "q"}], id="asked twice"),
        pytest.param([call("r", "j")], [ROW, ROW], id="two rows for one call"),
        pytest.param([call("r", "j")], [{**ROW, "prompt_tokens": 11}], id="other tokens"),
        pytest.param([call("r", "j")], [{**ROW, "contradicted_at": 7}], id="a contradiction"),
        pytest.param([], [ROW], id="a row without a call"),
    ],
)
def test_a_ledger_that_is_not_the_clouds_is_found(calls: list[Call], rows: list[dict[str, object]]) -> None:
    """One difference each; without it there is none, and of a call that was cut off the job is enough."""
    assert list(ledger_is_the_clouds(calls, rows))
    assert not list(ledger_is_the_clouds([call("r", "j")], [ROW]))
    assert not list(
        ledger_is_the_clouds([call("r", "j")], [{**ROW, "provider_request_id": None, "outcome": "running"}])
    )


def test_a_run_that_shows_nothing_fails() -> None:
    """Too little succeeded, too little went wrong, or one part was never hit."""
    said = Acknowledged(plays=["p"] * 500, names=["n"] * 100, uploads={str(n): "" for n in range(11)}, searches=100)
    calls, hit = [call(str(n), str(n)) for n in range(100)], dict.fromkeys(EVERYTHING, 13)
    assert not list(enough_happened(100, Injected(kills=hit), said, calls))
    assert list(enough_happened(100, Injected(kills=hit), replace(said, plays=[]), calls))
    assert list(enough_happened(100, Injected(kills=hit), said, []))
    assert list(enough_happened(100, Injected(), said, calls))
    assert list(enough_happened(100, Injected(kills=hit | {"nats": 0, "catalog": 26}), said, calls))


def test_a_seed_is_a_plan() -> None:
    """The same seed gives the same faults; every part is hit in any eight in a row that begin a round."""
    plan = list(islice(planned(7), 80))
    assert plan == list(islice(planned(7), 80))
    assert plan != list(islice(planned(8), 80))
    assert {fault.victim for fault in plan[:8]} == set(EVERYTHING)
    assert {fault.kind for fault in plan} == {"kill", "pause"}
