"""An upload comes to its end: it is put on the shelf, turns out to be a duplicate, or is turned down.

Answers `PublishTrack`, `MarkDuplicate`, `RejectTrack` and `DescribeTrack`; says `TrackPublished`, `TrackDuplicated`,
`TrackRejected`, `TrackDescribed`, and with a publication `ArtistAdded`, `AlbumAdded`, `GenreAdded`, `LyricsAdded` and
`MediaAdded` for what was not there before.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tonetouch_catalog.entry import Entry, brought_by
from tonetouch_catalog.track import Track, describe, mark_duplicate, publish, reject
from tonetouch_contracts.identity import is_entity_id
from tonetouch_contracts.message import Done, Event
from tonetouch_contracts.track import DescribeTrack, MarkDuplicate, PublishTrack, RejectTrack
from tonetouch_runtime import Answered, Floor, Refused, Router

router = Router()


@router.answers(PublishTrack)
async def publish_track(command: PublishTrack, floor: Floor) -> Answered[Done]:
    """The track and everything it brings along, at once or not at all."""
    _known(command.track_id)
    brought = brought_by(command)

    def decide(states: Mapping[str, Track | Entry]) -> Mapping[str, Event | Sequence[Event]]:
        track = states[command.track_id]
        assert isinstance(track, Track), "the track's own state"
        happened = publish(track, command)
        if not happened:
            return {}
        missing = {entity: event for entity, event in brought.items() if not _is_there(states[entity])}
        return {**missing, command.track_id: happened}

    entities: dict[str, Track | Entry] = {command.track_id: Track(), **dict.fromkeys(brought, Entry())}
    outcomes = await floor.log.transact_together("CATALOG", entities, decide)
    return Answered(value=Done(), positions=outcomes[command.track_id].positions)


@router.answers(MarkDuplicate)
async def mark_track_duplicate(command: MarkDuplicate, floor: Floor) -> Answered[Done]:
    """Not published: it is the recording of another."""
    return await _decide(command.track_id, partial(mark_duplicate, command=command), floor)


@router.answers(RejectTrack)
async def reject_track(command: RejectTrack, floor: Floor) -> Answered[Done]:
    """Not published: its uploader has to act."""
    return await _decide(command.track_id, partial(reject, command=command), floor)


@router.answers(DescribeTrack)
async def describe_track(command: DescribeTrack, floor: Floor) -> Answered[Done]:
    """'About this track', whenever it is ready."""
    return await _decide(command.track_id, partial(describe, command=command), floor)


async def _decide(track_id: str, decide: Callable[[Track], Sequence[Event]], floor: Floor) -> Answered[Done]:
    _known(track_id)
    outcome = await floor.log.transact("CATALOG", track_id, Track(), decide)
    return Answered(value=Done(), positions=outcome.positions)


def _known(track_id: str) -> None:
    if not is_entity_id(track_id):
        raise Refused("not_found", "There is no such track.", "Upload it first.")


def _is_there(state: Track | Entry) -> bool:
    return isinstance(state, Entry) and state.is_there
