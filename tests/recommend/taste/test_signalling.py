"""What listeners say counts beside what they play: the last word, whatever stream or playlist it came from."""

from tests.recommend.saying import created, deleted, extended, played, reduced, said, say, track_id
from tonetouch_contracts.identity import derived
from tonetouch_recommend.taste.running import MOST_SIGNALS, Play, Word
from tonetouch_recommend.taste.signalling import kept_out, listeners, signals_of
from tonetouch_runtime import Floor


async def words(floor: Floor, user: str = "ann") -> list[tuple[str, str]]:
    """What the listener says now and of which track, newest first."""
    return [(one.said, one.track_id) for one in await signals_of(user, floor) if isinstance(one, Word)]


async def test_the_last_word_counts(floor: Floor) -> None:
    """A dislike takes the place of a like, and both can be taken back; saving is another matter."""
    tune = "track:tune"
    steps = [
        (said("ann", tune, "like", 1), ["like"]),
        (said("ann", tune, "save", 2, at="2026-10-02T00:00:00Z"), ["save", "like"]),
        (said("ann", tune, "dislike", 3, at="2026-10-03T00:00:00Z"), ["dislike", "save"]),
        (said("ann", tune, "undislike", 4), ["save"]),
        (said("ann", tune, "unsave", 5), []),
    ]
    for event, expected in steps:
        await floor.seen(await say(floor.log, event))
        assert await words(floor) == [(word, track_id("tune")) for word in expected]
    assert await words(floor, "bob") == []


async def test_plays_words_and_playlists_are_signals_together(floor: Floor) -> None:
    """Newest first. A track in two playlists was put there once; taken out of both it never was."""
    told = [
        played("ann", "old", 0, at="2026-01-01T00:00:00Z"),
        said("ann", "track:liked", "like", 1, at="2026-01-02T00:00:00+01:00"),
        created("one", "ann"),
        created("two", "ann"),
        extended("one", "ann", "put", "out"),
        extended("two", "ann", "put"),
        reduced("one", "ann", "out"),
        extended("theirs", "bob", "other"),
    ]
    await floor.seen(await say(floor.log, *told))
    found = await signals_of("ann", floor)
    assert [one.track_id for one in found] == [track_id(name) for name in ("put", "liked", "old")]
    assert [type(one) for one in found] == [Word, Word, Play]
    assert found[1].at.startswith("2026-01-01T23:00:00")
    await floor.seen(await say(floor.log, reduced("one", "ann", "put"), deleted("two", "ann")))
    assert [one.track_id for one in await signals_of("ann", floor)] == [track_id("liked"), track_id("old")]


async def test_what_is_kept_out(floor: Floor) -> None:
    """Tracks and artists never again, and tracks that are disliked, until that is taken back."""
    told = [
        said("ann", "track:hated", "dislike", 1),
        said("ann", "track:worn", "never_again", 2),
        said("ann", "artist:loud band", "never_again", 3),
        said("ann", "track:fine", "like", 4),
        said("bob", "track:fine", "never_again", 5),
    ]
    await floor.seen(await say(floor.log, *told))
    kept = await kept_out("ann", floor)
    assert kept.track_ids == {track_id("hated"), track_id("worn")}
    assert kept.artist_ids == {derived("artist", "loud band")}
    back = [said("ann", "track:worn", "allow_again", 6), said("ann", "artist:loud band", "allow_again", 7)]
    await floor.seen(await say(floor.log, *back))
    kept = await kept_out("ann", floor)
    assert kept.track_ids == {track_id("hated")}
    assert not kept.artist_ids


async def test_who_has_to_be_looked_at_when_a_track_moves(floor: Floor) -> None:
    """Everybody who played it, said something of it or has it in a playlist."""
    told = [
        played("ann", "tune", 0),
        said("bob", "track:tune", "like", 1),
        extended("mix", "eve", "tune"),
        played("joe", "another", 0),
    ]
    await floor.seen(await say(floor.log, *told))
    following = await floor.tables.all(listeners(floor, [track_id("tune")]))
    assert {row["user_id"] for row in following} == {"ann", "bob", "eve"}
    assert {row["user_id"] for row in await floor.tables.all(listeners(floor))} == {"ann", "bob", "eve", "joe"}


async def test_signals_are_bounded(floor: Floor) -> None:
    """However long the history, the newest five hundred are read."""
    told = [played("ann", f"tune {number}", number) for number in range(MOST_SIGNALS + 20)]
    await floor.seen(await floor.log.pour(*told))
    await floor.seen(await say(floor.log, said("ann", "track:liked", "like", 1, at="2027-01-01T00:00:00Z")))
    found = await signals_of("ann", floor)
    assert len(found) == MOST_SIGNALS
    assert found[0].track_id == track_id("liked")
    assert found[1].track_id == track_id(f"tune {MOST_SIGNALS + 19}")
