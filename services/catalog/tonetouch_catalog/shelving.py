"""What is on the shelf, for the slices that take a listener's word about it.

The tables may lag behind the log: nothing is refused before the log itself was asked.
"""

from collections.abc import Iterable

from sqlalchemy import select

from tonetouch_catalog.browsing import TrackRow
from tonetouch_catalog.collecting import ArtistRow
from tonetouch_catalog.track import Track
from tonetouch_contracts.identity import is_entity_id
from tonetouch_contracts.track import ArtistAdded
from tonetouch_runtime import Floor, Refused


async def published(track_ids: Iterable[str], floor: Floor) -> dict[str, float]:
    """These tracks with their lengths in seconds. Raises Refused for the first that is not published."""
    wanted = list(dict.fromkeys(track_ids))
    tracks = floor.tables.live(TrackRow)
    askable = [one for one in wanted if is_entity_id(one)]
    asked = select(tracks.c.id, tracks.c.duration_seconds).where(tracks.c.id.in_(askable))
    rows = await floor.tables.all(asked.where(tracks.c.ended == "published"))
    known = {row["id"]: float(row["duration_seconds"]) for row in rows}
    return {one: known[one] if one in known else await _told_by_the_log(one, floor) for one in wanted}


async def must_be_an_artist(artist_id: str, floor: Floor) -> None:
    """Raise Refused where no track names an artist of this id."""
    artists = floor.tables.live(ArtistRow)
    if is_entity_id(artist_id):
        if await floor.tables.one(select(artists.c.artist_id).where(artists.c.artist_id == artist_id)) is not None:
            return
        if any(isinstance(fact.event, ArtistAdded) for fact in await floor.log.history("CATALOG", artist_id)):
            return
    raise Refused("not_found", "There is no such artist.", "Take the `artist_id` of a track.")


async def _told_by_the_log(track_id: str, floor: Floor) -> float:
    if not is_entity_id(track_id):
        raise Refused("not_found", "There is no such track.")
    track = (await floor.log.load("CATALOG", track_id, Track())).state
    if track.uploaded is None:
        raise Refused("not_found", f"There is no track {track_id}.")
    if track.published is None:
        raise Refused("conflict", f"The track {track_id} is not published.", "Take one that is.")
    return track.published.duration_seconds
