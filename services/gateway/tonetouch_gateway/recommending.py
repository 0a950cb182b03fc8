"""Lists made for the listener who asks: mixes, a radio, ways between songs, alchemy.

Asks `MakeForYou`, `MakeBecause`, `MakeNewForYou`, `TuneRadio`, `MakeMoodMix`, `FindPath` and `MixAlchemy`, then
`ListTracks` for what there is to see of the tracks.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from tonetouch_contracts import finding
from tonetouch_contracts.finding import (
    Filters,
    FindPath,
    MakeBecause,
    MakeForYou,
    MakeMoodMix,
    MakeNewForYou,
    MixAlchemy,
    TuneRadio,
)
from tonetouch_contracts.identity import TrackId
from tonetouch_gateway.asking import Ask, Asking
from tonetouch_gateway.browsing import tracks_by_id
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import ID_PATTERN, Cursor, Listing, TrackInPath
from tonetouch_gateway.problems import documented
from tonetouch_gateway.track import Track

router = APIRouter(tags=["recommending"])

MOST = 100
LONGEST_NAME = 100

Most = Annotated[int, Query(ge=1, le=MOST, description="The most tracks of one list.")]
_SEVERAL = "`track:<id>` or `artist:<id>`; several with commas between them."
Seeds = Annotated[str, Query(min_length=1, max_length=1000, description=_SEVERAL)]
Name = Annotated[str | None, Query(min_length=1, max_length=LONGEST_NAME)]
Share = Annotated[float | None, Query(ge=0, le=1)]
Tempo = Annotated[float | None, Query(ge=0, le=1000)]
Year = Annotated[int | None, Query(ge=0, le=9999)]


class MixedTrack(BaseModel):
    """A track of a list."""

    track: Track
    score: float = Field(description="How near it is to what the list starts from: the higher, the nearer.")
    because: list[str] = Field(description="The ids of the tracks that speak for it.")


class Mix(BaseModel):
    """A list made for one listener."""

    id: str
    list_id: str | None = Field(description="Under which the list was recorded: `/api/v1/me/lists/{list_id}`.")
    name: str
    reason: str = Field(description="Why these tracks, in words.")
    tracks: list[MixedTrack]


class Selection(BaseModel):
    """Tracks in the order to play them."""

    list_id: str = Field(description="Under which the list was recorded: `/api/v1/me/lists/{list_id}`.")
    name: str
    reason: str = Field(description="Why these tracks, or why there are none, in words.")
    tracks: list[MixedTrack]
    next_cursor: str | None = Field(description="Asks for what comes after; null where nothing does.")


@router.get("/me/made-for-you")
async def made_for_you(ask: Ask, user: Identified, limit: Most = 20) -> Listing[Mix]:
    """Mixes from what the listener has heard, without what they have just heard."""
    page = await ask(
        MakeForYou(user_id=user.id, region=user.region, explicit_allowed=user.explicit_allowed, limit=limit)
    )
    tracks = await _seen(ask, (track for mix in page.items for track in mix.tracks))
    mixes = [
        Mix(id=mix.id, list_id=mix.list_id, name=mix.name, reason=mix.reason, tracks=_shown(mix.tracks, tracks))
        for mix in page.items
    ]
    return Listing(items=mixes, next_cursor=page.next_cursor)


@router.get("/me/because/{track_id}", responses=documented("not_found"))
async def make_because(track_id: TrackInPath, ask: Ask, user: Identified, limit: Most = 20) -> Selection:
    """A mix around a track that was heard, without what was heard lately."""
    question = MakeBecause(
        user_id=user.id, track_id=track_id, region=user.region, explicit_allowed=user.explicit_allowed, limit=limit
    )
    return await _selection(ask, await ask(question))


@router.get("/me/new-for-you")
async def make_new_for_you(ask: Ask, user: Identified, limit: Most = 20) -> Selection:
    """What was published lately and lies near the listener's taste."""
    question = MakeNewForYou(user_id=user.id, region=user.region, explicit_allowed=user.explicit_allowed, limit=limit)
    return await _selection(ask, await ask(question))


def narrowed(
    genre: Name = None,
    mood: Name = None,
    language: Name = None,
    year_from: Year = None,
    year_to: Year = None,
    energy_from: Share = None,
    energy_to: Share = None,
    bpm_from: Tempo = None,
    bpm_to: Tempo = None,
) -> Filters:
    """The dependency behind `Narrowed`. What is not known of a track does not pass a filter on it."""
    return Filters(
        genre=genre,
        mood=mood,
        language=language,
        year_from=year_from,
        year_to=year_to,
        energy_from=energy_from,
        energy_to=energy_to,
        bpm_from=bpm_from,
        bpm_to=bpm_to,
    )


Narrowed = Annotated[Filters, Depends(narrowed)]


@router.get("/radio", responses=documented("not_found"))
async def tune_radio(
    ask: Ask,
    user: Identified,
    filters: Narrowed,
    seed: Annotated[
        str, Query(max_length=200, description="`track:<id>`, `artist:<id>`, `mood:<name>` or `genre:<name>`.")
    ],
    limit: Most = 20,
    cursor: Cursor = None,
) -> Selection:
    """The next tracks of an endless radio: ask again with `next_cursor` before they end."""
    question = TuneRadio(
        user_id=user.id,
        seed=seed,
        region=user.region,
        explicit_allowed=user.explicit_allowed,
        limit=limit,
        cursor=cursor,
        filters=filters,
    )
    return await _selection(ask, await ask(question))


@router.get("/mixes/mood/{name}", responses=documented("not_found"))
async def make_mood_mix(
    name: Annotated[str, Path(min_length=1, max_length=LONGEST_NAME, description="A mood, such as `calm`.")],
    ask: Ask,
    user: Identified,
    filters: Narrowed,
    limit: Most = 20,
) -> Selection:
    """A mix of one mood, near the listener's taste."""
    question = MakeMoodMix(
        user_id=user.id,
        mood=name,
        region=user.region,
        explicit_allowed=user.explicit_allowed,
        limit=limit,
        filters=filters,
    )
    return await _selection(ask, await ask(question))


@router.get("/path", responses=documented("not_found", "conflict"))
async def find_path(
    ask: Ask,
    user: Identified,
    start: Annotated[str, Query(alias="from", pattern=ID_PATTERN, description="The track to begin with.")],
    end: Annotated[str, Query(alias="to", pattern=ID_PATTERN, description="The track to end with.")],
    limit: Annotated[int, Query(ge=3, le=50, description="The most tracks of the way, with both ends.")] = 12,
) -> Selection:
    """A smooth way from one song to another."""
    question = FindPath(
        user_id=user.id,
        start=TrackId(start),
        end=TrackId(end),
        region=user.region,
        explicit_allowed=user.explicit_allowed,
        limit=limit,
    )
    return await _selection(ask, await ask(question))


@router.get("/alchemy", responses=documented("not_found"))
async def mix_alchemy(
    ask: Ask,
    user: Identified,
    add: Seeds,
    subtract: Annotated[str, Query(max_length=1000, description=_SEVERAL)] = "",
    limit: Most = 20,
) -> Selection:
    """Tracks near what is added and far from what is subtracted."""
    question = MixAlchemy(
        user_id=user.id,
        add=_several(add),
        subtract=_several(subtract),
        region=user.region,
        explicit_allowed=user.explicit_allowed,
        limit=limit,
    )
    return await _selection(ask, await ask(question))


def _several(said: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in said.split(",") if part.strip())


async def _selection(ask: Asking, made: finding.Selection) -> Selection:
    """A list with what there is to see of its tracks. What catalog does not show (any more) is left out."""
    return Selection(
        list_id=made.list_id,
        name=made.name,
        reason=made.reason,
        tracks=_shown(made.tracks, await _seen(ask, made.tracks)),
        next_cursor=made.next_cursor,
    )


async def _seen(ask: Asking, mixed: Iterable[finding.MixTrack]) -> Mapping[TrackId, Track]:
    ids = [track.track_id for track in mixed]
    return await tracks_by_id(ask, ids) if ids else {}


def _shown(mixed: Iterable[finding.MixTrack], tracks: Mapping[TrackId, Track]) -> list[MixedTrack]:
    return [
        MixedTrack(track=tracks[one.track_id], score=one.score, because=list(one.because))
        for one in mixed
        if one.track_id in tracks
    ]
