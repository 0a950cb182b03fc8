"""Every night contexts are built anew and outdated texts are written again: once, in chunks, whatever is killed."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.agents.conftest import night_is_over
from tests.agents.music import album_id, artist_id, publish, track
from tests.agents.planned import Model, saying
from tests.agents.texts import rows, said, settled, until, write
from tests.runtime.installation import provision
from tonetouch_agents import refreshing
from tonetouch_agents.app import app
from tonetouch_agents.context import Contexts
from tonetouch_agents.refresh import Refresh, advance, begin, complete, night_of
from tonetouch_agents.refreshing import Schedule
from tonetouch_agents.subject import Subject
from tonetouch_contracts.copy import (
    CopyAsked,
    CopyWritten,
    RefreshAdvanced,
    RefreshBegun,
    RefreshCompleted,
)
from tonetouch_runtime import Floor, Settings, running
from tonetouch_runtime.testing import given

NIGHT = "2026-01-31"
BEGUN = RefreshBegun(refresh_id=NIGHT, begun_at="2026-01-31T04:00:00.000000Z")
CHUNK = RefreshAdvanced(refresh_id=NIGHT, reached="album:b", contexts=2, asked=("one", "two"))
COMPLETED = RefreshCompleted(refresh_id=NIGHT, contexts=2, asked=2, completed_at="2026-01-31T04:10:00.000000Z")
ARTIST, ALBUM = Subject("artist", artist_id()), Subject("album", album_id())


class MovedClock:
    """The machine's clock, some days ahead."""

    def __init__(self, days: int = 0) -> None:
        self.ahead = timedelta(days=days)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def new_id(self) -> str:
        return str(uuid.uuid4())


@pytest.mark.parametrize(
    ("now", "night"),
    [("2026-01-31T03:59:59", "2026-01-30"), ("2026-01-31T04:00:00", NIGHT), ("2026-02-01T03:00:00", NIGHT)],
)
def test_a_night_is_due_from_its_hour_to_the_next(now: str, night: str) -> None:
    """A service that was down at four goes on with the same night afterwards."""
    assert night_of(datetime.fromisoformat(now).replace(tzinfo=UTC)) == night


def test_a_night_begins_once_and_ends_once() -> None:
    """Whoever says it."""
    given(Refresh()).when(partial(begin, begun=BEGUN)).then(BEGUN)
    given(Refresh(), BEGUN).when(partial(begin, begun=BEGUN)).then()
    given(Refresh(), BEGUN, CHUNK).when(partial(complete, at=COMPLETED.completed_at)).then(COMPLETED)
    given(Refresh(), BEGUN, CHUNK, COMPLETED).when(partial(complete, at="later")).then()
    given(Refresh()).when(partial(complete, at="now")).then()


def test_of_two_workers_one_notes_a_chunk() -> None:
    """The other finds that the night came further."""
    given(Refresh(), BEGUN).when(partial(advance, advanced=CHUNK, after="")).then(CHUNK)
    given(Refresh(), BEGUN, CHUNK).when(partial(advance, advanced=CHUNK, after="")).then()


async def the_next_night(floor: Floor, days: int) -> str:
    """Let so many days pass and the schedule look; returns the night when it is over."""
    clock = floor.clock
    assert isinstance(clock, MovedClock)
    clock.ahead = timedelta(days=days)
    assert await floor.get(Schedule).once()
    await night_is_over(floor)
    return night_of(clock.now())


@pytest.fixture(name="clock")
def _clock() -> MovedClock:
    return MovedClock()


async def test_a_night_writes_what_is_missing_and_then_only_what_is_outdated(
    any_settings: Settings, clock: MovedClock
) -> None:
    """The first night writes bios, reviews and notes; the second nothing; a new track makes a third one write again."""
    await provision(any_settings)
    async with running(app, any_settings, clock=clock) as floor:
        await night_is_over(floor)
        await publish(floor, track(1), track(2))
        nights = [await the_next_night(floor, days) for days in (1, 2)]
        await publish(floor, track(3))
        nights.append(await the_next_night(floor, 3))
        states = [(await floor.log.load("AGENTS", night, Refresh())).state for night in nights]
        assert [state.contexts for state in states] == [2, 2, 2]
        assert [state.asked for state in states] == [3, 0, 3]
        for subject in (ARTIST, ALBUM):
            for kind in subject.kinds:
                text = await settled(floor, kind, str(subject))
                (row,) = await rows(floor, text.job_id)
                assert (row.purpose, row.priority, row.feature) == ("refresh", "refresh", f"copy.{kind}")


async def test_an_unchanged_context_is_the_same_to_the_byte(settings: Settings, clock: MovedClock) -> None:
    """But for the texts that were written since: once those are in it, every further night gives the same one."""
    await provision(settings)
    async with running(app, settings, clock=clock) as floor:
        await night_is_over(floor)
        await publish(floor, track(1), track(2))
        built = []
        for days in (1, 2, 3, 4):
            await the_next_night(floor, days)
            built.append((await floor.log.load("AGENTS", ARTIST.context_id, Contexts())).state.built)
        first, *later = built
        assert first is not None
        assert len({one.object_key for one in later if one}) == 1
        assert len({one.facts_sha256 for one in built if one}) == 1


async def test_a_night_is_done_once_by_several_processes_and_across_a_restart(
    settings: Settings, clock: MovedClock, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is stopped in the middle of a chunk; others go on from there, and no text is written twice."""
    monkeypatch.setattr(refreshing, "CHUNK", 1)
    settings.openai_base_url = model.address
    model.plan = saying(("It dates from 1998.", "year"))
    await provision(settings)
    async with running(app, settings, clock=clock) as floor:
        await night_is_over(floor)
        await publish(floor, *(track(n, artist=f"Artist {n}", album=f"Album {n}") for n in range(1, 4)))
        model.gate.clear()
        clock.ahead = timedelta(days=1)
        await floor.get(Schedule).once()
        await until(lambda: model.asked)
    model.gate.set()
    async with running(app, settings, clock=clock) as floor, running(app, settings, clock=clock) as other:
        await asyncio.gather(*(each.get(Schedule).once() for each in (floor, other)))
        await night_is_over(floor)
        subjects = [Subject("artist", artist_id(f"Artist {n}")) for n in range(1, 4)]
        subjects += [Subject("album", album_id(f"Album {n}", f"Artist {n}")) for n in range(1, 4)]
        for subject in subjects:
            for kind in subject.kinds:
                events = await said(floor, subject.copy_id(kind))
                assert len([event for event in events if isinstance(event, CopyAsked)]) == 1
                assert len([event for event in events if isinstance(event, CopyWritten)]) == 1
        night = await said(floor, night_of(clock.now()))
        reached = [event.reached for event in night if isinstance(event, RefreshAdvanced)]
        assert reached == sorted({str(subject) for subject in subjects})
        assert isinstance(night[-1], RefreshCompleted)


async def test_whoever_asks_at_night_does_not_wait_for_it(settings: Settings, clock: MovedClock, model: Model) -> None:
    """A chunk leaves writers free."""
    settings.openai_base_url = model.address
    await provision(settings)
    async with running(app, settings, clock=clock) as floor:
        await night_is_over(floor)
        await publish(floor, *(track(n, artist=f"Artist {n}", album=None) for n in range(1, 21)))
        clock.ahead = timedelta(days=1)
        model.gate.clear()
        await floor.get(Schedule).once()
        await until(lambda: len(model.asked) >= refreshing.CHUNK)
        assert len(model.asked) == refreshing.CHUNK
        # Of an artist whose turn has not come: one whose context is being warmed would have to be waited for.
        last = max(range(1, 21), key=lambda n: artist_id(f"Artist {n}"))
        asking = asyncio.create_task(write(floor, "about_track", f"track:{track(last).track_id}"))
        await until(lambda: len(model.asked) > refreshing.CHUNK)
        model.gate.set()
        assert (await asking).status == "written"
        await night_is_over(floor)
