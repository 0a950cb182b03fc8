"""Mixes are there before they are asked for, and never those of before a change."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.recommend.lists.test_recommending import LOUD, MOODS, QUIET, mixes_of, now, shelf
from tests.recommend.saying import on_shelf, played, say
from tonetouch_contracts.finding import MakeForYou
from tonetouch_contracts.identity import UserId
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.learning import Kind
from tonetouch_recommend.lists import ahead as module
from tonetouch_recommend.lists.ahead import Ahead, Mixes
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.recommending import mixes_for
from tonetouch_runtime import Floor


def asked(user: str = "ann") -> MakeForYou:
    return MakeForYou(user_id=UserId(user), region="GB", explicit_allowed=True)


def recipe(user: str = "ann", *heard: str) -> Recipe:
    return Recipe(
        surface="made-for-you", user_id=user, region="GB", explicit_allowed=True, limit=20, weights={}, excluded=heard
    )


def mixes(name: str) -> Mixes:
    return [(recipe(), Made(name=name, reason="Because."))]


def keeping(*users: str) -> Ahead:
    ahead = Ahead()
    for user in users:
        ahead.remember(asked(user), recipe(user), mixes(user), ahead.edition(user))
    return ahead


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def test_what_was_made_is_known_for_the_same_recipe_alone() -> None:
    """Something heard since is another recipe."""
    ahead = keeping("ann")
    assert ahead.known(asked(), recipe()) == mixes("ann")
    assert ahead.known(asked(), recipe("ann", "track")) is None
    assert ahead.known(asked("ben"), recipe("ben")) is None


def test_another_taste_is_forgotten_and_another_track_forgets_everybody() -> None:
    """A track may be in anybody's mix."""
    ahead = keeping("ann", "ben")
    ahead.changed("user", ["ann"])
    ahead.changed("sound", ["a sound"])
    assert ahead.known(asked(), recipe()) is None
    assert ahead.known(asked("ben"), recipe("ben")) is not None
    ahead.changed("track", ["a track"])
    assert ahead.known(asked("ben"), recipe("ben")) is None


def test_what_was_begun_before_a_change_is_not_kept() -> None:
    """Nor where the change was a track's."""
    kinds: list[tuple[Kind, list[str]]] = [("user", ["ann"]), ("renewed", [])]
    for kind, ids in kinds:
        ahead = Ahead()
        edition = ahead.edition("ann")
        ahead.changed(kind, ids)
        ahead.remember(asked(), recipe(), mixes("old"), edition)
        assert ahead.known(asked(), recipe()) is None


def test_those_who_asked_last_are_remembered() -> None:
    """As many as there is room for; whoever asked longest ago goes first."""
    ahead = keeping(*(f"u{number}" for number in range(module.MOST)))
    assert ahead.known(asked("u0"), recipe("u0")) is not None
    ahead.remember(asked("new"), recipe("new"), mixes("new"), ahead.edition("new"))
    assert ahead.known(asked("u0"), recipe("u0")) is not None
    assert ahead.known(asked("u1"), recipe("u1")) is None


async def test_who_asked_lately_has_mixes_of_a_new_taste_before_they_ask() -> None:
    """One after the other; what fails is told and holds up nobody; a crowd waits until they ask."""
    ahead, made = keeping(*(f"u{number}" for number in range(module.MOST_WAITING + 5))), list[str]()

    def making(fails: str) -> Callable[[MakeForYou], Awaitable[object]]:
        async def make(command: MakeForYou) -> None:
            if command.user_id == fails:
                raise RuntimeError("not now")
            made.append(command.user_id)

        return make

    ahead.changed("user", ["stranger", *(f"u{number}" for number in range(module.MOST_WAITING + 5))])
    following = asyncio.create_task(ahead.follow(making("u3")))
    await eventually(lambda: len(made) == module.MOST_WAITING - 1)
    following.cancel()
    assert made[:4] == ["u0", "u1", "u2", "u4"]


async def test_a_play_makes_the_next_answer(floor: Floor) -> None:
    """It is there before it is asked for, and is what would be made then."""
    heard = [played("ann", f"quiet {mood}", number, at=now(floor)) for number, mood in enumerate(MOODS[:2])]
    await floor.seen(await say(floor.log, *shelf("loud", LOUD), *shelf("quiet", QUIET), *heard))
    first = await mixes_of(floor)
    again = await mixes_of(floor)
    assert [mix.tracks for mix in again] == [mix.tracks for mix in first]
    assert [mix.list_id for mix in again] != [mix.list_id for mix in first]

    ahead, before = floor.get(Ahead), floor.get(Ahead).edition("ann")
    positions = await say(floor.log, played("ann", "loud rain", 9, at=now(floor)))
    await floor.seen(positions)
    await floor.get(Indexes).caught_up("user", positions, 20)
    assert ahead.edition("ann") != before
    (kept,) = await _made_ahead(ahead)
    made = await mixes_of(floor)
    assert [mix.tracks for mix in made] == [each.tracks for _, each in kept]
    ahead.changed("track", ())
    assert [mix.tracks for mix in await mixes_of(floor)] == [mix.tracks for mix in made]


async def test_a_new_track_is_in_the_next_answer(floor: Floor) -> None:
    """Nobody is given what was made before it came."""
    heard = [played("ann", f"quiet {mood}", number, at=now(floor)) for number, mood in enumerate(MOODS[:2])]
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), *heard))
    before = {track.track_id for mix in await mixes_of(floor) for track in mix.tracks}
    positions = await say(floor.log, *on_shelf("quiet newcomer", f"{QUIET}. quiet newcomer."))
    await floor.seen(positions)
    await floor.get(Indexes).caught_up("track", positions, 20)
    after = {track.track_id for mix in await mixes_of(floor) for track in mix.tracks}
    assert len(after - before) == 1
    assert len(await mixes_for(asked(), floor)) == 1


async def _made_ahead(ahead: Ahead) -> list[Mixes]:
    await eventually(lambda: bool(ahead._remembered))
    return [one.mixes for one in ahead._remembered.values()]
