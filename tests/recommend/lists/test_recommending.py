"""Every listener has mixes, which say honestly where they come from."""

from collections.abc import Sequence
from typing import Any

from tests.recommend.saying import on_shelf, played, said, say, track_id
from tonetouch_contracts.feedback import Said
from tonetouch_contracts.finding import MakeForYou, Mix
from tonetouch_contracts.identity import UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.serving import ReplayServedList
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_runtime import Floor, stamp

QUIET = "slow, 60 bpm; sad, calm; in D minor; quiet, soft, gentle, to fall asleep; Solo Piano"
LOUD = "very fast driving, 170 bpm; angry, tense; in E minor; powerful, intense, for a workout; Metal"
MOODS = ("rain", "snow", "wind", "fog", "tide", "dusk", "moss", "dew")


def shelf(kind: str, text: str, **changes: Any) -> list[Event]:
    """Eight tracks of a kind by eight artists, `quiet rain` and so on."""
    tracks = [on_shelf(f"{kind} {mood}", f"{text}. {kind} {mood}.", **changes) for mood in MOODS]
    return [event for track in tracks for event in track]


async def mixes_of(floor: Floor, user: str = "ann", **changes: Any) -> tuple[Mix, ...]:
    asked: dict[str, Any] = {"region": "GB", "explicit_allowed": True, **changes}
    return (await floor.ask(MakeForYou(user_id=UserId(user), **asked))).value.items


async def mix_of(floor: Floor, user: str = "ann", **changes: Any) -> Mix:
    asked: dict[str, Any] = {"region": "GB", "explicit_allowed": True, **changes}
    page = (await floor.ask(MakeForYou(user_id=UserId(user), **asked))).value
    assert page.next_cursor is None
    [mix] = page.items
    return mix


def names(mix: Mix, library: Sequence[str]) -> list[str]:
    by_id = {track_id(name): name for name in library}
    return [by_id[track.track_id] for track in mix.tracks]


ALL = [f"{kind} {mood}" for kind in ("quiet", "loud", "rude", "far") for mood in MOODS]


def now(floor: Floor) -> str:
    return stamp(floor.clock.now())


async def test_a_mix_follows_what_was_heard(floor: Floor) -> None:
    """New tracks of the kind that was liked come before the others, each with the heard tracks nearest to it."""
    heard = [played("ann", f"quiet {mood}", number, at=now(floor)) for number, mood in enumerate(MOODS[:3])]
    await floor.seen(await say(floor.log, *shelf("loud", LOUD), *shelf("quiet", QUIET), *heard))
    mix = await mix_of(floor)
    shown = names(mix, ALL)
    assert set(shown[:5]) == {f"quiet {mood}" for mood in MOODS[3:]}
    assert len(shown) == 13  # nothing that was played just now
    liked = {track_id(f"quiet {mood}") for mood in MOODS[:3]}
    assert all(set(track.because) == liked for track in mix.tracks[:5])
    assert mix.reason.startswith("Because you listened to quiet ")
    assert min(track.score for track in mix.tracks[:5]) > max(track.score for track in mix.tracks[5:])
    assert (await mix_of(floor)).tracks == mix.tracks


async def test_region_and_explicit_are_kept_out(floor: Floor) -> None:
    """By taste and without one."""
    heard = played("ann", "quiet rain", 0, at=now(floor))
    library = [*shelf("quiet", QUIET), *shelf("rude", QUIET, explicit=True), *shelf("far", QUIET, region="DE")]
    await floor.seen(await say(floor.log, *library, heard))
    for user in ("ann", "newcomer"):
        asked: list[tuple[dict[str, Any], set[str]]] = [
            ({}, {"quiet", "rude"}),
            ({"explicit_allowed": False}, {"quiet"}),
            ({"region": "DE"}, {"far"}),
            ({"region": "FR"}, set()),
        ]
        for changes, kinds in asked:
            shown = names(await mix_of(floor, user, limit=50, **changes), ALL)
            assert {name.split()[0] for name in shown} == kinds, (user, changes)


async def test_without_plays_a_mix_is_honest_about_it(floor: Floor) -> None:
    """The newest tracks, nothing that speaks for them, and a reason that says so; an empty library too."""
    assert (await mix_of(floor)).tracks == ()
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET)))
    mix = await mix_of(floor, limit=3)
    assert names(mix, ALL) == [f"quiet {mood}" for mood in reversed(MOODS[-3:])]
    assert {track.because for track in mix.tracks} == {()}
    assert "not listened to anything yet" in mix.reason


async def test_skips_alone_are_no_taste(floor: Floor) -> None:
    """Who left everything gets the newest tracks and is told that we do not know."""
    skips = [played("ann", f"quiet {mood}", number, share=0.05) for number, mood in enumerate(MOODS)]
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), *skips))
    assert "do not know yet" in (await mix_of(floor)).reason


async def test_in_a_small_library_known_tracks_come_again(floor: Floor) -> None:
    """After the fresh ones, those not heard for longest first, and the reason says it."""
    heard = [played("ann", f"quiet {mood}", number, at=now(floor)) for number, mood in enumerate(MOODS[:6])]
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), *heard))
    mix = await mix_of(floor)
    shown = names(mix, ALL)
    assert set(shown[:2]) == {"quiet fog", "quiet tide", "quiet dusk", "quiet moss", "quiet dew"} - {
        f"quiet {mood}" for mood in MOODS[:6]
    }
    assert shown[2:] == [f"quiet {mood}" for mood in MOODS[:6]]
    assert "6 of them you have heard lately" in mix.reason


async def test_what_was_heard_long_ago_may_come_again(floor: Floor) -> None:
    """After sixty days of rest a track is like any other."""
    heard = [played("ann", "quiet rain", 0, at="2020-01-01T00:00:00Z"), played("ann", "quiet snow", 1, at=now(floor))]
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), *heard))
    shown = names(await mix_of(floor), ALL)
    assert "quiet rain" in shown
    assert "quiet snow" not in shown


async def test_a_play_is_in_the_next_mix(floor: Floor) -> None:
    """With the position of the play, the mix has moved every time."""
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET)))
    for number, mood in enumerate(MOODS[:3]):
        after = await say(floor.log, played("ann", f"quiet {mood}", number, at=now(floor)))
        asked = MakeForYou(user_id=UserId("ann"), region="GB", explicit_allowed=True)
        [mix] = (await floor.ask(asked, after=after)).value.items
        assert len(names(mix, ALL)) == len(MOODS) - number - 1


async def test_a_play_before_its_track_is_known_counts_later(floor: Floor) -> None:
    """There is no order between the streams: the taste comes with the vector."""
    await floor.seen(await say(floor.log, played("ann", "quiet rain", 0, at=now(floor))))
    assert "do not know yet" in (await mix_of(floor)).reason
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET)))
    assert (await mix_of(floor)).reason == "Because you listened to quiet rain."


async def test_a_name_that_no_index_can_hold_gets_the_newest(floor: Floor) -> None:
    """An id longer than an index takes is no taste, and stops nobody else's."""
    long, ann = "x" * 100, played("ann", "quiet rain", 0, at=now(floor))
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), played(long, "quiet rain", 0), ann))
    assert "do not know yet" in (await mix_of(floor, long)).reason
    indexes = floor.get(Indexes)
    assert len(await indexes.engine.get(indexes.collections.taste, ["ann"])) == 1


async def test_each_interest_has_a_mix_of_its_own(floor: Floor) -> None:
    """After the blended one, which has something of each: named after its music, because of what was heard of it."""
    library = [
        *shelf("quiet", QUIET, genres=("Solo Piano",), moods=("calm",)),
        *shelf("loud", LOUD, genres=("Metal",), moods=("angry",)),
    ]
    heard = [
        played("ann", f"{kind} {mood}", 2 * number + side, at=now(floor))
        for number, mood in enumerate(MOODS[:3])
        for side, kind in enumerate(("quiet", "loud"))
    ]
    await floor.seen(await say(floor.log, *library, *heard))
    blended, *others = await mixes_of(floor)
    assert {name.split()[0] for name in names(blended, ALL)} == {"quiet", "loud"}
    assert blended.name == "Made for you"
    assert {mix.name for mix in others} == {"Calm Solo Piano", "Angry Metal"}
    for mix in others:
        kind = "quiet" if "Piano" in mix.name else "loud"
        assert {name.split()[0] for name in names(mix, ALL)} == {kind}
        assert mix.reason.startswith(f"Because you listened to {kind} ")
        liked = {track_id(f"{kind} {mood}") for mood in MOODS[:3]}
        assert all(set(track.because) == liked for track in mix.tracks)
    assert len({mix.id for mix in (blended, *others)}) == 3
    assert [mix.id for mix in await mixes_of(floor)] == [mix.id for mix in (blended, *others)]


async def test_a_listener_who_only_said_what_they_like(floor: Floor) -> None:
    """Likes alone make a mix, with the liked track as its reason."""
    await floor.seen(await say(floor.log, *shelf("loud", LOUD), *shelf("quiet", QUIET)))
    await floor.seen(await say(floor.log, said("ann", "track:quiet rain", "like", 1)))
    mix = await mix_of(floor, limit=7)
    assert {name.split()[0] for name in names(mix, ALL)} == {"quiet"}
    assert mix.reason == "Because you listened to quiet rain."


async def test_what_is_wanted_never_again_never_comes(floor: Floor) -> None:
    """No such track and nothing by such an artist, in no list: not by taste, and not among the newest."""
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET)))
    never: list[tuple[str, Said]] = [
        ("track:quiet fog", "never_again"),
        ("track:quiet tide", "dislike"),
        ("artist:quiet dusk band", "never_again"),
    ]
    words = [
        said(user, about, word, number) for user in ("ann", "newcomer") for number, (about, word) in enumerate(never)
    ]
    await floor.seen(await say(floor.log, *words, played("ann", "quiet rain", 0, at=now(floor))))
    barred = {"quiet fog", "quiet tide", "quiet dusk"}
    assert set(names(await mix_of(floor, "newcomer"), ALL)) == {f"quiet {mood}" for mood in MOODS} - barred
    fresh = {f"quiet {mood}" for mood in MOODS} - barred - {"quiet rain"}
    assert set(names(await mix_of(floor, limit=4), ALL)) == fresh
    await floor.seen(await say(floor.log, said("ann", "track:quiet fog", "allow_again", 9)))
    assert "quiet fog" in names(await mix_of(floor), ALL)


async def test_a_new_listener_gets_what_others_play(floor: Floor) -> None:
    """First what most others finished lately, then the newest, and the reason says both."""
    heard = [
        played("ann", "quiet rain", 0),
        played("bob", "quiet rain", 0),
        played("bob", "quiet fog", 1),
        *(played("eve", "quiet dew", number, share=0.05) for number in range(3)),
    ]
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), *heard))
    mix = await mix_of(floor, "newcomer", limit=3)
    assert names(mix, ALL) == ["quiet rain", "quiet fog", "quiet dew"]
    assert mix.reason.startswith("You have not listened to anything yet: this is what others play most lately, then")


async def test_a_filter_that_leaves_nothing_is_told(floor: Floor) -> None:
    """An empty list with its reason, not an error."""
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), played("ann", "quiet rain", 0, at=now(floor))))
    mix = await mix_of(floor, region="FR")
    assert mix.tracks == ()
    assert mix.reason.startswith("Nothing that you may be shown")


async def test_every_mix_is_recorded_and_can_be_made_again(floor: Floor) -> None:
    """With its seeds; on the same index the same tracks come out."""
    heard = [played("ann", f"{kind} rain", number, at=now(floor)) for number, kind in enumerate(("quiet", "loud"))]
    await floor.seen(await say(floor.log, *shelf("quiet", QUIET), *shelf("loud", LOUD), *heard))
    mixes = await mixes_of(floor)
    assert len(mixes) == 3
    for mix in mixes:
        assert mix.list_id is not None
        again = (await floor.ask(ReplayServedList(user_id=UserId("ann"), list_id=mix.list_id))).value
        assert again.differs is None
        assert again.tracks == tuple(track.track_id for track in mix.tracks)
