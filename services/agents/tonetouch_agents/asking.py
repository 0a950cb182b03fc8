"""Somebody wants a text: a person through the gateway, or ingest for a track on its way.

Answers `WriteCopy`, hears `AboutWanted`; says `CopyAsked`. What is in the log is not lost: whoever asks may leave.
"""

from functools import partial

from sqlalchemy import select
from sqlmodel import SQLModel

from tonetouch_agents.collecting import AlbumRow, ArtistRow, TrackRow
from tonetouch_agents.copy import Copy, ask, ask_once
from tonetouch_agents.facts import of_track
from tonetouch_agents.showing import view_of
from tonetouch_agents.subject import ABOUT, About, Subject
from tonetouch_contracts.copy import CopyAsked, CopyKind, CopyView, Known, WriteCopy
from tonetouch_contracts.identity import JobId, derived
from tonetouch_contracts.job import Priority, Purpose
from tonetouch_contracts.upload import AboutWanted
from tonetouch_runtime import Answered, Floor, Recorded, Refused, Router

router = Router()

_ROWS: dict[About, type[SQLModel]] = {"artist": ArtistRow, "album": AlbumRow, "track": TrackRow}


@router.answers(WriteCopy)
async def write_copy(command: WriteCopy, floor: Floor) -> Answered[CopyView]:
    """Ask for a text and say how it stands; writing it takes longer than anybody should wait for an answer."""
    subject = Subject.read(command.subject)
    if ABOUT[command.kind] != subject.about:
        raise Refused("invalid", f"{command.kind} is written about an {ABOUT[command.kind]}, not a {subject.about}.")
    known, lyrics = await _known(subject, floor)
    asked = asked_for(command.kind, subject, ask_id=floor.clock.new_id(), known=known, lyrics=lyrics)
    outcome = await floor.log.transact("AGENTS", asked.copy_id, Copy(), partial(ask_once, asked=asked))
    await floor.seen(outcome.positions)
    return Answered(value=await view_of(asked.copy_id, floor), positions=outcome.positions)


@router.hears(AboutWanted, consumer="agents-asking")
async def ask_for_about(fact: Recorded[AboutWanted], floor: Floor) -> None:
    """A track on its way needs its 'About'; it is billed to the step that waits for it."""
    wanted = fact.event
    subject = Subject("track", wanted.track_id)
    asked = CopyAsked(
        copy_id=subject.copy_id("about_track"),
        ask_id=wanted.ask_id,
        kind="about_track",
        subject=str(subject),
        job_id=wanted.job_id,
        attempt=wanted.attempt,
        feature="ingest.write_about",
        billed_to=str(subject),
        priority="ingest",
        known=wanted.known,
        lyrics=wanted.lyrics,
    )
    await floor.log.transact("AGENTS", asked.copy_id, Copy(), partial(ask, asked=asked))


def asked_for(
    kind: CopyKind,
    subject: Subject,
    *,
    ask_id: str,
    known: tuple[Known, ...] = (),
    lyrics: str | None = None,
    purpose: Purpose = "serve",
    priority: Priority = "interactive",
) -> CopyAsked:
    """An ask of our own, with a job of its own."""
    return CopyAsked(
        copy_id=subject.copy_id(kind),
        ask_id=ask_id,
        kind=kind,
        subject=str(subject),
        job_id=JobId(derived("job", ask_id)),
        attempt=1,
        feature=f"copy.{kind}",
        billed_to=str(subject),
        purpose=purpose,
        priority=priority,
        known=known,
        lyrics=lyrics,
    )


async def _known(subject: Subject, floor: Floor) -> tuple[tuple[Known, ...], str | None]:
    """What an ask has to bring along. Raises Refused for a subject the catalogue does not have."""
    rows = floor.tables.live(_ROWS[subject.about])
    row = await floor.tables.one(select(rows).where(rows.c[f"{subject.about}_id"] == subject.id))
    if row is None:
        raise Refused("not_found", f"There is no {subject.about} {subject.id}.", "Look for its id with a track of it.")
    return (
        (tuple(of_track({str(name): value for name, value in row.items()})), row["lyrics"])
        if subject.about == "track"
        else ((), None)
    )
