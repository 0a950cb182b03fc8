"""The five indexes as an operator sees them, and what is embedded again when the embedding model changes.

Recommend owns the indexes and answers for them; texts are embedded by ingest, which says so on INGEST.
"""

from typing import ClassVar, Literal

import msgspec

from tonetouch_contracts.identity import ContentHash, JobId, TrackId
from tonetouch_contracts.message import Command, Event, Positions
from tonetouch_contracts.upload import EmbeddingKind

IndexName = Literal["tracks", "lyrics", "taste", "playlists", "fingerprints"]
RebuildPhase = Literal["embedding", "filling", "indexing", "done", "cancelled"]

REEMBED = "reembed"
"""The step of INGEST_Q under which tracks wait whose texts are to be embedded again."""

MOST_TRACKS = 500
"""Tracks in one `EmbedAgain`."""


class EmbeddingRenewed(Event, frozen=True, kw_only=True, tag="embedding.renewed"):
    """A text that was embedded before has a vector of another model too; the one it had is still its own.

    The vector is little-endian float16 of `dimension` numbers and belongs to `model` alone. It is null where the model
    will never take the text, for the reason in `refused`. The text is not a new one, and the track's upload is over:
    no step of it begins or ends by this.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    kind: EmbeddingKind
    passage: int
    text: str
    text_hash: ContentHash
    model: str
    dimension: int
    vector: bytes | None
    job_id: JobId | None = None
    refused: str = ""


class EmbeddingQueued(msgspec.Struct, frozen=True, kw_only=True):
    """How many tracks were put on the queue, and the model that ingest embeds with now."""

    model: str
    queued: int


class EmbedAgain(Command[EmbeddingQueued], frozen=True, kw_only=True, tag="ingest.embed-again"):
    """Have the texts of these tracks embedded by the model of now, those it has embedded already excepted.

    It is answered when they wait on INGEST_Q. A track that waits there already, or has no text, is no error.
    """

    track_ids: tuple[TrackId, ...]


class IndexView(msgspec.Struct, frozen=True, kw_only=True):
    """One index. `positions` say up to where of each stream it shows everything, `behind` how many events are left.

    `indexed` of the points are found by index, the rest one by one. `dirty` things are still to be looked at, `refused`
    vectors did not fit since the service started. Bytes are null where the engine does not tell them.
    """

    name: IndexName
    points: int
    indexed: int
    dimension: int
    model: str
    engine: str
    positions: Positions
    behind: int
    dirty: int
    refused: int
    disk_bytes: int | None = None
    memory_bytes: int | None = None


class RebuildView(msgspec.Struct, frozen=True, kw_only=True):
    """The making of new copies that is under way, or the last one since the service started.

    It is asked for, or the routing table gives another embedding model. In the phase `embedding` it counts texts that
    have a vector of the model, in `filling` the tracks, sounds and listeners that are in the copies. `waiting` says
    why it does not go on. Without names there are only texts to embed, for the indexes as they are.
    """

    id: str
    names: tuple[IndexName, ...]
    reason: Literal["asked", "model"]
    model: str
    phase: RebuildPhase
    done: int
    total: int
    started_at: str
    per_second: float | None = None
    seconds_left: float | None = None
    waiting: str = ""


class IndexesView(msgspec.Struct, frozen=True, kw_only=True):
    """All five. `resident_bytes` is what the process that has them holds in memory, its libraries included.

    `search` says how questions are understood: empty is by meaning and name, else why it is by name alone.
    """

    items: tuple[IndexView, ...]
    rebuild: RebuildView | None = None
    resident_bytes: int | None = None
    search: str = ""


class ListIndexes(Command[IndexesView], frozen=True, kw_only=True, tag="recommend.list-indexes"):
    """The indexes with size, model, position and lag, and the rebuild that is under way."""


class RebuildIndexes(Command[IndexesView], frozen=True, kw_only=True, tag="recommend.rebuild-indexes"):
    """Make new copies of these indexes from the tables beside the live ones, which they replace when complete.

    It is answered when the work has begun; questions are answered from the old copies meanwhile. Without names all.
    """

    names: tuple[IndexName, ...] = ()


class CancelRebuild(Command[IndexesView], frozen=True, kw_only=True, tag="recommend.cancel-rebuild"):
    """Leave the indexes as they are and remove the unfinished copies. A change of model cannot be cancelled."""
