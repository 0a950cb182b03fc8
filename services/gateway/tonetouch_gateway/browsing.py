"""Looking at tracks, and getting their bytes.

Asks `ListTracks` and `ShowTrack`; reads ``audio/<sha256>`` and ``image/<sha256>``.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import ListTracks, ShowTrack, TrackStatus, TrackView
from tonetouch_gateway.asking import Ask, Asking, OnFloor
from tonetouch_gateway.listing import MOST, Cursor, Limit, Listing, TrackInPath
from tonetouch_gateway.problems import documented, in_shape
from tonetouch_gateway.ranges import serve_object
from tonetouch_gateway.track import Track
from tonetouch_runtime import Refused

router = APIRouter(tags=["browsing"])

COVER_CACHE = "private, max-age=86400"


def _bytes_of(kind: str) -> dict[int | str, dict[str, Any]]:
    content = {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}
    return {
        200: {"description": "All of it, with its `ETag`."} | content,
        206: {"description": "The range that was asked for."} | content,
        304: {"description": "It is what the client has already."},
        **documented("not_found", "conflict", "not_fulfilled", "out_of_range"),
    }


@router.get("/tracks")
async def list_tracks(
    ask: Ask,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[TrackStatus | None, Query(description="Only tracks of this status.")] = None,
) -> Listing[Track]:
    """All tracks, the newest upload first."""
    page = await ask(ListTracks(limit=limit, cursor=cursor, status=status))
    return Listing(items=[Track.of(view) for view in page.items], next_cursor=page.next_cursor)


@router.get("/tracks/{track_id}", responses=documented("not_found"))
async def show_track(track_id: TrackInPath, ask: Ask) -> Track:
    """One track, whatever its status."""
    return Track.of(await ask(ShowTrack(track_id=track_id)))


@router.head("/tracks/{track_id}/audio", include_in_schema=False)
@router.get("/tracks/{track_id}/audio", response_class=Response, responses=_bytes_of("audio/*"))
async def get_audio(track_id: TrackInPath, request: Request, ask: Ask, floor: OnFloor) -> Response:
    """The audio of a published track as it was uploaded. Takes `Range`, `If-Range` and the other conditions."""
    view = _published(await ask(ShowTrack(track_id=track_id)))
    if view.audio is None:
        raise Refused("not_found", f"The track {track_id} has no audio.")
    answer = await serve_object(
        request,
        floor.objects,
        key=f"audio/{view.audio.sha256}",
        etag=view.audio.sha256,
        size=view.audio.size_bytes,
        content_type=view.audio.content_type,
    )
    return in_shape(request, answer)


@router.head("/tracks/{track_id}/cover", include_in_schema=False)
@router.get("/tracks/{track_id}/cover", response_class=Response, responses=_bytes_of("image/*"))
async def get_cover(track_id: TrackInPath, request: Request, ask: Ask, floor: OnFloor) -> Response:
    """The cover of a published track."""
    view = _published(await ask(ShowTrack(track_id=track_id)))
    if view.cover is None:
        raise Refused("not_found", f"The track {track_id} has no cover.")
    key = f"image/{view.cover.sha256}"
    facts = await floor.objects.head(key)
    if facts is None:
        raise Refused("not_found", f"The cover of the track {track_id} is gone.")
    answer = await serve_object(
        request,
        floor.objects,
        key=key,
        etag=view.cover.sha256,
        size=facts.size,
        content_type=view.cover.content_type,
        cache_control=COVER_CACHE,
    )
    return in_shape(request, answer)


async def tracks_by_id(ask: Asking, track_ids: Iterable[TrackId]) -> dict[TrackId, Track]:
    """The tracks of these ids; those that catalog does not show are left out."""
    wanted = tuple(dict.fromkeys(track_ids))
    found: dict[TrackId, Track] = {}
    for start in range(0, len(wanted), MOST):
        some = wanted[start : start + MOST]
        page = await ask(ListTracks(track_ids=some, limit=len(some)))
        found |= {view.id: Track.of(view) for view in page.items}
    return found


def _published(view: TrackView) -> TrackView:
    """The view, where listeners may have the bytes. Raises Refused with what to do instead."""
    if view.status == "published":
        return view
    if view.status == "duplicate":
        raise Refused(
            "conflict", f"The track {view.id} is a duplicate.", f"Ask for the track {view.duplicate_of} instead."
        )
    if view.status in ("rejected", "failed"):
        raise Refused("conflict", f"The track {view.id} was not published: {view.reason or view.status}.")
    raise Refused(
        "conflict", f"The track {view.id} is not published yet.", f"Follow /api/v1/ingest/{view.id} until it is."
    )
