"""What is added is near, what is subtracted is far, and both are said."""

import pytest

from tests.recommend.lists.library import artist_id, ask, kinds, names, refusal, tells, track
from tonetouch_contracts.finding import MixAlchemy
from tonetouch_runtime import Floor

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_each_thing_that_is_added_has_its_turn(library: Floor) -> None:
    """Not the mean of both, which is nobody's music: half of the one, half of the other, without themselves."""
    mix = await ask(library, MixAlchemy, add=(track("quiet rain"), track("loud rain")), limit=8)
    found = names(mix)
    assert sum(name.startswith("quiet") for name in found) == 4
    assert not {"quiet rain", "loud rain"} & set(found)
    assert mix.name == "quiet rain + loud rain"


async def test_nothing_comes_from_around_what_is_subtracted(library: Floor) -> None:
    """Tracks and artists on both sides."""
    loud = f"artist:{artist_id('loud', 1)}"
    mix = await ask(library, MixAlchemy, add=(track("quiet rain"),), subtract=(loud,), limit=50)
    assert kinds(mix) == {"quiet"}
    assert mix.reason == "Near quiet rain, away from loud band 1."
    other = await ask(library, MixAlchemy, add=(loud,), subtract=(track("quiet rain"),), limit=50)
    assert kinds(other) == {"loud", "rude"}


async def test_region_explicit_and_never_again_hold(library: Floor) -> None:
    """And where nothing is left the list is empty and says why."""
    add = (track("loud rain"),)
    assert kinds(await ask(library, MixAlchemy, add=add, explicit_allowed=False, limit=7)) == {"loud"}
    await tells(library, "tired", track("loud snow"), "never_again")
    assert "loud snow" not in names(await ask(library, MixAlchemy, "tired", add=add, limit=50))
    empty = await ask(library, MixAlchemy, add=add, region="FR")
    assert (empty.tracks, empty.reason) == ((), "Nothing that you can be shown lies near loud rain.")


async def test_what_cannot_be_blended_is_refused(library: Floor) -> None:
    """Nothing added, a mood, both sides at once, too much, the unknown."""
    one = track("quiet rain")
    for add, subtract in (
        ((), ()),
        ((), (one,)),
        (("mood:calm",), ()),
        ((one,), ("calm",)),
        ((one,), (one,)),
        (tuple(f"track:{number}" for number in range(11)), ()),
    ):
        assert (await refusal(library, MixAlchemy, add=add, subtract=subtract))[0] == "invalid", (add, subtract)
    assert (await refusal(library, MixAlchemy, add=(one,), subtract=(track("nothing"),)))[0] == "not_found"
