"""Questions about sound, meaning and taste, answered by recommend from its five indexes."""

from typing import Annotated, Literal

import msgspec

from tonetouch_contracts.identity import ListId, TrackId, UserId
from tonetouch_contracts.message import Command, Page
from tonetouch_contracts.personal import WORDS


class SoundMatch(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier track that may be the same recording or a version of it.

    `cosine` says how near its fingerprint lies. It is None for one that was found by its progression only, and for
    short ones, which are matched by length as well.
    """

    track_id: TrackId
    cosine: float | None
    duration_seconds: float


class SoundMatches(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest earlier tracks, best first."""

    items: tuple[SoundMatch, ...]


class FindSounds(Command[SoundMatches], frozen=True, kw_only=True, tag="recommend.find-sounds"):
    """Earlier tracks that may be the same recording.

    Only tracks whose `audio.fingerprinted` stands before `before` on INGEST count, and the answer waits until the index
    has seen all of those: of two uploads of one song exactly one is the earlier. `limit` is for each way of looking.
    """

    track_id: TrackId
    vector: bytes | None
    duration_seconds: float
    before: int
    limit: int = 10
    progression: bytes | None = None


SearchedIn = Literal["tracks", "lyrics", "artists", "albums", "playlists"]
FoundKind = Literal["track", "artist", "album", "playlist"]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something that answers a question: higher scores answer better, and compare within one list only.

    `id` is of what `kind` says; `track_id` is the same for a track and empty for all else, of which `name` (and of an
    album `by`, its artist) is told. Found in lyrics it comes with the passage; `sung` are the first and the last
    character in it, counted from 0, the last not included, where the words stand just so.
    """

    track_id: TrackId
    score: float
    where: str
    passage: str | None = None
    kind: FoundKind = "track"
    id: str = ""
    name: str | None = None
    by: str | None = None
    sung: tuple[int, int] | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what was found, and the cursor of the next one.

    An empty first page says why in `reason`, and so does one that leaves out what a question means.
    """

    items: tuple[Found, ...]
    next_cursor: str | None = None
    reason: str | None = None


class SearchTracks(Command[Results], frozen=True, kw_only=True, tag="recommend.search-tracks"):
    """What is on offer under these words: by names, with mistakes too, by lines of lyrics, and by what they mean.

    `kinds` says what is looked for; ``lyrics`` are tracks by what is sung in them. Playlists are found by the listener
    who made them.
    """

    query: Annotated[str, WORDS]
    limit: int = 20
    cursor: str | None = None
    region: str | None = None
    explicit_allowed: bool = True
    kinds: tuple[SearchedIn, ...] = ("tracks", "lyrics")
    user_id: UserId | None = None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in a recording, and what is found under these words. Where nothing was said `results` says so."""

    transcript: str
    results: Results
    language: str | None = None
    seconds: float | None = None


class SearchByVoice(Command[Heard], frozen=True, kw_only=True, tag="recommend.search-by-voice"):
    """The same for what is said in a recording that lies in the object store under `object_key`.

    Who asks puts it there and takes it away. `language` is an ISO 639-1 code; null leaves it to the model to hear.
    """

    object_key: str
    media_type: str
    language: str | None = None
    limit: int = 20
    region: str | None = None
    explicit_allowed: bool = True
    kinds: tuple[SearchedIn, ...] = ("tracks", "lyrics")
    user_id: UserId | None = None


class FindSimilar(Command[Page[Found]], frozen=True, kw_only=True, tag="recommend.find-similar"):
    """Published tracks that are like this one; for a listener without what they want never again, and recorded."""

    track_id: TrackId
    limit: int = 20
    cursor: str | None = None
    region: str | None = None
    explicit_allowed: bool = True
    user_id: UserId | None = None


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
    """Mixes from the listener's taste: what lies near its interests, of their region, without what was just heard."""

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
