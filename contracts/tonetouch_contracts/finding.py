"""Questions about sound, meaning and taste, answered by recommend from its five indexes."""

import msgspec

from tonetouch_contracts.identity import TrackId, UserId
from tonetouch_contracts.message import Command, Page


class SoundMatch(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier track whose fingerprint lies near; `cosine` is None for short ones, which are matched by length."""

    track_id: TrackId
    cosine: float | None
    duration_seconds: float


class SoundMatches(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest earlier tracks, best first."""

    items: tuple[SoundMatch, ...]


class FindSounds(Command[SoundMatches], frozen=True, kw_only=True, tag="recommend.find-sounds"):
    """Earlier tracks that may be the same recording.

    Only tracks whose `audio.fingerprinted` stands before `before` on INGEST count, and the answer waits until the index
    has seen all of those: of two uploads of one song exactly one is the earlier.
    """

    track_id: TrackId
    vector: bytes | None
    duration_seconds: float
    before: int
    limit: int = 10


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A track that answers a question, with its score (cosine, higher is nearer) and, in lyrics, the passage."""

    track_id: TrackId
    score: float
    where: str
    passage: str | None = None


class SearchTracks(Command[Page[Found]], frozen=True, kw_only=True, tag="recommend.search-tracks"):
    """Published tracks by the meaning of a sentence, in descriptions and in lyrics."""

    query: str
    limit: int = 20
    cursor: str | None = None
    region: str | None = None
    explicit_allowed: bool = True


class FindSimilar(Command[Page[Found]], frozen=True, kw_only=True, tag="recommend.find-similar"):
    """Published tracks that are like this one."""

    track_id: TrackId
    limit: int = 20
    cursor: str | None = None
    region: str | None = None
    explicit_allowed: bool = True


class MixTrack(msgspec.Struct, frozen=True, kw_only=True):
    """A track of a mix, with the tracks the listener heard that speak for it."""

    track_id: TrackId
    score: float
    because: tuple[TrackId, ...]


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """A list made for one listener, with its reason in words."""

    id: str
    name: str
    reason: str
    tracks: tuple[MixTrack, ...]


class MakeForYou(Command[Page[Mix]], frozen=True, kw_only=True, tag="recommend.make-for-you"):
    """Mixes from the listener's taste: one similarity query, filtered by region, explicit and what was just heard."""

    user_id: UserId
    region: str
    explicit_allowed: bool
    limit: int = 20
