"""Questions about sound, meaning and taste, answered by recommend from its five indexes."""

import msgspec

from tonetouch_contracts.identity import ListId, TrackId, UserId
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


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener narrows a list down to. What is null lets everything pass; bounds belong to their range.

    A track of which the fact is not known does not pass. `language` is ISO 639-3, `energy_from` and `energy_to` lie
    between 0 and 1.
    """

    genre: str | None = None
    mood: str | None = None
    language: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    energy_from: float | None = None
    energy_to: float | None = None
    bpm_from: float | None = None
    bpm_to: float | None = None


class MixTrack(msgspec.Struct, frozen=True, kw_only=True):
    """A track of a mix, with the tracks the listener heard that speak for it."""

    track_id: TrackId
    score: float
    because: tuple[TrackId, ...]


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """A list made for one listener, with its reason in words. `list_id` is what it was recorded under when served."""

    id: str
    name: str
    reason: str
    tracks: tuple[MixTrack, ...]
    list_id: ListId | None = None


class MakeForYou(Command[Page[Mix]], frozen=True, kw_only=True, tag="recommend.make-for-you"):
    """Mixes from the listener's taste: one similarity query, filtered by region, explicit and what was just heard."""

    user_id: UserId
    region: str
    explicit_allowed: bool
    limit: int = 20


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Tracks in the order to play them, and why these; without tracks the reason says why there are none.

    `list_id` is what it was recorded under. With a cursor it goes on.
    """

    list_id: ListId
    name: str
    reason: str
    tracks: tuple[MixTrack, ...]
    next_cursor: str | None = None


class MakeBecause(Command[Selection], frozen=True, kw_only=True, tag="recommend.make-because"):
    """A mix around one published track, for a listener who heard it, without what they heard lately."""

    user_id: UserId
    track_id: TrackId
    region: str
    explicit_allowed: bool
    limit: int = 20


class MakeNewForYou(Command[Selection], frozen=True, kw_only=True, tag="recommend.make-new-for-you"):
    """What was published lately and lies near the listener's taste, without what they have heard."""

    user_id: UserId
    region: str
    explicit_allowed: bool
    limit: int = 20


class TuneRadio(Command[Selection], frozen=True, kw_only=True, tag="recommend.tune-radio"):
    """The next tracks of a radio. `seed` is ``track:<id>``, ``artist:<id>``, ``mood:<name>`` or ``genre:<name>``.

    It goes on for ever: each cursor gives what comes after, and no track comes twice before all have come once.
    """

    user_id: UserId
    seed: str
    region: str
    explicit_allowed: bool
    limit: int = 20
    cursor: str | None = None
    filters: Filters = Filters()


class MakeMoodMix(Command[Selection], frozen=True, kw_only=True, tag="recommend.make-mood-mix"):
    """A mix of one mood: of its tracks those that are nearest to the listener's taste, or most typical without one."""

    user_id: UserId
    mood: str
    region: str
    explicit_allowed: bool
    limit: int = 20
    filters: Filters = Filters()


class FindPath(Command[Selection], frozen=True, kw_only=True, tag="recommend.find-path"):
    """A smooth way from one published track to another: `limit` tracks with both ends, none of them twice."""

    user_id: UserId
    start: TrackId
    end: TrackId
    region: str
    explicit_allowed: bool
    limit: int = 12


class MixAlchemy(Command[Selection], frozen=True, kw_only=True, tag="recommend.mix-alchemy"):
    """Tracks near what is added and far from what is subtracted: ``track:<id>`` or ``artist:<id>`` each."""

    user_id: UserId
    add: tuple[str, ...]
    region: str
    explicit_allowed: bool
    subtract: tuple[str, ...] = ()
    limit: int = 20
