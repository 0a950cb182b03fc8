"""What recordings are to each other: versions are linked and shown together, and a person has the last word.

Answers `RelateTrack`; says `TrackRelated`. Keeps `LinkRow` from CATALOG: what was found by sound, until a person has
spoken of a track.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, or_, select
from sqlmodel import Field, SQLModel

from tonetouch_catalog.track import Track, relate
from tonetouch_contracts.identity import TrackId, is_entity_id
from tonetouch_contracts.message import Done, Event
from tonetouch_contracts.track import RelateTrack, TrackPublished, TrackRelated, VersionView
from tonetouch_runtime import Answered, Floor, Recorded, Refused, Router, Writer

router = Router()

MOST_CHARACTERS = 500
MOST_SHOWN = 50
"""Versions of one track that are shown; a group may be larger."""


class LinkRow(SQLModel, table=True):
    """What a track is linked to. `said_by` is null where the link was found by sound; `of` where a person cut it."""

    __tablename__ = "catalog_links"

    track_id: str = Field(primary_key=True)
    of: str | None = Field(default=None, index=True)
    said_by: str | None = None


@router.answers(RelateTrack)
async def relate_track(command: RelateTrack, floor: Floor) -> Answered[Done]:
    """Say what a track is to another. Raises Refused for what cannot be so."""
    _check(command)
    other = command.of if command.of is not None and command.of != command.track_id else None

    def decide(states: Mapping[str, Track]) -> Mapping[str, Event | Sequence[Event]]:
        return {command.track_id: relate(states[command.track_id], states[other] if other else None, command)}

    entities: dict[str, Track] = {track_id: Track() for track_id in (command.track_id, other) if track_id is not None}
    outcomes = await floor.log.transact_together("CATALOG", entities, decide)
    return Answered(value=Done(), positions=outcomes[command.track_id].positions)


@router.keeps(LinkRow, hears=(TrackPublished, TrackRelated))
def keep_links(facts: Sequence[Recorded[Any]], links: Writer) -> None:
    """A link found by sound stays out where a person has spoken. A duplicate keeps its original's group together."""
    for fact in facts:
        event = fact.event
        if isinstance(event, TrackRelated):
            of = None if event.relation == "none" else event.of
            links.upsert([{"track_id": event.track_id, "of": of, "said_by": event.said_by}])
        elif event.version_of is not None:
            links.upsert([{"track_id": event.track_id, "of": event.version_of}], while_null="said_by")


def groups_of(connection: Connection, links: Table, track_ids: Iterable[str]) -> dict[str, set[str]]:
    """Those of the tracks that are linked to others at all, each with everything it hangs together with."""
    groups: dict[str, set[str]] = {}
    seen, front = set[str](), set(track_ids)
    while front:
        seen |= front
        rows = connection.execute(
            select(links.c.track_id, links.c.of)
            .where(links.c.of.is_not(None))
            .where(or_(links.c.track_id.in_(front), links.c.of.in_(front)))
        ).all()
        for row in rows:
            _join(groups, row.track_id, row.of)
        front = {end for row in rows for end in (row.track_id, row.of)} - seen
    return groups


def versions_of(
    connection: Connection, links: Table, tracks: Table, track_ids: Sequence[str]
) -> dict[str, tuple[VersionView, ...]]:
    """The other published tracks of each track's group, the first published first."""
    groups = groups_of(connection, links, track_ids)
    members = {member for track_id in track_ids for member in groups.get(track_id, ())}
    if not members:
        return {}
    rows = connection.execute(
        select(tracks.c.id, tracks.c.title, tracks.c.artist)
        .where(tracks.c.id.in_(members))
        .where(tracks.c.ended == "published", or_(tracks.c.related.is_(None), tracks.c.related != "duplicate"))
        .order_by(tracks.c.published_at, tracks.c.id)
    ).all()
    shown = [VersionView(id=TrackId(row.id), title=row.title or "", artist=row.artist or "") for row in rows]
    return {
        track_id: tuple(one for one in shown if one.id in groups[track_id] and one.id != track_id)[:MOST_SHOWN]
        for track_id in track_ids
        if track_id in groups
    }


def _join(groups: dict[str, set[str]], one: str, other: str) -> None:
    together = groups.get(one, {one}) | groups.get(other, {other})
    for member in together:
        groups[member] = together


def _check(command: RelateTrack) -> None:
    if not is_entity_id(command.track_id) or (command.of is not None and not is_entity_id(command.of)):
        raise Refused("not_found", "There is no such track.", "Look for its id in the list of tracks.")
    reason = command.reason.strip()
    if not reason or len(reason) > MOST_CHARACTERS or "\0" in reason:
        raise Refused(
            "invalid", f"A reason has 1 to {MOST_CHARACTERS} characters.", "Say in a sentence what you heard."
        )
