"""Every list that was given out can be found again, explained, and made again."""

import functools
from typing import Any

import msgspec
import pytest

from tests.recommend.lists.library import ask, hears, names, tells, track
from tests.recommend.saying import played, say, track_id
from tonetouch_contracts.finding import (
    Filters,
    FindPath,
    FindSimilar,
    MakeBecause,
    MakeForYou,
    MakeMoodMix,
    MakeNewForYou,
    MixAlchemy,
    Selection,
    TuneRadio,
)
from tonetouch_contracts.identity import ListId, UserId
from tonetouch_contracts.message import Command
from tonetouch_contracts.serving import ListServed, ListServedLists, ReplayServedList, Seed, ShowServedList
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.lists.serving import recording, replay
from tonetouch_runtime import Floor, Refused, stamp

pytestmark = pytest.mark.asyncio(loop_scope="package")

ASKED: list[tuple[type[Command[Selection]], dict[str, Any]]] = [
    (MakeBecause, {"track_id": track_id("quiet rain")}),
    (MakeNewForYou, {}),
    (MakeMoodMix, {"mood": "calm", "filters": Filters(year_from=1991)}),
    (TuneRadio, {"seed": track("quiet snow"), "filters": Filters(language="eng")}),
    (FindPath, {"start": track_id("quiet rain"), "end": track_id("loud rain")}),
    (MixAlchemy, {"add": (track("quiet rain"),), "subtract": (track("loud rain"),)}),
]


async def shown(floor: Floor, user: str, list_id: ListId) -> ListServed:
    return (await floor.ask(ShowServedList(user_id=UserId(user), list_id=list_id))).value


@pytest.mark.parametrize(("command", "changes"), ASKED, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_list_made_again_is_the_same(library: Floor, command: Any, changes: dict[str, Any]) -> None:
    """The same seeds, filters and model give the same tracks in the same order, whatever was heard since."""
    user = f"again {command.__name__}".replace(" ", "-")
    await hears(library, user, "quiet rain", "loud snow")
    given = await ask(library, command, user, limit=6, **changes)
    await hears(library, user, *names(given)[:2])
    replayed = (await library.ask(ReplayServedList(user_id=UserId(user), list_id=given.list_id))).value
    assert replayed.differs is None
    assert list(replayed.tracks) == [one.track_id for one in given.tracks] != []


async def test_made_for_you_is_made_again_from_the_taste_of_then(library: Floor) -> None:
    """Each of its mixes, though the listener has turned to something else since, in ears and in words."""
    user = UserId("turned")
    await hears(library, user, "quiet rain", "quiet snow", "loud rain", "loud snow")
    await tells(library, user, track("quiet snow"), "like")
    asked = MakeForYou(user_id=user, region="GB", explicit_allowed=True, limit=4)
    given = (await library.ask(asked)).value.items
    now = stamp(library.clock.now())
    await library.seen(await say(library.log, *(played(user, "loud wind", 10 + number, at=now) for number in range(6))))
    await tells(library, user, track("loud rain"), "save")
    assert [mix.tracks for mix in (await library.ask(asked)).value.items] != [mix.tracks for mix in given]
    for mix in given:
        assert mix.list_id is not None
        replayed = (await library.ask(ReplayServedList(user_id=user, list_id=mix.list_id))).value
        assert (replayed.differs, list(replayed.tracks)) == (None, [one.track_id for one in mix.tracks])
        assert replayed.tracks


async def test_the_next_page_of_a_radio_is_made_again_too(library: Floor) -> None:
    """What was played before it is read from its pages."""
    first = await ask(library, TuneRadio, "rae", seed=track("quiet rain"), limit=4)
    second = await ask(library, TuneRadio, "rae", seed=track("quiet rain"), limit=4, cursor=first.next_cursor)
    replayed = (await library.ask(ReplayServedList(user_id=UserId("rae"), list_id=second.list_id))).value
    assert (replayed.differs, replayed.tracks) == (None, tuple(one.track_id for one in second.tracks))
    explained = await shown(library, "rae", second.list_id)
    assert (explained.continues, explained.page) == (first.list_id, 1)


async def test_a_list_is_explained(library: Floor) -> None:
    """What it started from, what it was narrowed by, what stayed out, and why others are not in it."""
    await hears(library, "eve", "quiet rain", "quiet snow")
    given = await ask(library, MakeBecause, "eve", track_id=track_id("quiet rain"), limit=3)
    explained = await shown(library, "eve", given.list_id)
    assert explained.tracks == tuple(one.track_id for one in given.tracks)
    assert explained.seeds == (Seed(about=track("quiet rain")),)
    assert (explained.surface, explained.region, explained.limit) == ("because", "GB", 3)
    assert set(explained.excluded) == {track("quiet rain"), track("quiet snow")}
    assert explained.model == library.get(Indexes).collections.tracks.model
    chosen = {one.track_id for one in explained.candidates if one.passed_over is None}
    assert chosen == set(explained.tracks)
    assert {one.passed_over for one in explained.candidates if one.track_id not in chosen} <= {
        "others are nearer",
        "its artist was just heard",
        "its artist is in the list often enough",
    }
    assert len(explained.candidates) == 9


async def test_similar_tracks_are_recorded_for_a_listener(library: Floor) -> None:
    """Page by page, without what they want never again; asked for nobody they are not."""
    await tells(library, "sim", track("quiet snow"), "never_again")
    asked: dict[str, Any] = {"track_id": track_id("quiet rain"), "region": "GB", "limit": 3}
    first = (await library.ask(FindSimilar(user_id=UserId("sim"), **asked))).value
    second = (await library.ask(FindSimilar(user_id=UserId("sim"), cursor=first.next_cursor, **asked))).value
    await library.ask(FindSimilar(**asked))
    lists = (await library.ask(ListServedLists(user_id=UserId("sim")))).value.items
    assert [one.tracks for one in lists] == [tuple(each.track_id for each in page.items) for page in (second, first)]
    assert track_id("quiet snow") not in {each for one in lists for each in one.tracks}
    for one in lists:
        replayed = (await library.ask(ReplayServedList(user_id=UserId("sim"), list_id=one.list_id))).value
        assert (replayed.differs, replayed.tracks) == (None, one.tracks)


async def test_an_empty_list_is_recorded_too(library: Floor) -> None:
    """With the reason why it is empty."""
    given = await ask(library, MakeBecause, "noa", track_id=track_id("quiet rain"), region="FR")
    assert (await shown(library, "noa", given.list_id)).reason == given.reason


async def test_the_lists_of_a_listener_are_their_own(library: Floor) -> None:
    """Newest first, by page, of one surface or of all; nobody sees another's."""
    given = [await ask(library, MakeMoodMix, "liz", mood=mood) for mood in ("calm", "sad", "dark")]
    path = await ask(library, FindPath, "liz", start=track_id("quiet rain"), end=track_id("loud rain"))

    async def listed(user: str = "liz", **changes: Any) -> list[str]:
        page = (await library.ask(ListServedLists(user_id=UserId(user), **changes))).value
        rest = await listed(user, **{**changes, "cursor": page.next_cursor}) if page.next_cursor else []
        return [view.list_id for view in page.items] + rest

    assert await listed() == [path.list_id, *(one.list_id for one in reversed(given))]
    assert await listed(limit=1) == await listed()
    assert await listed(surface="path") == [path.list_id]
    assert await listed("nobody") == []
    for user, list_id in (("nobody", path.list_id), ("liz", ListId("nothing")), ("liz", ListId("a.b"))):
        with pytest.raises(Refused) as refused:
            await shown(library, user, list_id)
        assert refused.value.problem.code == "not_found"


async def test_another_model_or_way_says_so_instead(library: Floor) -> None:
    """Made with other vectors or by another version, the same seeds would say nothing."""
    given = await ask(library, MakeMoodMix, "old", mood="calm")
    event = await shown(library, "old", given.list_id)
    for changes in ({"model": "another"}, {"version": "mood@0"}, {"surface": "gone"}):
        with pytest.raises(Refused) as refused:
            await replay(msgspec.structs.replace(event, **changes), library)
        assert refused.value.problem.code == "conflict"


async def test_what_differs_is_said(library: Floor) -> None:
    """A list that would not come out the same now has words for it."""
    given = await ask(library, MakeMoodMix, "sue", mood="calm", limit=4)
    event = await shown(library, "sue", given.list_id)
    turned = msgspec.structs.replace(event, tracks=event.tracks[::-1])
    assert "order is another" in ((await replay(turned, library)).differs or "")
    less = msgspec.structs.replace(event, tracks=(track_id("gone"), *event.tracks[1:]))
    assert "1 of its tracks are not found any more" in ((await replay(less, library)).differs or "")


async def test_an_orderly_stop_loses_no_list(library: Floor) -> None:
    """What was given out in the last moment is in the log when the recorder has ended, in the order it was given."""
    given = await ask(library, MakeMoodMix, "end", mood="calm")
    event = await shown(library, "end", given.list_id)
    last = [msgspec.structs.replace(event, list_id=ListId(library.clock.new_id())) for _ in range(3)]
    async with recording(library) as recorder:
        for each in last:
            recorder.take(each.list_id, functools.partial(msgspec.structs.replace, each))
        assert [await library.log.history("RECOMMEND", each.list_id) for each in last] == [[], [], []]
    found = [fact for each in last for fact in await library.log.history("RECOMMEND", each.list_id)]
    assert [fact.event for fact in found] == last
    assert [fact.sequence for fact in found] == sorted(fact.sequence for fact in found)
