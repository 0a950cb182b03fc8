"""A context is built at first need, and stays as it is for as long as a provider may keep it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.agents.conftest import night_is_over
from tests.agents.music import album_id, artist_id, publish, track
from tests.agents.texts import said
from tests.postgresql import drop_read_database
from tests.runtime.installation import provision
from tonetouch_agents.app import app
from tonetouch_agents.building import STAYS, context_of, known_context
from tonetouch_agents.subject import Subject
from tonetouch_contracts.copy import ContextBuilt
from tonetouch_runtime import Floor, Settings, SystemClock, running

ARTIST, ALBUM = Subject("artist", artist_id()), Subject("album", album_id())


class LateClock(SystemClock):
    """The machine's clock, `ahead` of it."""

    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def built(floor: Floor, subject: Subject) -> list[ContextBuilt]:
    return [event for event in await said(floor, subject.context_id) if isinstance(event, ContextBuilt)]


@pytest.mark.parametrize("subject", [ARTIST, ALBUM], ids=["artist", "album"])
async def test_it_is_built_once_and_kept_as_an_object(floor: Floor, subject: Subject) -> None:
    """Whoever asks next gets the same bytes; the event says where they lie and what they hash to."""
    await publish(floor, track(1), track(2))
    first = await context_of(subject, floor)
    assert first is not None
    assert await context_of(subject, floor) == first == await known_context(subject, floor)
    (event,) = await built(floor, subject)
    assert (event.sha256, event.facts, event.characters) == (first.sha256, len(first.facts), len(first.text))
    assert (await floor.objects.get(event.object_key, max_bytes=1 << 20)) == first.to_bytes()


async def test_of_what_has_no_track_there_is_no_context(floor: Floor) -> None:
    """Nothing is built for the asking, and nothing of nothing."""
    assert await context_of(Subject("artist", "nobody"), floor) is None
    await publish(floor, track(1))
    assert await known_context(ARTIST, floor) is None
    assert await built(floor, ARTIST) == []


async def test_an_object_that_is_gone_is_built_again(floor: Floor) -> None:
    """Bodies are not kept for ever; what they were made of is."""
    await publish(floor, track(1))
    first = await context_of(ARTIST, floor)
    (event,) = await built(floor, ARTIST)
    await floor.objects.delete(event.object_key)
    assert await known_context(ARTIST, floor) is None
    assert await context_of(ARTIST, floor) == first
    assert await known_context(ARTIST, floor) == first


async def test_what_is_known_since_waits_for_an_hour(settings: Settings) -> None:
    """Then whoever asks for a text gets it from all that is known; where nothing changed the context stays."""
    clock = LateClock()
    await provision(settings)
    async with running(app, settings, clock=clock) as floor:
        await night_is_over(floor)
        await publish(floor, track(1))
        first = await context_of(ARTIST, floor)
        await publish(floor, track(2))
        assert await context_of(ARTIST, floor) == first
        clock.ahead = STAYS
        second = await context_of(ARTIST, floor)
        assert first is not None and second is not None
        assert second.facts_sha256 != first.facts_sha256
        clock.ahead = 2 * STAYS
        assert await context_of(ARTIST, floor) == second
        assert len(await built(floor, ARTIST)) == 2


async def test_dropped_tables_come_back_the_same(any_settings: Settings) -> None:
    """A rebuild from the log gives the same context to the byte."""
    await provision(any_settings)
    contexts: list[bytes] = []
    for _ in range(2):
        async with running(app, any_settings) as floor:
            await night_is_over(floor)
            if not contexts:
                await publish(floor, *(track(number) for number in range(1, 5)))
            await floor.seen({"CATALOG": (await floor.bus.jetstream.stream_info("CATALOG")).state.last_seq})
            context = await context_of(ALBUM, floor, refresh=True)
            assert context is not None
            contexts.append(context.to_bytes())
        drop_read_database(any_settings, "agents")
    assert contexts[0] == contexts[1]


async def test_two_builders_at_once_agree(floor: Floor) -> None:
    """The same knowledge is the same object: the log holds it once."""
    await publish(floor, track(1))
    first, second = await asyncio.gather(*(context_of(ARTIST, floor, refresh=True) for _ in range(2)))
    assert first == second
    assert len(await built(floor, ARTIST)) == 1
