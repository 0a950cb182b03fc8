"""Uploads as the tests need them: each fact with a plausible body."""

from tonetouch_contracts.identity import ContentHash, JobId, TrackId, UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import Audio
from tonetouch_contracts.upload import (
    AudioAnalysed,
    AudioCompared,
    AudioFingerprinted,
    AudioStaged,
    CoverDescribed,
    DuplicateDetected,
    EmbeddingDone,
    IngestStarted,
    StepName,
    StepStarted,
)

TRACK = TrackId("0192f0c4-7a1e-7c53-9c0d-000000000001")
EARLIER = TrackId("0192f0c4-7a1e-7c53-9c0d-000000000000")
SHA = ContentHash("a" * 64)
JOB = JobId("job")

STARTED = IngestStarted(
    track_id=TRACK,
    uploaded_by=UserId("admin"),
    object_key=f"incoming/{TRACK}",
    size_bytes=1000,
    sha256=SHA,
    file_name="song.flac",
)
STAGED = AudioStaged(
    track_id=TRACK,
    audio=Audio(sha256=SHA, size_bytes=1000, content_type="audio/flac", codec="flac", lossless=True),
    title="Song",
    artist="Somebody",
    album=None,
    genres=("Solo Piano",),
    explicit=False,
    region="GB",
    cover=None,
)
FINGERPRINTED = AudioFingerprinted(
    track_id=TRACK, fingerprint="AQ", vector=None, vector_model="m@1", duration_seconds=50.0
)
COMPARED = AudioCompared(track_id=TRACK, candidates=0)
DUPLICATE = DuplicateDetected(track_id=TRACK, of=EARLIER, by="sound", bit_error_rate=0.01)
ANALYSED = AudioAnalysed(
    track_id=TRACK,
    analyser="a@1",
    duration_seconds=50.0,
    loudness_lufs=-21.0,
    loudness_range_lu=3.0,
    peak_dbfs=None,
    bpm=124.0,
    bpm_candidates=(124.0, 62.0),
    key="D minor",
    key_strength=0.87,
    energy=0.2,
    moods=("sad", "calm"),
)
EMBEDDED = EmbeddingDone(
    track_id=TRACK,
    kind="description",
    passage=0,
    text="slow",
    text_hash=SHA,
    model="m@1",
    dimension=2,
    vector=b"\x00\x3c\x00\x00",
    job_id=JOB,
)
DESCRIBED = CoverDescribed(track_id=TRACK, alt="A picture.", job_id=JOB)


def began(step: StepName, attempt: int = 1) -> StepStarted:
    """An attempt at a step begins."""
    return StepStarted(track_id=TRACK, step=step, attempt=attempt, job_id=JOB)


def through_analysis() -> tuple[Event, ...]:
    """Everything up to the point where embedding may begin."""
    return (STARTED, STAGED, FINGERPRINTED, COMPARED, ANALYSED)
