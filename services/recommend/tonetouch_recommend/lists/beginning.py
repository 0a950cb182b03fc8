"""Beginning: what a listener is shown whose taste is not known yet. What others play lately, then the newest tracks."""

from collections import defaultdict
from typing import Final

from sqlalchemy import Connection, Select, select

from tonetouch_contracts.finding import MixTrack
from tonetouch_contracts.identity import TrackId
from tonetouch_recommend.learning import HeardRow, ShelfRow
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.taste.running import Play, weight
from tonetouch_recommend.taste.signalling import KeptOut, signals_of
from tonetouch_runtime import Floor

NAME: Final = "Made for you"
LATELY: Final = 2_000
"""So many plays, of everybody, are what is played lately: it costs the same in a year with many as in one with few."""
MOST_PLAYED: Final = 200
"""Tracks that are looked up of what is played lately."""


async def for_beginners(recipe: Recipe, kept: KeptOut, floor: Floor) -> Made:
    """A mix with its reason. A track counts as played once for each other listener who did not leave it."""
    signals = await signals_of(recipe.user_id, floor)

    def look_up(connection: Connection) -> tuple[list[str], list[str]]:
        played = _played(recipe, kept, floor, connection)
        return played[: recipe.limit], _newest(recipe, kept, floor, connection)

    played, newest = await floor.read.read(look_up)
    tracks = list(dict.fromkeys([*played, *newest]))[: recipe.limit]
    mixed = tuple(MixTrack(track_id=TrackId(track), score=0.0, because=()) for track in tracks)
    return Made(name=NAME, reason=_reason(bool(signals), len(played), len(tracks)), tracks=mixed)


def _reason(has_signals: bool, played: int, tracks: int) -> str:
    why = "We do not know yet what you like" if has_signals else "You have not listened to anything yet"
    if not tracks:
        return f"{why}, and there is nothing here to play."
    if not played:
        return f"{why}: these are the newest tracks."
    then = ", then the newest tracks" if tracks > played else ""
    return f"{why}: this is what others play most lately{then}."


def _played(recipe: Recipe, kept: KeptOut, floor: Floor, connection: Connection) -> list[str]:
    heard = floor.tables.live(HeardRow)
    newest = select(heard).order_by(heard.c.at.desc(), heard.c.play_id.desc()).limit(LATELY)
    listeners = defaultdict[str, set[str]](set)
    for row in connection.execute(newest):
        play = Play(play_id="", track_id=row.track_id, heard_seconds=row.heard_seconds, share=row.share, at=row.at)
        if row.user_id != recipe.user_id and weight(play) > 0:
            listeners[row.track_id].add(row.user_id)
    most = sorted(listeners, key=lambda track: (-len(listeners[track]), track))[:MOST_PLAYED]
    shelf = floor.tables.live(ShelfRow)
    shown = {
        row.track_id for row in connection.execute(_on_offer(recipe, kept, floor).where(shelf.c.track_id.in_(most)))
    }
    return [track for track in most if track in shown]


def _newest(recipe: Recipe, kept: KeptOut, floor: Floor, connection: Connection) -> list[str]:
    shelf = floor.tables.live(ShelfRow)
    newest = _on_offer(recipe, kept, floor).order_by(shelf.c.published_at.desc(), shelf.c.track_id.desc())
    return [row.track_id for row in connection.execute(newest.limit(recipe.limit))]


def _on_offer(recipe: Recipe, kept: KeptOut, floor: Floor) -> Select[tuple[str]]:
    shelf = floor.tables.live(ShelfRow)
    query = select(shelf.c.track_id).where(shelf.c.track_id.not_in(kept.track_ids))
    query = query.where(shelf.c.artist_id.not_in(kept.artist_ids) | shelf.c.artist_id.is_(None))
    if recipe.region is not None:
        query = query.where(shelf.c.region == recipe.region)
    return query if recipe.explicit_allowed else query.where(shelf.c.explicit == 0)
