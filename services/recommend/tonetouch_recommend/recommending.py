"""Recommending: a mix made for one listener. Answers `MakeForYou`.

One similarity query around the listener's taste, filtered by region, explicit, and what was played lately. In a small
library little is left of that: tracks played lately come again then, those not heard for longest first, and the reason
says so. Who has no taste yet gets the newest tracks, and is told that.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import RowMapping, select

from tonetouch_contracts.finding import MakeForYou, Mix, MixTrack
from tonetouch_contracts.identity import TrackId, derived
from tonetouch_contracts.message import Page
from tonetouch_recommend.indexes import on_offer
from tonetouch_recommend.indexing import Indexes
from tonetouch_recommend.learning import ShelfRow
from tonetouch_recommend.mixing import HANDFUL, Candidate, because, in_turn, spoken_for
from tonetouch_recommend.pointing import plays_of, vectors_of
from tonetouch_recommend.taste import Play, weights
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Hit, Vector
from tonetouch_runtime import Floor, Router, page_size, stamp

router = Router()

NAME: Final = "Made for you"
RESTING: Final = timedelta(days=60)
MOST_RESTING: Final = 200
"""Of the last 60 days at most the newest 200 plays count as lately: the filter stays as small as that."""
NAMED: Final = 2
"""How many tracks the reason names."""


@router.answers(MakeForYou)
async def make_for_you(command: MakeForYou, floor: Floor) -> Page[Mix]:
    """Exactly one mix, of at most `limit` tracks."""
    page_size(command.limit)
    indexes = floor.get(Indexes)
    await indexes.settled("user")
    plays = await plays_of(command.user_id, floor)
    taste = await indexes.engine.get(indexes.collections.taste, [command.user_id]) if plays else []
    mix = await _around(taste[0].vector, plays, command, floor) if taste else await _newest(bool(plays), command, floor)
    return Page(items=(mix,))


async def _around(taste: Vector, plays: Sequence[Play], command: MakeForYou, floor: Floor) -> Mix:
    fresh, known = await _candidates(taste, plays, command, floor)
    shelf = await _on_shelf([hit.id for hit in (*fresh, *known)], floor)
    again = {hit.id for hit in known}
    candidates = [_candidate(hit, shelf[hit.id]) for hit in (*fresh, *known) if hit.id in shelf]
    chosen = in_turn(candidates, command.limit)
    tracks_index = floor.get(Indexes).collections.tracks
    liked = await vectors_of([track for track, weight in weights(plays).items() if weight > 0], tracks_index, floor)
    reasons = {one.track_id: because(one, liked) for one in chosen}
    names = await _titles(spoken_for(reasons.values()), floor)
    reason = _reason(names, sum(one.track_id in again for one in chosen))
    tracks = tuple(
        MixTrack(track_id=TrackId(one.track_id), score=one.score, because=tuple(map(TrackId, reasons[one.track_id])))
        for one in chosen
    )
    return _mix(command, reason, tracks)


async def _candidates(
    taste: Vector, plays: Sequence[Play], command: MakeForYou, floor: Floor
) -> tuple[list[Hit], list[Hit]]:
    """What was not played lately, nearest first; and where that is no handful what was, longest ago first."""
    indexes, where = floor.get(Indexes), on_offer(command.region, command.explicit_allowed)
    engine, tracks = indexes.engine, indexes.collections.tracks
    since = stamp(floor.clock.now() - RESTING)
    resting = {play.track_id for play in plays[:MOST_RESTING] if play.at >= since}
    # More than are asked for: three of one artist in a row make room for others.
    most = min(LARGEST_LIMIT, 3 * command.limit)
    fresh = await engine.query(tracks, taste, limit=most, where=where, exclude=resting, with_vectors=True)
    if len(fresh) >= min(HANDFUL, command.limit):
        return fresh, []
    last_played = {play.track_id: play.at for play in reversed(plays)}
    found = {hit.id for hit in fresh}
    known = await engine.query(tracks, taste, limit=most, where=where, exclude=found, with_vectors=True)
    known = [hit for hit in known if hit.id in resting]
    return fresh, sorted(known, key=lambda hit: (last_played[hit.id], hit.id))


async def _newest(has_played: bool, command: MakeForYou, floor: Floor) -> Mix:
    shelf = floor.tables.live(ShelfRow)
    query = select(shelf.c.track_id).where(shelf.c.region == command.region)
    if not command.explicit_allowed:
        query = query.where(shelf.c.explicit == 0)
    rows = await floor.tables.all(
        query.order_by(shelf.c.published_at.desc(), shelf.c.track_id.desc()).limit(command.limit)
    )
    why = "We do not know yet what you like" if has_played else "You have not listened to anything yet"
    what = "these are the newest tracks" if rows else "and there is nothing here to play"
    tracks = tuple(MixTrack(track_id=TrackId(row["track_id"]), score=0.0, because=()) for row in rows)
    return _mix(command, f"{why}{': ' if rows else ', '}{what}.", tracks)


def _mix(command: MakeForYou, reason: str, tracks: tuple[MixTrack, ...]) -> Mix:
    return Mix(id=derived("mix", command.user_id, "made-for-you"), name=NAME, reason=reason, tracks=tracks)


def _reason(names: Sequence[str], again: int) -> str:
    """Why these tracks, in words; with how many of them were played lately."""
    reason = f"Because you listened to {', '.join(names[:NAMED])}." if names else "Close to what you listen to."
    if not again:
        return reason
    which = "one of them you have" if again == 1 else f"{again} of them you have"
    return f"{reason} There is little else here yet, so {which} heard lately."


def _candidate(hit: Hit, row: RowMapping) -> Candidate:
    assert hit.vector is not None, "it was asked for"
    return Candidate(hit.id, hit.score, hit.vector, row["artist_id"] or row["track_id"])


async def _on_shelf(track_ids: Sequence[str], floor: Floor) -> Mapping[str, RowMapping]:
    shelf = floor.tables.live(ShelfRow)
    rows = await floor.tables.all(select(shelf).where(shelf.c.track_id.in_(track_ids)))
    return {row["track_id"]: row for row in rows}


async def _titles(track_ids: Sequence[str], floor: Floor) -> list[str]:
    """Their titles in the same order, where they are known."""
    shelf = await _on_shelf(track_ids, floor)
    return [shelf[track]["title"] for track in track_ids if track in shelf]
