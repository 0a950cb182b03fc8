"""Resembling: published tracks that are like a given one. Answers `FindSimilar`.

Like means: described by similar facts (tempo, moods, key, energy, genre, names). How it sounds is not in there yet.
"""

from tonetouch_contracts.finding import FindSimilar, Found
from tonetouch_contracts.message import Page
from tonetouch_recommend.fusing import Ranked
from tonetouch_recommend.indexes import on_offer
from tonetouch_recommend.indexing import Indexes
from tonetouch_recommend.searching import depth, page_of
from tonetouch_runtime import Floor, Refused, Router

router = Router()


@router.answers(FindSimilar)
async def find_similar(command: FindSimilar, floor: Floor) -> Page[Found]:
    """The nearest first, without the track itself. Raises Refused where it is unknown or not published."""
    deep = depth(command.limit, command.cursor)
    indexes = floor.get(Indexes)
    await indexes.settled("track")
    tracks = indexes.collections.tracks
    points = await indexes.engine.get(tracks, [command.track_id])
    if not points:
        raise Refused("not_found", f"There is no published track {command.track_id}.")
    hits = await indexes.engine.query(
        tracks,
        points[0].vector,
        limit=deep,
        where=on_offer(command.region, command.explicit_allowed),
        exclude=[command.track_id],
        with_payload=False,
    )
    ranking = [Ranked(hit.id, hit.score, "description") for hit in hits]
    return page_of(ranking, command.limit, command.cursor).found()
