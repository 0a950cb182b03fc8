"""What is described alike is alike."""

from typing import Any

import pytest

from tests.recommend.saying import embedded, on_shelf, say, track_id
from tests.recommend.search.test_searching import LIBRARY
from tonetouch_contracts.finding import FindSimilar, Found
from tonetouch_contracts.message import Page
from tonetouch_runtime import Floor, Refused


async def similar(floor: Floor, name: str, **changes: Any) -> Page[Found]:
    return (await floor.ask(FindSimilar(track_id=track_id(name), **changes))).value


async def test_the_nearest_come_first_and_never_the_track_itself(floor: Floor) -> None:
    """The quiet one is like the quiet one; region and explicit are filtered, and pages are parts of one ranking."""
    await floor.seen(await say(floor.log, *LIBRARY))
    found = (await similar(floor, "Last Tram in the Rain")).items
    assert found[0].track_id == track_id("Lullaby for a Lighthouse")
    assert len(found) == 4
    assert track_id("Last Tram in the Rain") not in [one.track_id for one in found]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    here = await similar(floor, "Last Tram in the Rain", region="GB", explicit_allowed=False)
    assert {one.track_id for one in here.items} == {track_id("Lullaby for a Lighthouse"), track_id("Neon Sunrise")}
    head = await similar(floor, "Last Tram in the Rain", limit=3)
    tail = await similar(floor, "Last Tram in the Rain", limit=3, cursor=head.next_cursor)
    assert head.items + tail.items == found
    assert tail.next_cursor is None


async def test_a_track_alone_is_like_nothing(floor: Floor) -> None:
    """An empty page, not a problem."""
    await floor.seen(await say(floor.log, *on_shelf("Alone", "a slow piano")))
    assert await similar(floor, "Alone") == Page(items=())


async def test_an_unknown_track_is_not_found(floor: Floor) -> None:
    """Neither is one that has a vector but is not published."""
    await floor.seen(await say(floor.log, embedded("Waiting", "a slow piano")))
    for name in ("Nothing", "Waiting"):
        with pytest.raises(Refused) as refused:
            await similar(floor, name)
        assert refused.value.problem.code == "not_found"
