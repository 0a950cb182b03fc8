"""Of all recordings that sound alike, the earlier ones are found, and nothing else."""

import asyncio
from typing import Any

import pytest

from tests.recommend.saying import duplicate, fingerprinted, ruled, say, sounding, track_id
from tonetouch_contracts.finding import FindSounds, SoundMatches
from tonetouch_contracts.message import Positions
from tonetouch_runtime import Floor, Refused


async def find(floor: Floor, name: str, vector: bytes | None, before: int, **changes: Any) -> SoundMatches:
    asked: dict[str, Any] = {"duration_seconds": 200.0, **changes}
    return (await floor.ask(FindSounds(track_id=track_id(name), vector=vector, before=before, **asked))).value


async def test_the_same_song_in_another_codec_is_found(floor: Floor) -> None:
    """Nearest first with their cosines; strangers are not among them."""
    at = await say(
        floor.log,
        fingerprinted("song", sounding(1)),
        fingerprinted("stranger", sounding(2)),
        fingerprinted("remaster", sounding(3, near=1, apart=0.6), seconds=190.0),
        fingerprinted("copy", copy := sounding(4, near=1)),
    )
    found = await find(floor, "copy", copy, at["INGEST"])
    assert [match.track_id for match in found.items] == [track_id("song"), track_id("remaster")]
    assert [match.duration_seconds for match in found.items] == [200.0, 190.0]
    cosines = [match.cosine or 0.0 for match in found.items]
    assert cosines == sorted(cosines, reverse=True)
    assert cosines[0] > 0.95


async def test_of_two_codecs_at_once_exactly_one_is_earlier(floor: Floor) -> None:
    """Whoever asks first and however often: one finds the other, and never the other way round."""
    for turn in range(5):
        names, vectors = (
            (f"a{turn}", f"b{turn}"),
            (sounding(10 * turn + 7), sounding(10 * turn + 8, near=10 * turn + 7)),
        )
        said = [say(floor.log, fingerprinted(*pair)) for pair in zip(names, vectors, strict=True)]
        first, second = await asyncio.gather(*said)
        answers = await asyncio.gather(
            find(floor, names[0], vectors[0], first["INGEST"]), find(floor, names[1], vectors[1], second["INGEST"])
        )
        found = [[match.track_id for match in answer.items] for answer in answers]
        expected = ([track_id(names[1])], []) if first["INGEST"] > second["INGEST"] else ([], [track_id(names[0])])
        assert tuple(found) == expected


async def test_an_answer_waits_for_everything_before(floor: Floor) -> None:
    """The one asked about right after it was said is in the answer every time."""
    for turn in range(20):
        at = await say(floor.log, fingerprinted(f"x{turn}", sounding(turn)))
        found = await find(floor, "me", sounding(99, near=turn), at["INGEST"] + 1)
        assert [match.track_id for match in found.items] == [track_id(f"x{turn}")]


async def test_too_early_is_answered_not_yet(floor: Floor) -> None:
    """The wait is bounded."""
    floor.settings.position_wait_seconds = 0.2
    with pytest.raises(Refused) as refused:
        await find(floor, "me", sounding(1), 1000)
    assert refused.value.problem.code == "not_yet"


async def test_short_sounds_are_matched_by_their_length(floor: Floor) -> None:
    """Within twelve seconds, the nearest length first, without a cosine; vectors do not matter."""
    at = await say(
        floor.log,
        fingerprinted("15", None, seconds=15.0),
        fingerprinted("22", None, seconds=22.0),
        fingerprinted("31", sounding(1), seconds=31.0),
        fingerprinted("33", sounding(2), seconds=33.0),
        fingerprinted("late", None, seconds=20.0),
    )
    found = await find(floor, "me", None, at["INGEST"], duration_seconds=20.0)
    assert [match.track_id for match in found.items] == [track_id(name) for name in ("22", "15", "31")]
    assert {match.cosine for match in found.items} == {None}


async def test_a_fingerprint_said_twice_stays_where_it_was(floor: Floor) -> None:
    """A step that ran again does not make an early track a late one."""
    at = await say(floor.log, fingerprinted("song", sounding(1)), fingerprinted("copy", sounding(2, near=1)))
    await say(floor.log, fingerprinted("song", sounding(1)))
    found = await find(floor, "copy", sounding(2, near=1), at["INGEST"])
    assert [match.track_id for match in found.items] == [track_id("song")]


async def test_a_duplicate_gives_way_to_its_original(floor: Floor) -> None:
    """However many copies there are, the original is among the few that are answered."""
    copies = [fingerprinted(f"copy{number}", sounding(50 + number, near=99, apart=0.01)) for number in range(12)]
    marked = [duplicate(f"copy{number}", "song") for number in range(12)]
    at = await say(floor.log, fingerprinted("song", sounding(1, near=99, apart=0.5)), *copies, *marked)
    found = await find(floor, "me", sounding(99), at["INGEST"] + 1)
    assert [match.track_id for match in found.items] == [track_id("song")]


async def test_a_vector_of_another_model_is_left_out(floor: Floor) -> None:
    """It is refused and counted; its neighbours are found, and it is still known by its length."""
    from tonetouch_recommend.indexes.indexing import Indexes

    at = await say(
        floor.log,
        fingerprinted("old", sounding(1), model="another@1"),
        fingerprinted("cut", sounding(1)[:100]),
        fingerprinted("song", sounding(2, near=1)),
    )
    found = await find(floor, "me", sounding(1), at["INGEST"] + 1)
    assert [match.track_id for match in found.items] == [track_id("song")]
    assert floor.get(Indexes).refused["fingerprints"] == {track_id("old"), track_id("cut")}
    short = await find(floor, "me", None, at["INGEST"] + 1)
    assert track_id("old") in [match.track_id for match in short.items]


async def test_a_vector_that_is_none_is_invalid(floor: Floor) -> None:
    """Empty, half a number, zeros, not numbers, too few."""
    for vector in (b"", b"odd", b"\x00" * 512, b"\xff" * 512, b"\x3c" * 100):
        with pytest.raises(Refused) as refused:
            await find(floor, "me", vector, 1)
        assert refused.value.problem.code == "invalid", vector


async def test_what_goes_on_alike_is_found_without_a_cosine(floor: Floor) -> None:
    """An instrumental sounds unlike its song, and goes on as it does; one that is near in both ways comes once."""
    at = await say(
        floor.log,
        fingerprinted("song", sounding(1), progression=sounding(11)),
        fingerprinted("stranger", sounding(2), progression=sounding(12)),
        fingerprinted("copy", sounding(3, near=4), progression=sounding(13, near=11, apart=0.5)),
    )
    found = await find(floor, "me", sounding(4), at["INGEST"] + 1, progression=sounding(14, near=11, apart=0.5))
    assert [match.track_id for match in found.items] == [track_id("copy"), track_id("song")]
    assert [match.cosine is None for match in found.items] == [False, True]
    own = await find(floor, "song", sounding(1), at["INGEST"] + 1, progression=sounding(11))
    assert track_id("song") not in [match.track_id for match in own.items]


async def test_a_short_sound_is_found_among_very_many_of_its_length(floor: Floor) -> None:
    """By its vector where it has one, else by its length to a tenth of a second."""
    others = [fingerprinted(f"jingle{number}", sounding(100 + number), seconds=20.0) for number in range(60)]
    mine = [fingerprinted("mine", sounding(1), seconds=20.9), fingerprinted("bare", None, seconds=20.05)]
    at = await say(floor.log, *others, *mine)
    found = await find(floor, "me", sounding(2, near=1), at["INGEST"] + 1, duration_seconds=20.0)
    assert found.items[0].track_id == track_id("mine")
    found = await find(floor, "me", None, at["INGEST"] + 1, duration_seconds=20.05)
    assert found.items[0].track_id == track_id("bare")


async def test_a_person_decides_who_is_found(floor: Floor) -> None:
    """What was called a duplicate wrongly is found again, and what a person called one is not; by both vectors."""
    at = await say(
        floor.log,
        fingerprinted("song", sounding(1), progression=sounding(11)),
        fingerprinted("copy", sounding(2, near=1), progression=sounding(12, near=11)),
        duplicate("copy", "song"),
    )
    asked = sounding(3, near=1)
    assert await names(floor, asked, at) == ["song"]
    assert set(await names(floor, asked, await say(floor.log, ruled("copy", "version", "song")))) == {"song", "copy"}
    assert await names(floor, asked, await say(floor.log, ruled("song", "duplicate", "copy"))) == ["copy"]
    assert set(await names(floor, asked, await say(floor.log, ruled("song", "none")))) == {"song", "copy"}


async def names(floor: Floor, asked: bytes, at: Positions) -> list[str]:
    """Who is found by sound, and the same ones by how they go on."""
    known = {track_id(name): name for name in ("song", "copy")}
    found = await find(floor, "me", asked, at["INGEST"] + 1)
    going_on = await find(floor, "me", sounding(99), at["INGEST"] + 1, progression=sounding(13, near=11))
    assert {match.track_id for match in going_on.items} == {match.track_id for match in found.items}
    return [known[match.track_id] for match in found.items]
