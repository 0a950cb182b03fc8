"""Somebody heard a part of a track.

Answers `RecordPlay`; says `PlayRecorded`; keeps `PlayRow` from LIBRARY.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import select
from sqlmodel import Field, SQLModel

from tonetouch_catalog.shelving import published
from tonetouch_contracts.identity import is_entity_id
from tonetouch_contracts.message import Positions
from tonetouch_contracts.play import PlayRecorded, PlayTaken, RecordPlay
from tonetouch_runtime import Answered, Floor, Recorded, Refused, Router, Writer, stamp

router = Router()

LONGEST_SECONDS = 86_400.0
"""A day: nobody hears more of one track in one go."""

CLOCKS_DIFFER_BY = timedelta(minutes=1)
"""A player's clock may be this much ahead of ours; what is later than now counts as now."""


class PlayRow(SQLModel, table=True):
    """One play."""

    __tablename__ = "catalog_plays"

    play_id: str = Field(primary_key=True)
    user_id: str | None = Field(default=None, index=True)
    track_id: str | None = Field(default=None, index=True)
    heard_seconds: float | None = None
    duration_seconds: float | None = None
    at: str | None = None


@router.answers(RecordPlay)
async def record_play(command: RecordPlay, floor: Floor) -> Answered[PlayTaken]:
    """Keep a play of a published track; the same `play_id` again is the same play, as it was said first."""
    at = when_heard(command, floor.clock.now())
    taken = PlayTaken(play_id=command.play_id)
    if await _is_kept(command.play_id, floor):
        return Answered(value=taken)
    play = PlayRecorded(
        play_id=command.play_id,
        user_id=command.user_id,
        track_id=command.track_id,
        heard_seconds=command.heard_seconds,
        duration_seconds=(await published([command.track_id], floor))[command.track_id],
        at=stamp(at),
    )
    # The table may lag behind a first answer that was lost, and the time of this one is another.
    positions: Positions = await floor.log.pour(play, once=True)
    return Answered(value=taken, positions=positions)


@router.keeps(PlayRow, hears=(PlayRecorded,))
def keep_plays(facts: Sequence[Recorded[PlayRecorded]], plays: Writer) -> None:
    """Plays never change: of two under one id the first stays."""
    plays.insert_new([msgspec.structs.asdict(fact.event) for fact in facts])


def when_heard(command: RecordPlay, now: datetime) -> datetime:
    """When it was heard, at the latest now. Raises Refused for what cannot have happened."""
    for name in ("play_id", "user_id"):
        if not is_entity_id(getattr(command, name)):
            raise Refused("invalid", f"{name} has letters, digits, '-' and '_' only, 64 at most.")
    heard = command.heard_seconds
    if not math.isfinite(heard) or not 0 <= heard <= LONGEST_SECONDS:
        raise Refused("invalid", f"heard_seconds is a number from 0 to {LONGEST_SECONDS:.0f}, not {heard:g}.")
    return moment_said(command.at, now)


def moment_said(at: str | None, now: datetime) -> datetime:
    """The moment a player said, at the latest now, and now where it said none. Raises Refused."""
    if at is None:
        return now
    try:
        said = datetime.fromisoformat(at)
        said = (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("invalid", "at is not a time.", "Say it like 2026-01-31T20:15:00Z.") from None
    if said > now + CLOCKS_DIFFER_BY:
        raise Refused("invalid", f"at lies in the future: {stamp(said)}.", "Check the clock of the player.")
    if said.year < 1970:
        raise Refused("invalid", "at lies before there was anything to play.")
    return min(said, now)


async def _is_kept(play_id: str, floor: Floor) -> bool:
    plays = floor.tables.live(PlayRow)
    return await floor.tables.one(select(plays.c.play_id).where(plays.c.play_id == play_id)) is not None
