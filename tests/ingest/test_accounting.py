"""Every attempt at a step is a row in the ledger, under the track it was made for."""

from collections import Counter, defaultdict
from pathlib import Path

from tests.ingest.installation import Neighbours, ended, shown, step_of, until, upload, with_status
from tests.ingest.pictures import picture
from tests.ingest.tones import tone
from tests.sounds import encode, song
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.job import JobRecorded
from tonetouch_contracts.upload import RetryIngest, StepStarted
from tonetouch_ingest.shelving import picture_key
from tonetouch_runtime import Floor

LYRICS = "\n\n".join(f"Verse {number} of song {{0}}\nand what it says" for number in range(5))
TEXTS = 6
"""Five stanzas and the description."""


async def ledger(floor: Floor) -> list[JobRecorded]:
    """Every end of an attempt on AI, in the order they were said."""
    await floor.ai.settled()
    stream = floor.bus.jetstream
    last = (await stream.stream_info("AI")).state.last_seq
    subscription = await stream.subscribe("*.*.*", stream="AI", ordered_consumer=True)
    said = [floor.log.read(await subscription.next_msg(timeout=5.0)) for _ in range(last)]
    await subscription.unsubscribe()
    return [recorded.event for recorded in said if isinstance(recorded.event, JobRecorded)]


async def attempts_begun(floor: Floor, track_id: TrackId) -> Counter[tuple[str, str, int]]:
    """Step, job and number of every attempt the log knows."""
    history = [recorded.event for recorded in await floor.log.history("INGEST", track_id)]
    return Counter((event.step, event.job_id, event.attempt) for event in history if isinstance(event, StepStarted))


async def test_every_attempt_has_one_row(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Those that failed as well; each under the step's job, its feature and the track."""
    neighbours.away = True
    file = encode(song(1, seconds=8.0), tmp_path / "a.flac")
    track_id = await upload(floor, file, cover=picture(), lyrics=LYRICS.encode())

    async def failed_twice() -> bool:
        view = await shown(floor, track_id)
        return view is not None and step_of(view, "publish").attempts >= 2

    await until(failed_twice)
    neighbours.away = False

    async def all_done() -> bool:
        view = await shown(floor, track_id)
        return view is not None and {step.state for step in view.steps} == {"done"}

    await until(all_done)
    view = await ended(floor, track_id, "published")
    rows = [row for row in await ledger(floor) if row.subject == f"track:{track_id}"]
    begun = await attempts_begun(floor, track_id)
    of_steps = {step.job_id for step in view.steps}
    recorded = Counter(
        (row.feature.removeprefix("ingest."), row.job_id, row.attempt) for row in rows if row.job_id in of_steps
    )
    assert recorded == begun
    assert set(recorded.values()) == {1}
    passages = [row for row in rows if row.job_id not in of_steps]
    assert [(row.feature, row.type) for row in passages] == [("ingest.embed", "embeddings")] * (TEXTS - 1)
    failed = {(row.feature, row.attempt) for row in rows if row.outcome == "failed"}
    assert ("ingest.publish", 1) in failed


async def test_an_attempt_that_never_reached_its_model_has_a_row(
    floor: Floor, neighbours: Neighbours, tmp_path: Path
) -> None:
    """The store has lost the picture: the step fails by name, each attempt is accounted for, and a retry helps."""
    neighbours.together = 2
    track_id = await upload(floor, encode(tone(1), tmp_path / "a.flac"), cover=picture())

    async def compares() -> bool:
        view = await shown(floor, track_id)
        return view is not None and step_of(view, "dedupe").state == "running"

    await until(compares)
    await floor.objects.delete(picture_key(track_id))
    await upload(floor, encode(tone(2), tmp_path / "b.flac"))
    view = await with_status(floor, track_id, "failed")
    assert f"{picture_key(track_id)} is missing" in (view.reason or "")
    job_id = step_of(view, "describe_cover").job_id
    rows = [row for row in await ledger(floor) if row.job_id == job_id]
    assert [(row.attempt, row.outcome) for row in rows] == [(1, "failed"), (2, "failed"), (3, "failed")]
    await floor.objects.put(picture_key(track_id), picture())
    await floor.ask(RetryIngest(track_id=track_id))
    await ended(floor, track_id, "published")


async def test_a_rejected_upload_is_accounted_for(floor: Floor, tmp_path: Path) -> None:
    """The attempt that found out has its row; steps that were never begun have none."""
    file = tmp_path / "text.mp3"
    file.write_bytes(b"words")
    track_id = await upload(floor, file)
    view = await ended(floor, track_id, "rejected")
    (row,) = [row for row in await ledger(floor) if row.subject == f"track:{track_id}"]
    assert (row.job_id, row.feature, row.outcome) == (step_of(view, "stage").job_id, "ingest.stage", "failed")
    assert row.error is not None and "not in an audio format" in row.error


async def test_texts_of_several_tracks_share_a_call(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Twelve uploads at once: far fewer calls of the model than texts, and never more than 25 texts in one.

    The texts of one call began together and took the same time; that is what the rows tell it by.
    """
    neighbours.together = 4
    tracks = [
        await upload(floor, encode(tone(seed), tmp_path / f"{seed}.flac"), lyrics=LYRICS.format(seed).encode())
        for seed in range(12)
    ]
    for track in tracks:
        await ended(floor, track, "published")
    calls: dict[tuple[str, float | None], list[str]] = defaultdict(list)
    for row in await ledger(floor):
        if row.feature == "ingest.embed":
            assert row.cache == "miss"
            calls[row.started_at, row.latency_ms].append(row.subject)
    assert sum(map(len, calls.values())) == 12 * TEXTS
    assert max(map(len, calls.values())) <= 25
    assert len(calls) < 12
