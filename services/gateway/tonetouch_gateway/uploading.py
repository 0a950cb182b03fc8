"""A file arrives and is stored while it does; then catalog is asked to take it as a track.

Asks `UploadTrack`. Keys in the store: ``incoming/<id>``, and ``.cover`` and ``.lyrics`` beside it.
"""

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.identity import ContentHash, TrackId
from tonetouch_contracts.message import ProblemCode
from tonetouch_contracts.track import Accepted, TrackStatus, UploadTrack
from tonetouch_gateway.asking import Ask, Asking, OnFloor
from tonetouch_gateway.declaration import Declaration
from tonetouch_gateway.identifying import Identified, User
from tonetouch_gateway.multipart import read_upload
from tonetouch_gateway.problems import documented
from tonetouch_runtime import Floor, Objects, Refused, Unavailable

router = APIRouter(tags=["uploading"])
log = structlog.get_logger()

ASK_AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0)
_FINAL: tuple[ProblemCode, ...] = ("invalid", "not_found", "conflict", "too_large", "unsupported")
_NOT_YET: tuple[ProblemCode, ...] = ("unavailable", "not_yet")
_TEXT = {"type": "string"}
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "MP3, FLAC, Ogg, Opus, M4A, WAV or AIFF."},
        "cover": {"type": "string", "format": "binary", "description": "A picture, 10 MiB at most."},
        "lyrics": _TEXT | {"description": "Plain, or LRC with times."},
        "title": _TEXT | {"maxLength": 300},
        "artist": _TEXT | {"maxLength": 300},
        "album": _TEXT | {"maxLength": 300},
        "genre": _TEXT | {"maxLength": 100},
        "explicit": _TEXT | {"description": "true or false."},
        "region": _TEXT | {"description": "ISO 3166-1 alpha-2."},
    },
}
_OPENAPI: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
}


class Uploaded(BaseModel):
    """The file is kept and will become a track; `GET /ingest/{id}` tells how far it is."""

    id: str = Field(description="The track's id from now on.")
    status: TrackStatus


@router.post("/tracks", status_code=202, openapi_extra=_OPENAPI, responses=documented("conflict", "too_large"))
async def upload_track(request: Request, response: Response, ask: Ask, floor: OnFloor, user: Identified) -> Uploaded:
    """Upload one file. What the form says wins over what the file's tags say.

    Once this is answered with 202 the file is safe; that it can be played is found out afterwards.
    """
    command = await _store(request, floor, user)
    accepted = await _hand_over(command, ask, floor.objects)
    response.headers["Location"] = f"/api/v1/tracks/{accepted.track_id}"
    return Uploaded(id=accepted.track_id, status=accepted.status)


async def _store(request: Request, floor: Floor, user: User) -> UploadTrack:
    """Everything the request brought is in the store, and this is what to ask for. On any error nothing is."""
    track_id = TrackId(floor.clock.new_id())
    key = object_key(track_id)
    try:
        form = await read_upload(
            request, store=lambda file: floor.objects.upload(key, file), max_bytes=floor.settings.upload_limit_bytes
        )
        said = Declaration.of(form.fields)
        return UploadTrack(
            track_id=track_id,
            uploaded_by=user.id,
            object_key=key,
            size_bytes=form.file.size,
            sha256=ContentHash(form.file.sha256),
            file_name=form.file.filename or "unnamed",
            title=said.title,
            artist=said.artist,
            album=said.album,
            genre=said.genre,
            explicit=said.explicit,
            region=said.region or user.region,
            cover_key=await _put(floor.objects, f"{key}.cover", form.cover),
            lyrics_key=await _put(floor.objects, f"{key}.lyrics", (said.lyrics or "").encode()),
        )
    except BaseException:
        await _delete(floor.objects, track_id)
        raise


async def _hand_over(command: UploadTrack, ask: Asking, objects: Objects) -> Accepted:
    """Ask catalog to take what is stored. Where it says no, nothing is left behind.

    Where it says nothing the bytes stay, as they may be a track's by now; what turns out to be nobody's is swept by
    ingest.
    """
    try:
        return await _ask_patiently(command, ask)
    except Refused as refused:
        if refused.problem.code in _FINAL:
            await _delete(objects, command.track_id)
        raise


async def _ask_patiently(command: UploadTrack, ask: Asking) -> Accepted:
    """Ask again for some seconds while there is no answer: the bytes are here, and asking twice is one upload."""
    for pause_seconds in ASK_AGAIN_SECONDS:
        try:
            return await ask(command)
        except (Unavailable, Refused) as error:
            if isinstance(error, Refused) and error.problem.code not in _NOT_YET:
                raise
            log.warning("upload_not_taken_yet", track_id=command.track_id, error=str(error))
        await asyncio.sleep(pause_seconds)
    return await ask(command)


def object_key(track_id: TrackId) -> str:
    """Where an upload lies until ingest has read it."""
    return f"incoming/{track_id}"


async def _put(objects: Objects, key: str, data: bytes | None) -> str | None:
    if not data:
        return None
    await objects.put(key, data)
    return key


async def _delete(objects: Objects, track_id: TrackId) -> None:
    for suffix in (".cover", ".lyrics", ""):
        with suppress(Unavailable):
            await objects.delete(object_key(track_id) + suffix)
