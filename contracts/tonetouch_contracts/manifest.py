"""The manifest: every stream, who owns it, what it says, and every durable consumer.

An operator's command applies it; a service only checks it at start and refuses to run where the server differs.
"""

from collections.abc import Iterable
from typing import get_args

import msgspec

from tonetouch_contracts import copy, feedback, indexing, job, ledger, play, playlist, serving, track, upload
from tonetouch_contracts.message import Event
from tonetouch_contracts.subjects import queue_subject, type_filter
from tonetouch_contracts.vocabulary import Upcaster, Vocabulary


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """A shape that is said no more, under whose name the log still holds events, and the way to what took its place.

    `upcast` is pure and never refuses: whatever decodes as `shape` becomes a `successor`, which may be retired itself.
    """

    shape: type[Event]
    successor: type[Event]
    upcast: Upcaster


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of truth: one owner appends, nothing is ever removed, every listed subject is an event type."""

    name: str
    owner: str
    says: tuple[type[Event], ...]
    promise: str
    retired: tuple[Retired, ...] = ()

    @property
    def subjects(self) -> list[str]:
        """One filter per event type. Never ``noun.*.*``: a mistyped request would be stored as a fact."""
        return [type_filter(event.wire_name()) for event in (*self.says, *(gone.shape for gone in self.retired))]

    def filters(self, event: type[Event]) -> tuple[str, ...]:
        """Where to listen for all events that are read as this type: under its name, and under those it grew out of."""
        earlier = [pattern for gone in self.retired if gone.successor is event for pattern in self.filters(gone.shape)]
        return (type_filter(event.wire_name()), *earlier)


class WorkQueue(msgspec.Struct, frozen=True, kw_only=True):
    """Work that waits for a worker. Not truth: a message goes when it is done, and the log can ask for it again.

    A queue holds at most one message per step and entity, so asking for the same work twice is asking once.
    """

    name: str
    segment: str
    owner: str
    steps: tuple[str, ...]
    promise: str

    @property
    def subjects(self) -> list[str]:
        return [queue_subject(self.segment, step) for step in self.steps]


class Leases(msgspec.Struct, frozen=True, kw_only=True):
    """One message per key that all processes see, each with a time to live. Not truth: it runs out unless renewed.

    Who does a thing that is to be done once, or what many take a share of.
    """

    name: str
    segment: str
    owner: str
    promise: str

    @property
    def subjects(self) -> list[str]:
        return [self.subject("*")]

    def subject(self, key: str) -> str:
        """The one message that is the lease on `key`."""
        return f"lease.{self.segment}.{key}"


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """A durable consumer: the place up to which one service has reacted to a stream, or taken from a queue."""

    name: str
    stream: str
    owner: str
    filters: tuple[str, ...]
    ack_wait_seconds: float = 30.0
    max_ack_pending: int = 256


STREAMS: tuple[Stream, ...] = (
    Stream(
        name="CATALOG",
        owner="catalog",
        says=(
            track.TrackUploaded,
            track.TrackPublished,
            track.TrackDuplicated,
            track.TrackRejected,
            track.TrackDescribed,
            track.ArtistAdded,
            track.AlbumAdded,
            track.GenreAdded,
            track.LyricsAdded,
            track.MediaAdded,
            track.TrackRelated,
        ),
        promise="What exists: tracks and all that belongs to them. In order per entity; kept for ever.",
    ),
    Stream(
        name="LIBRARY",
        owner="catalog",
        says=(
            play.PlayRecorded,
            feedback.FeedbackGiven,
            playlist.PlaylistCreated,
            playlist.PlaylistRenamed,
            playlist.PlaylistTracksAdded,
            playlist.PlaylistTracksRemoved,
            playlist.PlaylistDeleted,
        ),
        promise="What listeners did, said and gathered. In order per entity; kept for ever.",
    ),
    Stream(
        name="INGEST",
        owner="ingest",
        says=(
            upload.IngestStarted,
            upload.StepStarted,
            upload.StepFailed,
            upload.StepSkipped,
            upload.AudioStaged,
            upload.AudioFingerprinted,
            upload.DuplicateDetected,
            upload.AudioCompared,
            upload.AudioAnalysed,
            upload.EmbeddingDone,
            indexing.EmbeddingRenewed,
            upload.CoverDescribed,
            upload.AboutWritten,
            upload.IngestCompleted,
            upload.IngestFailed,
            upload.IngestRetried,
            upload.ContentClaimed,
            upload.AboutWanted,
            upload.RelationRuled,
        ),
        promise="How uploads become tracks, step by step. In order per upload; kept for ever.",
    ),
    Stream(
        name="RECOMMEND",
        owner="recommend",
        says=(serving.ListServed,),
        promise="Lists that were served and all they were made from, 2 to 12 kB a list. Kept for ever.",
    ),
    Stream(
        name="AGENTS",
        owner="agents",
        says=(
            copy.CopyAsked,
            copy.CopyBegun,
            copy.DraftDiscarded,
            copy.CopyWritten,
            copy.CopySkipped,
            copy.CopyFailed,
            copy.ContextBuilt,
            copy.RefreshBegun,
            copy.RefreshAdvanced,
            copy.RefreshCompleted,
        ),
        promise="Texts, sentence by sentence with their facts. In order per text; kept for ever.",
    ),
    Stream(
        name="AI",
        owner="every service",
        says=(
            job.JobStarted,
            job.JobRecorded,
            job.JobThrottled,
            job.JobRepriced,
            job.BudgetExhausted,
            ledger.BudgetSet,
        ),
        promise="Every AI call and accounted step, without texts. In order per job, one writer each; kept for ever.",
    ),
)

QUEUES: tuple[WorkQueue, ...] = (
    WorkQueue(
        name="INGEST_Q",
        segment="ingest",
        owner="ingest",
        steps=(*get_args(upload.StepName), indexing.REEMBED),
        promise="Steps of uploads and texts to embed again; every model call of ingest goes through here.",
    ),
    WorkQueue(
        name="AGENTS_Q",
        segment="agents",
        owner="agents",
        steps=("refresh",),
        promise="The refresh of a night that waits for its worker; one worker has it, whatever number there is.",
    ),
)


AI_LEASES = Leases(
    name="AI_LEASES",
    segment="ai",
    owner="every service",
    promise="Who is asking a model what, by input hash, so that the same question is asked once. Gone within seconds.",
)

AI_SHARES = Leases(
    name="AI_SHARES",
    segment="ai-share",
    owner="every service",
    promise="What is left of a provider's limit a minute and of a budget a day. Not truth: the ledger knows the sums.",
)

LEASES: tuple[Leases, ...] = (AI_LEASES, AI_SHARES)


def _step(name: str, *, ack_wait_seconds: float = 30.0, max_ack_pending: int = 64) -> Consumer:
    return Consumer(
        name=f"ingest-{name.replace('_', '-')}",
        stream="INGEST_Q",
        owner="ingest",
        filters=(queue_subject("ingest", name),),
        ack_wait_seconds=ack_wait_seconds,
        max_ack_pending=max_ack_pending,
    )


def _hears(name: str, stream: str, owner: str, *events: type[Event]) -> Consumer:
    (source,) = (declared for declared in STREAMS if declared.name == stream)
    filters = tuple(pattern for event in events for pattern in source.filters(event))
    return Consumer(name=name, stream=stream, owner=owner, filters=filters)


CONSUMERS: tuple[Consumer, ...] = (
    _hears("ingest-starting", "CATALOG", "ingest", track.TrackUploaded),
    _hears(
        "ingest-progressing",
        "INGEST",
        "ingest",
        upload.IngestStarted,
        upload.StepFailed,
        upload.StepSkipped,
        upload.AudioStaged,
        upload.AudioFingerprinted,
        upload.DuplicateDetected,
        upload.AudioCompared,
        upload.AudioAnalysed,
        upload.EmbeddingDone,
        upload.CoverDescribed,
        upload.AboutWritten,
        upload.IngestFailed,
        upload.IngestRetried,
        upload.RelationRuled,
    ),
    _hears("ingest-ruling", "CATALOG", "ingest", track.TrackRelated),
    _hears("ingest-writing", "AGENTS", "ingest", copy.CopyWritten, copy.CopySkipped, copy.CopyFailed),
    *(_step(name) for name in QUEUES[0].steps),
    _hears("agents-asking", "INGEST", "agents", upload.AboutWanted),
    _hears("agents-writing", "AGENTS", "agents", copy.CopyAsked),
    Consumer(
        name="agents-refresh",
        stream="AGENTS_Q",
        owner="agents",
        filters=(queue_subject("agents", "refresh"),),
        # One at a time, across all processes.
        max_ack_pending=1,
    ),
)


def vocabulary(streams: Iterable[Stream]) -> Vocabulary:
    """How the events of these streams are read, those under retired names among them.

    Raises ValueError where a retired shape does not lead, over others or at once, to one that its stream says.
    """
    streams = tuple(streams)
    for stream in streams:
        _refuse_lost(stream)
    upcasters = {gone.shape: gone.upcast for stream in streams for gone in stream.retired}
    return Vocabulary([event for stream in streams for event in stream.says], upcasters)


def _refuse_lost(stream: Stream) -> None:
    successors = {gone.shape: gone.successor for gone in stream.retired}
    for shape in successors:
        passed, reached = {shape}, successors[shape]
        while reached in successors and reached not in passed:
            passed.add(reached)
            reached = successors[reached]
        if reached not in stream.says:
            raise ValueError(f"{shape.wire_name()} is retired, and {stream.name} says nothing it leads to")


EVENTS: tuple[type[Event], ...] = tuple(event for stream in STREAMS for event in stream.says)
VOCABULARY = vocabulary(STREAMS)

_STREAM_OF = {event: stream for stream in STREAMS for event in stream.says}


def stream_of(event: type[Event]) -> Stream:
    """The stream an event type is said on. Raises KeyError for a type that none declares, or that is said no more."""
    return _STREAM_OF[event]


def queue_named(name: str) -> WorkQueue:
    """The declared queue of this name. Raises KeyError."""
    return _QUEUES[name]


def consumer(name: str) -> Consumer:
    """The declared consumer of this name. Raises KeyError."""
    return _CONSUMERS[name]


_QUEUES = {declared.name: declared for declared in QUEUES}
_CONSUMERS = {declared.name: declared for declared in CONSUMERS}
