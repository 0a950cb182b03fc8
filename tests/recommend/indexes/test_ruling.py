"""A person's word reaches what listeners are shown: two duplicates are never both on offer."""

from collections.abc import Mapping
from typing import Any

from tests.recommend.indexes.test_indexing import contents
from tests.recommend.saying import on_shelf, related, say, track_id
from tonetouch_contracts.finding import FindSimilar, SearchTracks
from tonetouch_runtime import Floor

NAMES = ("Harbour Song", "Harbour Song (again)", "Other Matters")


async def test_what_a_person_called_a_duplicate_is_offered_no_more_until_it_is_none(floor: Floor) -> None:
    """Neither by its name, nor by its words, nor as like another; taken back, it stands where it stood."""
    for name, text in zip(NAMES, ("slow piano, sad", "slow piano, sad", "a waltz"), strict=True):
        await floor.seen(await say(floor.log, *on_shelf(name, text, [f"{name} la la la"])))
    lived = await indexes(floor)
    assert await found(floor) == set(NAMES)
    await floor.seen(await say(floor.log, related(NAMES[1], "duplicate", NAMES[0])))
    assert await found(floor) == {NAMES[0], NAMES[2]}
    await floor.seen(await say(floor.log, related(NAMES[1], "version", NAMES[0])))
    assert await found(floor) == set(NAMES)
    assert await indexes(floor) == lived


async def found(floor: Floor) -> set[str]:
    """Whatever is found by a name, by a line, and by likeness to the third."""
    names = {track_id(name): name for name in NAMES}
    called = (await floor.ask(SearchTracks(query="Harbour Song"))).value.items
    sung = (await floor.ask(SearchTracks(query="harbour song again la la la"))).value.items
    like = (await floor.ask(FindSimilar(track_id=track_id(NAMES[2])))).value.items
    assert like
    return {names[one.track_id] for one in (*called, *sung, *like) if one.track_id}


async def indexes(floor: Floor) -> Mapping[str, Any]:
    """Every point of the two indexes of what is on offer."""
    await found(floor)
    every = await contents(floor)
    return {name: every[name] for name in ("tracks", "lyrics")}
