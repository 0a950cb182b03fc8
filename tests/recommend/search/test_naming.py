"""Names and lines are found in SQLite and in PostgreSQL alike."""

from typing import Any

from tests.postgresql import _any_settings, _postgresql, drop_read_database
from tests.recommend.saying import on_shelf, say, track_id
from tests.runtime.installation import provision
from tonetouch_contracts.finding import SearchTracks
from tonetouch_recommend.app import app
from tonetouch_recommend.search.naming import LineRow, NameRow, SpellingRow, WordRow
from tonetouch_recommend.search.spotting import spotted
from tonetouch_runtime import Floor, Settings, running

__all__ = ["_any_settings", "_postgresql"]

SUNG = "Rain wrote your name across the glass\nand nobody read it"
LIBRARY = (
    *on_shelf("Night Ærøplane", "a song", [SUNG], artist="Maren Vesterlund", album="Øst", album_id="album-1"),
    *on_shelf("Night Train", "a song", artist="Stone Atlas", explicit=True, region="DE"),
    *(event for number in range(40) for event in on_shelf(f"Night Blue {number}", "a song", artist="Many Nights")),
)


async def test_names_and_lines_are_looked_up_by_keys_alone(any_settings: Settings) -> None:
    """Whole, begun, misspelt, folded, common, quoted; of what is on offer."""
    await provision(any_settings)
    async with running(app, any_settings) as floor:
        await floor.seen(await say(floor.log, *LIBRARY), seconds=30)

        async def first(query: str, *kinds: str, **changes: object) -> tuple[str, str] | None:
            asked = SearchTracks(query=query, kinds=kinds or ("tracks", "lyrics"), **changes)  # type: ignore[arg-type]
            found = await spotted(asked, floor)
            return (found[0].subject.partition(":")[2], found[0].where) if found else None

        plane, train = track_id("Night Ærøplane"), track_id("Night Train")
        for query, found in {
            "night aeroplane": (plane, "title"),
            "night aerop": (plane, "title"),
            "nigth aeroplan": (plane, "title"),
            "marn vesterlund": (plane, "artist"),
            "marenvesterlund": (plane, "artist"),
            "ost": (plane, "album"),
            "wrote your name across": (plane, "lyrics"),
            "blue night": (track_id("Night Blue 0"), "title"),
            "night train": (train, "title"),
        }.items():
            assert (await first(query) or ("", ""))[1] == found[1], query
            if query != "blue night":
                assert await first(query) == found, query
        assert await first("night train", region="GB", explicit_allowed=True) != (train, "title")
        assert await first("train", explicit_allowed=False) is None
        assert await first("øst", "albums") == ("album-1", "title")
        assert await first("stone atlas", "artists", explicit_allowed=False) is None
        assert await first("nothing like it", "artists", "albums", "playlists") is None


async def rows(floor: Floor) -> list[set[tuple[Any, ...]]]:
    found = [
        await floor.tables.all(floor.tables.live(model).select()) for model in (NameRow, WordRow, SpellingRow, LineRow)
    ]
    return [{tuple(row.values()) for row in some} for some in found]


async def test_tables_made_anew_are_the_same(any_settings: Settings) -> None:
    """Also of a name that changed: it is found by its new words, and its old ones lead nowhere."""
    again = on_shelf("Night Train", "a song", title="Night Bus", artist="Stone Atlas")
    await provision(any_settings)
    async with running(app, any_settings) as floor:
        at = await say(floor.log, *LIBRARY[:6], *again)
        await floor.seen(at, seconds=30)
        lived = await rows(floor)
        found = await spotted(SearchTracks(query="night bus"), floor)
        assert (found[0].subject, found[0].where) == (f"track:{track_id('Night Train')}", "title")
        assert await spotted(SearchTracks(query="train"), floor) == []
    drop_read_database(any_settings, "recommend")
    async with running(app, any_settings) as floor:
        await floor.seen(at, seconds=30)
        assert await rows(floor) == lived
    assert all(lived)
