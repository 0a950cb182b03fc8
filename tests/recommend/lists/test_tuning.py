"""A radio goes on for ever and plays nothing twice before it has played everything."""

from typing import Any

import pytest

from tests.recommend.lists.library import (
    NAMES,
    NOTHING_PASSES,
    artist_id,
    artists,
    ask,
    kinds,
    names,
    refusal,
    tells,
    track,
)
from tonetouch_contracts.finding import Filters, Selection, TuneRadio
from tonetouch_runtime import Floor, encode_cursor

pytestmark = pytest.mark.asyncio(loop_scope="package")

QUIET = {f"quiet {name}" for name in NAMES}


async def pages(floor: Floor, number: int, limit: int, seed: str, **changes: Any) -> list[Selection]:
    found = [await ask(floor, TuneRadio, seed=seed, limit=limit, **changes)]
    while len(found) < number:
        found.append(await ask(floor, TuneRadio, seed=seed, limit=limit, cursor=found[-1].next_cursor, **changes))
    return found


async def test_it_moves_outward_and_repeats_nothing(library: Floor) -> None:
    """First what is like the track (but for others between two of one artist), then what is less so; the seed never."""
    radio = await pages(library, 6, 4, track("quiet rain"))
    played = [name for page in radio for name in names(page)]
    assert set(played[:4]) < QUIET
    assert set(played[:12]) > QUIET - {"quiet rain"}
    assert len(played) == len(set(played)) == 23
    assert "quiet rain" not in played
    assert radio[0].name == "quiet rain radio"
    assert radio[0].reason == "Tracks like quiet rain."


async def test_it_begins_again_when_all_is_played(library: Floor) -> None:
    """With what was played longest ago, and it says so; it never ends."""
    radio = await pages(library, 7, 4, track("quiet rain"), filters=Filters(mood="sad"))
    played = [name for page in radio for name in names(page)]
    first, again = played[:7], played[7:]
    assert set(first) == QUIET - {"quiet rain"}
    assert len(again) >= 16
    assert set(again[:4]) <= set(first[:5])
    assert "begins again" in radio[-1].reason
    assert radio[-1].next_cursor is not None


async def test_an_artist_waits(library: Floor) -> None:
    """Within a page and from one page to the next three others come between two of one artist."""
    radio = await pages(library, 4, 4, "genre:metal")
    heard = [artist for page in radio for artist in artists(page)]
    assert len(heard) == 16
    assert all(artist not in heard[max(0, at - 3) : at] for at, artist in enumerate(heard))


@pytest.mark.parametrize(
    ("seed", "kind"),
    [
        (f"artist:{artist_id('quiet', 1)}", "quiet"),
        (f"artist:{artist_id('loud', 1)}", "loud"),
        ("mood:sad", "quiet"),
        ("mood: SAD ", "quiet"),
        ("genre:solo piano", "quiet"),
    ],
)
async def test_it_starts_from_an_artist_a_mood_or_a_genre(library: Floor, seed: str, kind: str) -> None:
    """However they are capitalised."""
    radio = await ask(library, TuneRadio, seed=seed, limit=4, explicit_allowed=False)
    assert kinds(radio) == {kind}


async def test_region_explicit_and_filters_narrow_it(library: Floor) -> None:
    """Each by itself and together; what the listener wants never again stays out."""
    found = await ask(library, TuneRadio, seed="mood:calm", limit=50)
    assert kinds(found) == {"quiet", "rude"}
    assert kinds(await ask(library, TuneRadio, seed="mood:calm", explicit_allowed=False)) == {"quiet"}
    assert kinds(await ask(library, TuneRadio, seed="mood:calm", region="DE")) == {"far"}
    narrowed = Filters(genre="metal", language="eng", year_from=1991, year_to=1993, bpm_from=160.0, energy_to=0.85)
    found = await ask(library, TuneRadio, seed=track("loud rain"), filters=narrowed)
    assert set(names(found)) == {"rude snow", "rude fog"}
    await tells(library, "tired", track("quiet snow"), "never_again")
    await tells(library, "tired", f"artist:{artist_id('quiet', 2)}", "never_again")
    found = await ask(library, TuneRadio, "tired", seed="mood:sad")
    assert set(names(found)) == QUIET - {"quiet snow", "quiet tide", "quiet dusk"}


async def test_filters_that_leave_nothing_are_no_error(library: Floor) -> None:
    """An empty list that says why, and does not go on."""
    found = await ask(library, TuneRadio, seed="mood:sad", filters=NOTHING_PASSES)
    assert (found.tracks, found.next_cursor) == ((), None)
    assert "passes the filters" in found.reason


async def test_what_is_no_seed_is_refused(library: Floor) -> None:
    """With what can be done: how a seed is written, where to look for one, what there is instead."""
    for seed in ("", "calm", "track:", "year:1990", ":x", "artist:\0", "track:" + "x" * 300):
        code, next_step = await refusal(library, TuneRadio, seed=seed)
        assert (code, "track:<id>" in next_step) == ("invalid", True), seed
    for seed in (track("nothing"), "artist:nobody"):
        code, next_step = await refusal(library, TuneRadio, seed=seed)
        assert (code, "/api/v1/search" in next_step) == ("not_found", True), seed
    code, next_step = await refusal(library, TuneRadio, seed="mood:ultraviolet")
    assert code == "not_found"
    assert "calm" in next_step and "aggressive" in next_step
    assert "metal" in (await refusal(library, TuneRadio, seed="genre:polka"))[1]


async def test_what_is_no_page_is_refused(library: Floor) -> None:
    """A cursor of somebody else's making, and limits that are none."""
    for cursor in ("x", encode_cursor("l", 0, 1), encode_cursor("l", 1, -1), encode_cursor(1, 1, 1)):
        assert (await refusal(library, TuneRadio, seed="mood:calm", cursor=cursor))[0] == "invalid", cursor
    for limit in (0, -1, 201):
        assert (await refusal(library, TuneRadio, seed="mood:calm", limit=limit))[0] == "invalid", limit
