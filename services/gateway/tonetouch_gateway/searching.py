"""Finding tracks, artists, albums and playlists, typed or spoken; and tracks that are like another.

Asks `SearchTracks`, `SearchByVoice` and `FindSimilar`, then `ListTracks` for what there is to see of the tracks. What
was spoken lies under ``incoming/<id>.voice`` for as long as it is listened to.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, Field

from tonetouch_contracts.finding import (
    FindSimilar,
    Found,
    FoundKind,
    Results,
    SearchByVoice,
    SearchedIn,
    SearchTracks,
)
from tonetouch_contracts.message import Page
from tonetouch_gateway.asking import Ask, Asking, OnFloor
from tonetouch_gateway.browsing import tracks_by_id
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import Cursor, Limit, Listing, TrackInPath
from tonetouch_gateway.multipart import StoredFile, read_upload
from tonetouch_gateway.problems import documented
from tonetouch_gateway.track import Track
from tonetouch_runtime import Floor, ObjectStoreUnavailable

router = APIRouter(tags=["searching"])

VOICE_BYTES = 8 * 1024 * 1024
VOICE_SECONDS = 120.0
"""How long an answer to what was spoken may take: the embedded engine listens about as long as somebody spoke."""
_KINDS: tuple[SearchedIn, ...] = get_args(SearchedIn)
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "A recording: WAV, Ogg, WebM, MP3 or M4A."}
    },
}
_OPENAPI: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
}


def _worded(text: str) -> str:
    words = " ".join(text.replace("\0", " ").split())
    if not words:
        raise ValueError("there are no words in it")
    return words


def _kinds(text: str) -> str:
    kinds = [kind.strip() for kind in text.split(",")]
    if odd := [kind for kind in kinds if kind not in _KINDS]:
        raise ValueError(f"there is no {odd[0][:40]!r} to search in, only {', '.join(_KINDS)}")
    return ",".join(dict.fromkeys(kinds))


Question = Annotated[str, Query(max_length=500, description="A sentence or a few words."), AfterValidator(_worded)]
SearchIn = Annotated[
    str,
    Query(
        alias="in",
        max_length=100,
        description="What is looked for, with commas: tracks, lyrics, artists, albums, playlists (one's own).",
    ),
    AfterValidator(_kinds),
]
Language = Annotated[
    str | None, Query(pattern="^[a-z]{2}$", description="What is spoken, as ISO 639-1; none leaves it to be heard.")
]


class FoundTrack(BaseModel):
    """A track that is like another."""

    track: Track
    score: float = Field(description="Cosine: the higher, the nearer.")
    where: str = Field(description="Where it was found: in its description or its lyrics.")
    passage: str | None = Field(description="The passage of the lyrics.")


class FoundThing(BaseModel):
    """Something that answers the question."""

    kind: FoundKind = Field(description="What it is; tracks only unless `in` asks for more.")
    id: str
    track: Track | None = Field(description="The track; null for all else.")
    name: str | None = Field(description="The name of what is no track.")
    by: str | None = Field(description="The artist of an album.")
    score: float = Field(description="The higher, the better; it compares within one answer only.")
    where: str = Field(description="Where it was found: title, artist, album, lyrics, description or tracks.")
    passage: str | None = Field(description="The passage of the lyrics.")
    sung: tuple[int, int] | None = Field(
        description="The part of the passage that was asked for word by word: first character, and the one after it."
    )


class Searched(Listing[FoundThing]):
    """One page of what was found."""

    reason: str | None = Field(description="Why nothing was found, or not all that might have been.")


class Spoken(Searched):
    """What was said, and what is found under these words; further pages are asked for as a search of the transcript."""

    transcript: str
    language: str | None = Field(description="ISO 639-1.")
    seconds: float | None = Field(description="How long the recording is.")


@router.get("/search")
async def search_tracks(
    q: Question,
    ask: Ask,
    user: Identified,
    kinds: SearchIn = "tracks,lyrics",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Searched:
    """What answers a few words: by names, mistyped too, by lines of lyrics, and by meaning; the best first."""
    question = SearchTracks(
        query=q,
        limit=limit,
        cursor=cursor,
        explicit_allowed=user.explicit_allowed,
        kinds=_named(kinds),
        user_id=user.id,
    )
    found = await ask(question)
    return Searched(items=await _things(ask, found), next_cursor=found.next_cursor, reason=found.reason)


@router.post("/search/voice", openapi_extra=_OPENAPI, responses=documented("too_large", "unsupported"))
async def search_by_voice(
    request: Request,
    ask: Ask,
    floor: OnFloor,
    user: Identified,
    kinds: SearchIn = "tracks,lyrics",
    limit: Limit = 20,
    language: Language = None,
) -> Spoken:
    """The same for what is said in a short recording. One without words is answered with an empty transcript."""
    key = f"incoming/{floor.clock.new_id()}.voice"
    try:
        file = await _stored(request, floor, key)
        question = SearchByVoice(
            object_key=key,
            media_type=file.content_type,
            language=language,
            limit=limit,
            explicit_allowed=user.explicit_allowed,
            kinds=_named(kinds),
            user_id=user.id,
        )
        heard = await ask(question, timeout=VOICE_SECONDS)
    finally:
        await _forget(floor, key)
    return Spoken(
        items=await _things(ask, heard.results),
        next_cursor=heard.results.next_cursor,
        reason=heard.results.reason,
        transcript=heard.transcript,
        language=heard.language,
        seconds=heard.seconds,
    )


@router.get("/tracks/{track_id}/similar", responses=documented("not_found", "conflict"))
async def find_similar(
    track_id: TrackInPath, ask: Ask, user: Identified, limit: Limit = 20, cursor: Cursor = None
) -> Listing[FoundTrack]:
    """Published tracks that are like this one, the nearest first."""
    question = FindSimilar(track_id=track_id, limit=limit, cursor=cursor, explicit_allowed=user.explicit_allowed)
    return await _similar(ask, await ask(question))


def _named(kinds: str) -> tuple[SearchedIn, ...]:
    return tuple(kind for kind in _KINDS if kind in kinds.split(","))


async def _stored(request: Request, floor: Floor, key: str) -> StoredFile:
    form = await read_upload(request, store=lambda file: floor.objects.upload(key, file), max_bytes=VOICE_BYTES)
    return form.file


async def _forget(floor: Floor, key: str) -> None:
    """Nobody keeps what was said; what a lost connection leaves is swept like any upload that nobody took."""
    with suppress(ObjectStoreUnavailable):
        await asyncio.shield(floor.objects.delete(key))


async def _things(ask: Asking, found: Results) -> list[FoundThing]:
    """What was found with what there is to see of it. What catalog does not show (any more) is left out."""
    tracks = await _tracks(ask, found.items)
    return [
        FoundThing(
            kind=one.kind,
            id=one.id or one.track_id,
            track=tracks.get(one.track_id),
            name=one.name,
            by=one.by,
            score=one.score,
            where=one.where,
            passage=one.passage,
            sung=one.sung,
        )
        for one in found.items
        if one.kind != "track" or one.track_id in tracks
    ]


async def _similar(ask: Asking, page: Page[Found]) -> Listing[FoundTrack]:
    tracks = await _tracks(ask, page.items)
    items = [
        FoundTrack(track=tracks[found.track_id], score=found.score, where=found.where, passage=found.passage)
        for found in page.items
        if found.track_id in tracks
    ]
    return Listing(items=items, next_cursor=page.next_cursor)


async def _tracks(ask: Asking, found: Sequence[Found]) -> dict[Any, Track]:
    ids = [one.track_id for one in found if one.kind == "track"]
    return dict(await tracks_by_id(ask, ids)) if ids else {}
