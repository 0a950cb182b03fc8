"""Mixes around a track, what is new, a mood: each says honestly why."""

from itertools import pairwise

import pytest

from tests.recommend.lists.library import (
    NAMES,
    NOTHING_PASSES,
    artist_id,
    artists,
    ask,
    hears,
    kinds,
    names,
    refusal,
    tells,
    track,
)
from tests.recommend.saying import track_id
from tonetouch_contracts.finding import Filters, MakeBecause, MakeMoodMix, MakeNewForYou
from tonetouch_runtime import Floor

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_because_of_a_track_come_others_like_it(library: Floor) -> None:
    """Not itself, nor what was heard lately; it says so only to somebody who did listen to it."""
    await hears(library, "bea", "quiet rain", "quiet snow")
    mix = await ask(library, MakeBecause, "bea", track_id=track_id("quiet rain"), limit=6)
    assert set(names(mix)) == {f"quiet {name}" for name in NAMES[2:]}
    assert mix.name == "Because you listened to quiet rain"
    assert {one.because for one in mix.tracks} == {(track_id("quiet rain"),)}
    stranger = await ask(library, MakeBecause, "stranger", track_id=track_id("quiet rain"), limit=6)
    assert stranger.name == "More like quiet rain"
    assert "quiet rain" not in names(stranger)


async def test_region_and_explicit_are_kept_out(library: Floor) -> None:
    """Of every list."""
    for command, changes in ((MakeBecause, {"track_id": track_id("loud rain")}), (MakeNewForYou, {})):
        assert kinds(await ask(library, command, limit=50, **changes)) == {"quiet", "loud", "rude"}
        clean = await ask(library, command, limit=50, explicit_allowed=False, **changes)
        assert kinds(clean) == {"quiet", "loud"}
        assert kinds(await ask(library, command, limit=50, region="DE", **changes)) == {"far"}
        empty = await ask(library, command, region="FR", **changes)
        assert (empty.tracks, empty.reason.startswith("Nothing")) == ((), True)


async def test_new_for_you_is_near_what_is_liked(library: Floor) -> None:
    """Without what was heard, and it names what it is near to."""
    await hears(library, "new", "quiet rain", "quiet snow", "quiet wind")
    mix = await ask(library, MakeNewForYou, "new", limit=5)
    assert set(names(mix)) == {f"quiet {name}" for name in NAMES[3:]}
    assert mix.reason.startswith("Published in the last 30 days, near quiet ")
    assert "newest" in (await ask(library, MakeNewForYou, "newcomer")).reason


async def test_never_again_is_never(library: Floor) -> None:
    """A track and an artist, in every list."""
    await tells(library, "tired", track("quiet snow"), "never_again")
    await tells(library, "tired", f"artist:{artist_id('quiet', 2)}", "never_again")
    out = {"quiet snow", "quiet tide", "quiet dusk"}
    lists = [
        await ask(library, MakeBecause, "tired", track_id=track_id("quiet rain"), limit=50),
        await ask(library, MakeNewForYou, "tired", limit=50),
        await ask(library, MakeMoodMix, "tired", mood="calm", limit=50),
    ]
    for one in lists:
        assert len(one.tracks) > 4
        assert not out & set(names(one))


async def test_a_mood_mix_is_of_its_mood(library: Floor) -> None:
    """First those whose first mood it is; narrowed by the other filters; an artist at most three times, apart."""
    mix = await ask(library, MakeMoodMix, mood=" Calm ", limit=8)
    assert kinds(mix) == {"quiet"}
    heard = artists(mix)
    assert all(one != other for one, other in pairwise(heard))
    wild = await ask(library, MakeMoodMix, mood="calm", filters=Filters(genre="Metal", year_to=1993))
    assert set(names(wild)) == {f"rude {name}" for name in NAMES[:4]}
    assert wild.name == "Calm"


async def test_a_mood_mix_follows_the_taste(library: Floor) -> None:
    """Of the calm tracks somebody who likes it loud gets the loud ones first."""
    await hears(library, "mia", "loud rain", "loud snow", "loud wind")
    mix = await ask(library, MakeMoodMix, "mia", mood="calm", limit=6)
    assert kinds(mix) == {"rude"}
    assert mix.reason.startswith("Calm tracks, near loud ")


async def test_what_is_not_there_is_refused_with_what_is(library: Floor) -> None:
    """An unknown mood, an unknown track."""
    code, next_step = await refusal(library, MakeMoodMix, mood="ultraviolet")
    assert (code, "calm" in next_step) == ("not_found", True)
    assert (await refusal(library, MakeMoodMix, mood=" "))[0] == "invalid"
    assert (await refusal(library, MakeBecause, track_id=track_id("nothing")))[0] == "not_found"


async def test_filters_that_leave_nothing_are_no_error(library: Floor) -> None:
    """An empty list that says why."""
    mix = await ask(library, MakeMoodMix, mood="calm", filters=NOTHING_PASSES)
    assert mix.tracks == ()
    assert mix.reason == "No calm track passes the filters and what you want to hear."
