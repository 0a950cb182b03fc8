"""Texts about artists, albums and tracks, each sentence with the facts it stands on.

Asks `ListCopy` and `WriteCopy`.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tonetouch_contracts.copy import CopyKind, CopyStatus, CopyView, ListCopy, WriteCopy
from tonetouch_gateway.asking import Ask, Asking
from tonetouch_gateway.listing import ID_PATTERN, Listing, TrackInPath
from tonetouch_gateway.problems import documented

router = APIRouter(tags=["copywriting"])

ArtistInPath = Annotated[str, Path(pattern=ID_PATTERN, description="The `artist_id` of a track.")]
AlbumInPath = Annotated[str, Path(pattern=ID_PATTERN, description="The `album_id` of a track.")]
Kind = Annotated[
    Literal["album_review", "track_notes"] | None, Query(description="Only this one; both where it is left out.")
]


class CitedFact(BaseModel):
    """A fact under the number it had when the text was written."""

    id: str
    name: str
    value: str
    source: str = Field(description="The event it comes from, as its subject in the log, or how it was counted.")


class CopySentence(BaseModel):
    """One sentence."""

    text: str
    facts: list[str] = Field(description="The ids of the facts it stands on.")


class DroppedSentence(BaseModel):
    """A sentence that a model wrote and nobody is shown."""

    text: str
    facts: list[str]
    because: str = Field(description="Why not.")


class Copy(BaseModel):
    """A text as it stands. While another one is being written, or when that failed, the last one stays."""

    id: str
    kind: CopyKind
    subject: str = Field(description="What it is about: `artist:<id>`, `album:<id>`, `track:<id>`.")
    status: CopyStatus = Field(description="How the last request for it went.")
    text: str = Field(description="Its sentences; empty while none was written yet.")
    sentences: list[CopySentence]
    facts: list[CitedFact] = Field(description="The facts that its sentences cite.")
    dropped: list[DroppedSentence] = Field(description="What a model wrote that stood on no facts.")
    job_id: str | None = Field(description="The job it was asked under.")
    written_by: str | None = Field(description="The job whose answer it is: its row is under `/ai/jobs`.")
    prompt: str | None = Field(description="`name@version`.")
    provider: str | None
    model: str | None
    context_sha256: str | None = Field(description="The `context_hash` of its job, where it had a context.")
    reason: str | None = Field(description="Why nothing was written the last time.")
    asked_at: str | None = Field(description="RFC 3339, UTC.")
    written_at: str | None = Field(description="RFC 3339, UTC.")

    @classmethod
    def of(cls, view: CopyView) -> Self:
        """A text as agents shows it."""
        return cls.model_validate(msgspec.to_builtins(view))


@router.get("/artists/{artist_id}/copy")
async def list_artist_copy(artist_id: ArtistInPath, ask: Ask) -> Listing[Copy]:
    """The texts about an artist; an empty list where nobody has asked for any."""
    return await _list(f"artist:{artist_id}", ask)


@router.get("/albums/{album_id}/copy")
async def list_album_copy(album_id: AlbumInPath, ask: Ask, kind: Kind = None) -> Listing[Copy]:
    """The texts about an album: its review, and notes track by track."""
    return await _list(f"album:{album_id}", ask, kind)


@router.get("/tracks/{track_id}/copy")
async def list_track_copy(track_id: TrackInPath, ask: Ask) -> Listing[Copy]:
    """The texts about a track: what its `about` says, with the facts behind it."""
    return await _list(f"track:{track_id}", ask)


@router.post("/artists/{artist_id}/copy", status_code=202, responses=documented("not_found"))
async def write_artist_copy(artist_id: ArtistInPath, ask: Ask) -> Listing[Copy]:
    """Ask for the texts about an artist. They come a little later: list them until none is `asked` any more."""
    return await _write(f"artist:{artist_id}", ("artist_bio",), ask)


@router.post("/albums/{album_id}/copy", status_code=202, responses=documented("not_found"))
async def write_album_copy(album_id: AlbumInPath, ask: Ask, kind: Kind = None) -> Listing[Copy]:
    """Ask for the texts about an album, or for one of them, to be written or written again."""
    return await _write(f"album:{album_id}", (kind,) if kind else ("album_review", "track_notes"), ask)


@router.post("/tracks/{track_id}/copy", status_code=202, responses=documented("not_found"))
async def write_track_copy(track_id: TrackInPath, ask: Ask) -> Listing[Copy]:
    """Ask for 'About this track' to be written again."""
    return await _write(f"track:{track_id}", ("about_track",), ask)


async def _list(subject: str, ask: Asking, kind: CopyKind | None = None) -> Listing[Copy]:
    page = await ask(ListCopy(subject=subject, kind=kind))
    return Listing(items=[Copy.of(view) for view in page.items], next_cursor=page.next_cursor)


async def _write(subject: str, kinds: Sequence[CopyKind], ask: Asking) -> Listing[Copy]:
    views = [await ask(WriteCopy(kind=kind, subject=subject)) for kind in kinds]
    return Listing(items=[Copy.of(view) for view in views], next_cursor=None)
