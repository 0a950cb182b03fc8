"""Plays: what may have been heard, and that it is kept once."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tests.catalog.music import publishing, uploading
from tonetouch_catalog.playing import PlayRow, when_heard
from tonetouch_contracts.identity import PlayId, TrackId, UserId
from tonetouch_contracts.play import RecordPlay
from tonetouch_runtime import Floor, Refused


def playing(play: str, track: str, **said: Any) -> RecordPlay:
    """The command of a play."""
    command = RecordPlay(play_id=PlayId(play), user_id=UserId("admin"), track_id=TrackId(track), heard_seconds=30.0)
    return msgspec.structs.replace(command, **said)


async def plays(floor: Floor) -> list[dict[str, Any]]:
    """All plays in the table."""
    table = floor.tables.live(PlayRow)
    return [dict(row) for row in await floor.tables.all(select(table).order_by(table.c.play_id))]


@pytest.fixture(name="shelf")
async def _shelf(floor: Floor) -> Floor:
    """A catalog with one published track, t1."""
    await floor.ask(uploading("t1"))
    await floor.ask(publishing("t1"))
    return floor


async def test_a_play_is_kept_with_the_length_of_its_track(shelf: Floor) -> None:
    """It can be heard right after the publication: a table that lags is no reason to refuse."""
    answer = await shelf.ask(playing("p1", "t1", at="2026-01-01T12:00:00+02:00"))
    assert answer.value.play_id == "p1"
    await shelf.seen(answer.positions)
    assert await plays(shelf) == [
        {
            "play_id": "p1",
            "user_id": "admin",
            "track_id": "t1",
            "heard_seconds": 30.0,
            "duration_seconds": 61.5,
            "at": "2026-01-01T10:00:00.000000Z",
        }
    ]


async def test_a_play_without_a_time_was_now(shelf: Floor) -> None:
    """Its time is catalog's clock."""
    positions = (await shelf.ask(playing("p1", "t1"))).positions
    await shelf.seen(positions)
    assert (await plays(shelf))[0]["at"][:4] == str(shelf.clock.now().year)


async def test_the_same_play_again_is_the_same_play(shelf: Floor) -> None:
    """A player that did not get the answer may repeat itself."""
    positions = (await shelf.ask(playing("p1", "t1"))).positions
    await shelf.seen(positions)
    before = await plays(shelf)
    assert (await shelf.ask(playing("p1", "t1"))).value.play_id == "p1"
    assert (await shelf.bus.jetstream.stream_info("LIBRARY")).state.messages == 1
    assert await plays(shelf) == before


async def test_the_same_play_many_times_at_once_is_one_fact(shelf: Floor) -> None:
    """Asked again before the table shows the first, at another time: the log has it once, and all are told where."""
    times = [f"2026-01-01T12:00:{second:02}Z" for second in range(20)]
    answers = await asyncio.gather(*(shelf.ask(playing("p1", "t1", at=at)) for at in times))
    await shelf.seen({"LIBRARY": max(answer.positions["LIBRARY"] for answer in answers if answer.positions)})
    assert len(await shelf.log.history("LIBRARY", "p1")) == 1
    assert len(await plays(shelf)) == 1


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"heard_seconds": -0.1}, "invalid"),
    ({"heard_seconds": 86_401.0}, "invalid"),
    ({"at": "yesterday"}, "invalid"),
    ({"at": ""}, "invalid"),
    ({"at": "9999-12-31T23:59:59Z"}, "invalid"),
    ({"at": "0001-01-01T00:00:00+14:00"}, "invalid"),
    ({"at": "1969-07-20T20:17:00Z"}, "invalid"),
    ({"play_id": "a.b"}, "invalid"),
    ({"user_id": ""}, "invalid"),
    ({"track_id": "nobody"}, "not_found"),
    ({"track_id": "nul\0"}, "not_found"),
]


async def test_what_cannot_have_been_heard_is_refused(shelf: Floor) -> None:
    """Each is answered, and nothing of it reaches the log."""
    for said, code in IMPOSSIBLE:
        with pytest.raises(Refused) as refused:
            await shelf.ask(playing("p1", "t1", **said))
        assert refused.value.problem.code == code, said
    assert (await shelf.bus.jetstream.stream_info("LIBRARY")).state.messages == 0


@pytest.mark.parametrize("heard", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(heard: float) -> None:
    """JSON has no such numbers; a decision is made without trusting that."""
    with pytest.raises(Refused):
        when_heard(playing("p1", "t1", heard_seconds=heard), datetime(2026, 1, 1, tzinfo=UTC))


def test_a_clock_that_is_a_little_ahead_is_forgiven() -> None:
    """The play counts as heard now; a clock that is further off is refused."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert when_heard(playing("p1", "t1", at="2026-01-01T00:00:30Z"), now) == now
    with pytest.raises(Refused):
        when_heard(playing("p1", "t1", at="2026-01-01T00:01:30Z"), now)


async def test_an_unpublished_track_cannot_be_played(shelf: Floor) -> None:
    """It is known, and it is not on the shelf."""
    await shelf.ask(uploading("t2"))
    with pytest.raises(Refused) as refused:
        await shelf.ask(playing("p1", "t2"))
    assert refused.value.problem.code == "conflict"
