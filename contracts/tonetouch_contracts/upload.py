"""An upload on its way to become a track. Said by ingest on INGEST; the entity is the track's id.

Every step says `StepStarted` first. What it says at the end is the fact it found, `StepSkipped` or `StepFailed`.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from tonetouch_contracts.copy import Known
from tonetouch_contracts.identity import ContentHash, JobId, TrackId, UserId
from tonetouch_contracts.message import Command, Event, Page
from tonetouch_contracts.personal import WORDS
from tonetouch_contracts.track import Audio, Cover, FoundBy, Relation, TrackStatus

StepName = Literal["stage", "fingerprint", "dedupe", "analyse", "embed", "describe_cover", "write_about", "publish"]
StepState = Literal["waiting", "running", "done", "failed", "skipped"]
EmbeddingKind = Literal["description", "lyrics"]


class IngestStarted(Event, frozen=True, kw_only=True, tag="ingest.started"):
    """Ingest has taken the upload on; what its uploader said about it is repeated here. No byte was read yet."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    uploaded_by: UserId
    object_key: str
    size_bytes: int
    sha256: ContentHash
    file_name: Annotated[str, WORDS]
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    explicit: bool | None = None
    region: str | None = None
    cover_key: str | None = None
    lyrics_key: str | None = None


class StepStarted(Event, frozen=True, kw_only=True, tag="step.started"):
    """An attempt at a step began. It is no promise of an end: of a killed process only the next attempt tells."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    step: StepName
    attempt: int
    job_id: JobId


class StepFailed(Event, frozen=True, kw_only=True, tag="step.failed"):
    """An attempt at a step failed. It is not the upload's end unless `final`: another attempt follows by itself."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    step: StepName
    attempt: int
    error: str
    final: bool


class StepSkipped(Event, frozen=True, kw_only=True, tag="step.skipped"):
    """There was nothing to do in this step, for the reason given (no cover, a duplicate). It is not a failure."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    step: StepName
    reason: str


class AudioStaged(Event, frozen=True, kw_only=True, tag="audio.staged"):
    """The bytes were read, verified and copied to ``audio/<sha256>``; what the file says about itself is known.

    The names here are the settled ones: what the uploader said wins over the file's tags. That the file can be decoded
    to its end is not known yet.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    audio: Audio
    title: str
    artist: str
    album: str | None
    genres: tuple[str, ...]
    explicit: bool
    region: str
    cover: Cover | None
    cover_size_bytes: int = 0
    cover_colours: tuple[str, ...] = ()
    lyrics: str | None = None
    lyrics_sha256: ContentHash | None = None
    lyrics_synced: bool = False
    year: int | None = None
    track_number: int | None = None
    language: str | None = None
    guessed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class AudioFingerprinted(Event, frozen=True, kw_only=True, tag="audio.fingerprinted"):
    """How the recording sounds, as Chromaprint's compressed form, and as a 256-d vector where one can be had.

    The vector is little-endian float16. Null means that the sound is too short or too plain to be told from others.
    `progression` is a second one, of how it goes on in time, by which versions with other voices are found; null also
    where nobody made one then. That the recording is new is not known yet.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    fingerprint: str
    vector: bytes | None
    vector_model: str
    duration_seconds: float
    progression: bytes | None = None
    progression_model: str | None = None


class DuplicateDetected(Event, frozen=True, kw_only=True, tag="duplicate.detected"):
    """This upload is the recording of the earlier track `of`, by its bytes or by its sound.

    It does not say which of the two sounds better. Catalog has not been told yet.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    of: TrackId
    by: FoundBy
    bit_error_rate: float | None = None
    offset_seconds: float | None = None
    cosine: float | None = None


class AudioCompared(Event, frozen=True, kw_only=True, tag="audio.compared"):
    """The recording was held against every earlier one and is not one of them.

    It may still be a version of one: then the figures are those of that one. Recordings that arrive later are not held
    against it by this.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    candidates: int
    version_of: TrackId | None = None
    bit_error_rate: float | None = None
    offset_seconds: float | None = None
    cosine: float | None = None


class RelationRuled(Event, frozen=True, kw_only=True, tag="relation.ruled"):
    """Ingest has taken in what a person said of this track and another: nothing it finds by sound undoes that.

    `reopens` are the steps that wait again because the track is no duplicate after all; empty where it had been
    published, or is not to be. It does not mean that they were done.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    of: TrackId | None
    relation: Relation
    reopens: tuple[StepName, ...] = ()


class AudioAnalysed(Event, frozen=True, kw_only=True, tag="audio.analysed"):
    """What was measured in the sound. Null where it could not be known: too short, too quiet, too unclear."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    analyser: str
    duration_seconds: float
    loudness_lufs: float | None
    loudness_range_lu: float | None
    peak_dbfs: float | None
    bpm: float | None
    bpm_candidates: tuple[float, ...]
    key: str | None
    key_strength: float | None
    energy: float | None
    moods: tuple[str, ...]


class EmbeddingDone(Event, frozen=True, kw_only=True, tag="embedding.done"):
    """A text about the track has a vector: the description made from its facts, or one passage of its lyrics.

    The vector is little-endian float16 of `dimension` numbers and belongs to `model` alone. All of a track's vectors
    are said in one decision, the description last. It does not mean that the track can be found: it is not published.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    kind: EmbeddingKind
    passage: int
    text: str
    text_hash: ContentHash
    model: str
    dimension: int
    vector: bytes
    job_id: JobId


class CoverDescribed(Event, frozen=True, kw_only=True, tag="cover.described"):
    """The cover has an alternative text. A machine wrote it, and nobody has checked it against the picture."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    alt: str
    job_id: JobId


class AboutWanted(Event, frozen=True, kw_only=True, tag="about.wanted"):
    """The step `write_about` needs 'About this track' from what is known here. Nobody has begun to write it.

    It belongs to the attempt `attempt` of the step, and the text is to be written under `job_id`. Whatever comes of it
    is said under `ask_id`.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    ask_id: str
    job_id: JobId
    attempt: int
    known: tuple[Known, ...]
    lyrics: str | None = None


class AboutWritten(Event, frozen=True, kw_only=True, tag="about.written"):
    """'About this track' was written from the facts of this upload, and nothing but them. It is not shown yet."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    about: str
    job_id: JobId


class IngestCompleted(Event, frozen=True, kw_only=True, tag="ingest.completed"):
    """Catalog has been told how the upload ended. Not every step need have: 'About' may still be on its way."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    outcome: Literal["published", "duplicate", "rejected"]


class IngestFailed(Event, frozen=True, kw_only=True, tag="ingest.failed"):
    """A step gave up. Where `rejected`, the upload itself is at fault; else an operator can retry from that step.

    Nothing that was found out is forgotten, and unless it was rejected its bytes are kept.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    step: StepName
    reason: str
    rejected: bool


class IngestRetried(Event, frozen=True, kw_only=True, tag="ingest.retried"):
    """Somebody asked for the failed step to be tried again. What was done before it is not done again."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    step: StepName


class ContentClaimed(Event, frozen=True, kw_only=True, tag="content.claimed"):
    """These bytes belong to this track: the same file uploaded twice at one moment has one winner.

    The entity is the hash. A later claim takes over from a track whose ingest failed. That the bytes are sound, or that
    no other file sounds the same, it does not say.
    """

    entity_field: ClassVar[str] = "sha256"

    sha256: ContentHash
    track_id: TrackId


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """Where one step of an upload stands."""

    name: StepName
    state: StepState
    attempts: int
    error: str | None = None
    job_id: JobId | None = None
    started_at: str | None = None
    ended_at: str | None = None


class IngestView(msgspec.Struct, frozen=True, kw_only=True):
    """Where one upload stands. `notes` say what was left out or mended without harm (a cover that is no picture)."""

    track_id: TrackId
    status: TrackStatus
    steps: tuple[StepView, ...]
    file_name: str
    started_at: str
    updated_at: str
    reason: str | None = None
    notes: tuple[str, ...] = ()


class ShowIngest(Command[IngestView], frozen=True, kw_only=True, tag="ingest.show-ingest"):
    """One upload with all its steps."""

    track_id: TrackId


class ListIngests(Command[Page[IngestView]], frozen=True, kw_only=True, tag="ingest.list-ingests"):
    """Uploads that are stuck (running, and nothing new for `stuck_after_seconds`), running or failed; newest first."""

    state: Literal["stuck", "running", "failed"] | None = None
    stuck_after_seconds: float = 120.0
    limit: int = 50
    cursor: str | None = None


class RetryIngest(Command[IngestView], frozen=True, kw_only=True, tag="ingest.retry-ingest"):
    """Go on from the step that failed."""

    track_id: TrackId
