"""/metrics: what was counted and how things stand, in the form that Prometheus reads, under names of the one file."""

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.runtime.telemetry.collecting import counted, hopping, until
from tests.servers import free_port
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import ShowTrack
from tonetouch_runtime import Refused, Settings
from tonetouch_runtime.telemetry import names, switch
from tonetouch_runtime.telemetry.counting import Counts
from tonetouch_runtime.telemetry.exposing import Page

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Samples:
    """A page as Prometheus reads it: by name and labels."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float:
    """The one sample of this name that has these labels."""
    found = [value for (said, has), value in samples.items() if said == name and labels.items() <= dict(has).items()]
    assert len(found) == 1, (name, labels, found)
    return found[0]


async def page_of(port: int) -> Samples:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return read(answer.text)


@pytest.fixture(name="port")
def _port(settings: Settings) -> Iterator[int]:
    settings.health_port = free_port()
    yield settings.health_port
    assert switch.counts is None, "a service that has ended counts no more"


async def test_a_service_tells_what_it_did_and_how_it_is(settings: Settings, port: int) -> None:
    """By templates of subjects: no entity's id is on the page."""
    async with hopping(settings) as (service, floor):
        for track in ("track-a", "track-b"):
            await floor.ask(ShowTrack(track_id=TrackId(track)))
        with pytest.raises(Refused):
            await floor.ask(ShowTrack(track_id=TrackId("nobody")))
        await until(lambda: len(service.worked) == 2)
        await floor.seen({"CATALOG": 2})
        page = await page_of(port)
    show = {"service": "catalog", "subject": "cmd.catalog.show-track"}
    assert of(page, "tonetouch_answer_seconds_count", **show, outcome="done") == 2
    assert of(page, "tonetouch_ask_seconds_count", **show, outcome="not_found") == 1
    assert of(page, "tonetouch_append_seconds_count", stream="CATALOG", outcome="done") == 2
    assert of(page, "tonetouch_appended_events_total", subject="track.uploaded.*") == 2
    assert of(page, "tonetouch_hear_seconds_count", consumer="ingest-starting", outcome="done") == 2
    assert of(page, "tonetouch_queue_seconds_count", subject="q.ingest.stage.*", outcome="done") == 2
    assert of(page, "tonetouch_work_seconds_count", consumer="ingest-stage", outcome="done") == 2
    assert of(page, "tonetouch_kept_events_total", stream="CATALOG") == 2
    assert of(page, "tonetouch_ready", service="catalog") == 1
    assert of(page, "tonetouch_part_position", part="test_traced", stream="CATALOG") == 2
    assert of(page, "tonetouch_part_behind_events", part="test_traced") == 0
    assert of(page, "tonetouch_parked_oldest_seconds", part="ingest-starting") == 0
    assert of(page, "process_resident_memory_bytes") > 0
    assert "track-a" not in str(page)


async def test_what_is_parked_is_told_with_its_age(
    settings: Settings, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alert is on the age: one event that waits for a day is worse than ten of a minute ago."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    async with hopping(settings) as (service, floor):
        service.failures = [RuntimeError("always")] * 8
        await floor.ask(ShowTrack(track_id=TrackId("a")))
        await until(lambda: not service.failures)
        page = await page_of(port)
        while not of(page, "tonetouch_parked_events", part="ingest-starting"):
            page = await page_of(port)
    assert of(page, "tonetouch_parked_events", part="ingest-starting") == 1
    assert of(page, "tonetouch_parked_oldest_seconds", part="ingest-starting") > 0
    assert of(page, "tonetouch_hear_seconds_count", consumer="ingest-starting", outcome="failed") == 8


async def test_metrics_can_be_left_out(settings: Settings, port: int) -> None:
    """Then there is no page, and nothing is counted."""
    settings.metrics = False
    async with hopping(settings), httpx.AsyncClient() as client:
        assert switch.counts is None
        assert (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code == 404
        assert (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200


def test_a_histogram_counts_what_is_below_each_bound() -> None:
    """A time on a bound is in its bucket, one beyond the last only in the total."""
    counts = Counts()
    for seconds in (0.0004, names.SHORT[1], 99.0):
        counts.time(names.KEPT, ("CATALOG",), seconds)
    page = read(Page("catalog", counts).text({}).decode())
    name = "tonetouch_keep_seconds"
    below = [of(page, f"{name}_bucket", le=str(bound)) for bound in names.SHORT]
    assert below == [1, 2] + [2] * (len(names.SHORT) - 2)
    assert of(page, f"{name}_bucket", le="+Inf") == of(page, f"{name}_count") == 3
    assert of(page, f"{name}_sum") == pytest.approx(99.0014)


def test_labels_of_any_kind_survive() -> None:
    """A model's name may hold what Prometheus needs escapes for."""
    with counted() as counts:
        counts.add(names.ANSWERED, ("chat", 'a "quoted"\\feature\n', "miss"))
        page = read(Page("agents", counts).text({}).decode())
    assert of(page, "tonetouch_ai_answers_total", feature='a "quoted"\\feature\n') == 1
