"""Tracks are found by what a sentence means, by what they say, and by their names."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.recommend.saying import embedded, on_shelf, published, say, track_id
from tests.runtime.installation import provision
from tonetouch_contracts.finding import Found, Results, SearchTracks
from tonetouch_contracts.identity import PlaylistId, UserId, derived
from tonetouch_contracts.job import JobRecorded
from tonetouch_contracts.message import Event
from tonetouch_contracts.playlist import PlaylistCreated, PlaylistDeleted, PlaylistRenamed, PlaylistTracksAdded
from tonetouch_contracts.track import TrackRelated
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_runtime import Floor, Refused, Settings, encode_cursor, running

LIBRARY: Sequence[Event] = (
    *on_shelf(
        "Last Tram in the Rain",
        "slow, 62 bpm; melancholic, sad, calm; in D minor; quiet, soft, gentle, to fall asleep, to relax; Solo Piano; "
        "with lyrics; 2019. Last Tram in the Rain by Maren Vesterlund, from Eight Lights in the Harbour.",
        ["The last tram left, and you were on it\nRain wrote your name across the glass"],
        artist="Maren Vesterlund",
    ),
    *on_shelf(
        "Neon Sunrise",
        "fast upbeat, 128 bpm; euphoric, happy, bright; in A major; powerful, intense, for a workout, for a party; "
        "Dance; with lyrics; 2024. Neon Sunrise by Halogen Parade, from Eight Lights in the Harbour.",
        ["Windows down, the city is waking", "Dance until the colours find the water"],
        artist="Halogen Parade",
    ),
    *on_shelf(
        "Night Circuit",
        "very fast driving, 172 bpm; dark, tense; in F minor; energetic, for dancing, for a workout; Drum and Bass; "
        "with lyrics; 2023. Night Circuit by Halogen Parade, from Eight Lights in the Harbour.",
        ["Under the bridges the current is humming"],
        artist="Halogen Parade",
        region="DE",
    ),
    *on_shelf(
        "Hammer of the North",
        "fast upbeat, 138 bpm; aggressive, angry; in E minor; powerful, intense, for a workout, for a party; Metal; "
        "2021. Hammer of the North by Stone Atlas, from Eight Lights in the Harbour.",
        artist="Stone Atlas",
        explicit=True,
    ),
    *on_shelf(
        "Lullaby for a Lighthouse",
        "slow, 70 bpm; peaceful, happy, calm; in F major; quiet, soft, gentle, to fall asleep, to relax; Folk; "
        "sung in fra; with lyrics; 2018. Lullaby for a Lighthouse by Maren Vesterlund.",
        ["Dors, petit phare, la mer est calme ce soir"],
        artist="Maren Vesterlund",
    ),
)


shared = pytest.mark.asyncio(loop_scope="module")
"""Tests that only ask share one library; those that add to it have their own."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="library")
async def _library(
    settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Floor]:
    """A service with the library, which stays as it is."""
    settings = settings_in(tmp_path_factory.mktemp("searching"))
    await provision(settings)
    async with running(app, settings) as floor:
        await floor.seen(await say(floor.log, *LIBRARY))
        yield floor


@pytest.fixture(name="own_library")
async def _own_library(floor: Floor) -> Floor:
    """A service with the library for one test, which may change it."""
    await floor.seen(await say(floor.log, *LIBRARY))
    return floor


async def search(floor: Floor, query: str, **changes: Any) -> Results:
    return (await floor.ask(SearchTracks(query=query, **changes))).value


async def first(floor: Floor, query: str, **changes: Any) -> str:
    return (await search(floor, query, **changes)).items[0].track_id


@shared
async def test_a_sentence_finds_what_it_means(library: Floor) -> None:
    """In words that stand in no title, with mistakes, and in small words only."""
    for query, name in {
        "a slow sad piano piece": "Last Tram in the Rain",
        "something sad and quiet on the piano": "Last Tram in the Rain",
        "happy music for a party": "Neon Sunrise",
        "dark drum and bass, very fast": "Night Circuit",
        "agressive metal": "Hammer of the North",
        "peaceful music to fall asleep": "Lullaby for a Lighthouse",
    }.items():
        assert await first(library, query) == track_id(name), query


@shared
async def test_words_of_a_song_find_it_and_show_where(library: Floor) -> None:
    """The passage is in the answer, in whatever language it is sung."""
    for line, name in {
        "rain wrote your name across the glass": "Last Tram in the Rain",
        "dance until the colours find the water": "Neon Sunrise",
        "la mer est calme ce soir": "Lullaby for a Lighthouse",
    }.items():
        found = (await search(library, line)).items[0]
        assert (found.track_id, found.where) == (track_id(name), "lyrics"), line
        assert line in (found.passage or "").casefold()


@shared
async def test_names_come_first(library: Floor) -> None:
    """A whole title, its beginning, an artist; without case and accents, whatever else it may mean."""
    for query in ("night circuit", "NIGHT CIR", "  Nïght   circuit "):
        found = (await search(library, query)).items[0]
        assert (found.track_id, found.where) == (track_id("Night Circuit"), "title"), query
    by_artist = (await search(library, "halogen parade")).items[:2]
    assert {found.track_id for found in by_artist} == {track_id("Neon Sunrise"), track_id("Night Circuit")}
    assert {found.where for found in by_artist} == {"artist"}


@shared
async def test_scores_fall_and_nothing_is_shown_twice(library: Floor) -> None:
    """One ranking over descriptions, lyrics and names."""
    for query in ("rain", "halogen parade", "a slow sad piano piece"):
        found = (await search(library, query)).items
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert len({one.track_id for one in found}) == len(found) == 5


@shared
async def test_region_and_explicit_are_kept_out(library: Floor) -> None:
    """By meaning, by lyrics and by name."""
    for query in ("Night Circuit", "under the bridges the current is humming", "very fast drum and bass"):
        assert await first(library, query) == track_id("Night Circuit")
        shown = [found.track_id for found in (await search(library, query, region="GB")).items]
        assert track_id("Night Circuit") not in shown
        assert len(shown) == 4
    for query in ("Hammer of the North", "aggressive metal"):
        shown = [found.track_id for found in (await search(library, query, explicit_allowed=False)).items]
        assert track_id("Hammer of the North") not in shown
        assert len(shown) == 4


@shared
async def test_pages_are_parts_of_one_ranking(library: Floor) -> None:
    """Each track once, in the order of the whole, and no cursor at the end."""
    whole = await search(library, "music for a party")
    pages, cursor = list[Found](), None
    while True:
        page = await search(library, "music for a party", limit=2, cursor=cursor)
        pages.extend(page.items)
        if (cursor := page.next_cursor) is None:
            break
    assert tuple(pages) == whole.items
    assert whole.next_cursor is None


@shared
async def test_what_cannot_be_searched_is_invalid(library: Floor) -> None:
    """Nothing to search for, too much of it, and what is no page."""
    odd: list[dict[str, Any]] = [
        {"query": ""},
        {"query": " \t\n "},
        {"query": "x" * 501},
        {"query": "x" * 10_000},
        {"query": "x", "kinds": ()},
        {"query": "x", "limit": 0},
        {"query": "x", "limit": 201},
        {"query": "x", "cursor": "?"},
        {"query": "x", "cursor": encode_cursor(-1)},
        {"query": "x", "cursor": encode_cursor("a")},
        {"query": "x", "cursor": encode_cursor(1, 2)},
    ]
    for asked in odd:
        with pytest.raises(Refused) as refused:
            await search(library, **asked)
        assert refused.value.problem.code == "invalid", asked


@shared
async def test_odd_sentences_are_answered(library: Floor) -> None:
    """Pictures, other scripts and words without end are just letters."""
    for query in ("🎹", "音楽", "a" * 500, "x\u202ey"):
        assert len((await search(library, query)).items) == 5, query


async def test_of_signs_alone_only_a_name_is_made(own_library: Floor) -> None:
    """Nothing is called so: an empty list that says why; when something is, it is found."""
    for query in ("%", "_", "'", "\\", "()", "!!!", "\u202e\u0000"):
        empty = await search(own_library, query)
        assert (empty.items, empty.next_cursor) == ((), None), query
        assert empty.reason == "There is no word in it, and nothing is named by these signs.", query
    await own_library.seen(await say(own_library.log, *on_shelf("÷", "a loud fast guitar", artist="!!!")))
    for query, where in (("÷", "title"), ("!!!", "artist")):
        found = await search(own_library, query)
        assert [(one.track_id, one.where) for one in found.items] == [(track_id("÷"), where)]
        assert found.reason is None


@shared
async def test_filters_that_leave_nothing_say_so(library: Floor) -> None:
    """It is an empty list with a reason, not an error."""
    for query in ("a slow sad piano piece", "night circuit"):
        empty = await search(library, query, region="IS")
        assert empty.items == ()
        assert "the filters leave nothing" in (empty.reason or "")


@shared
async def test_misspelt_names_are_found(library: Floor) -> None:
    """A letter too many, too few, another, two swapped; words run together or apart."""
    for query, name in {
        "nigth circuit": "Night Circuit",
        "nightcircuit": "Night Circuit",
        "hamer of the nrth": "Hammer of the North",
        "neon sunrize": "Neon Sunrise",
        "lulaby for a lighthose": "Lullaby for a Lighthouse",
        "ston atlas": "Hammer of the North",
    }.items():
        found = (await search(library, query)).items[0]
        assert (found.track_id, found.where in ("title", "artist")) == (track_id(name), True), query


async def test_letters_that_few_people_type_are_folded(floor: Floor) -> None:
    """In what is typed and in what is found alike; the letters of other scripts stay."""
    names = ("Ænima Straße", "Sæglópur", "Łódź Nocą", "İstanbul Kışı", "Ёлка и йод", "雨の図書館", "Καλημέρα Ήλιε")
    await floor.seen(await say(floor.log, *(event for name in names for event in on_shelf(name, f"about {name}"))))
    for query, name in {
        "aenima strasse": "Ænima Straße",
        "SÆGLOPUR": "Sæglópur",
        "lodz noca": "Łódź Nocą",
        "istanbul kisi": "İstanbul Kışı",
        "елка и йод": "Ёлка и йод",
        "図書館": "雨の図書館",
        "καλημερα ηλιε": "Καλημέρα Ήλιε",
    }.items():
        found = (await search(floor, query)).items[0]
        assert (found.track_id, found.where) == (track_id(name), "title"), query


@shared
async def test_a_line_word_for_word_says_where_it_stands(library: Floor) -> None:
    """The characters of the passage that were asked for, however the lines are broken."""
    found = (await search(library, "you were on it rain wrote your name")).items[0]
    assert (found.track_id, found.where) == (track_id("Last Tram in the Rain"), "lyrics")
    assert found.passage is not None and found.sung is not None
    assert found.passage[slice(*found.sung)] == "you were on it\nRain wrote your name"


async def test_artists_and_albums_are_found_on_request(own_library: Floor) -> None:
    """With their names, mistyped too, as long as something of them is on offer."""
    await own_library.seen(
        await say(own_library.log, *on_shelf("One", "a song", album="Øst", album_id="album-1", artist="Æro"))
    )
    found = (await search(own_library, "maren vesterlunt", kinds=("artists", "albums"))).items
    assert [(one.kind, one.name, one.id, one.track_id) for one in found] == [
        ("artist", "Maren Vesterlund", derived("artist", "Maren Vesterlund"), "")
    ]
    found = (await search(own_library, "ost", kinds=("artists", "albums", "tracks"))).items
    assert (found[0].kind, found[0].id, found[0].name, found[0].by) == ("album", "album-1", "Øst", "Æro")
    assert {one.kind for one in found[1:]} == {"track"}
    for changes in ({"region": "IS"}, {"explicit_allowed": False}):
        empty = await search(own_library, "stone atlas", kinds=("artists",), **changes)
        assert (empty.items, "artists" in (empty.reason or "")) == ((), True), changes


async def test_playlists_are_found_by_who_made_them(own_library: Floor) -> None:
    """By their names as long as they are called so, and by what is in them; nobody else sees them."""
    mine, ann = PlaylistId(derived("playlist", "1")), UserId("ann")
    made = PlaylistCreated(playlist_id=mine, user_id=ann, name="Slow Sundays", at="2026-10-01T00:00:00Z")
    tracks = (track_id("Last Tram in the Rain"), track_id("Lullaby for a Lighthouse"))
    await own_library.seen(
        await say(own_library.log, made, PlaylistTracksAdded(playlist_id=mine, user_id=ann, track_ids=tracks))
    )

    async def found(query: str, user: str) -> list[tuple[str, str | None, str]]:
        page = await search(own_library, query, kinds=("playlists",), user_id=UserId(user))
        return [(one.id, one.name, one.where) for one in page.items]

    assert await found("slow sundays", "ann") == [(mine, "Slow Sundays", "title")]
    await own_library.get(Indexes).settled("playlist", 10.0)
    assert await found("a quiet melancholic piano", "ann") == [(mine, "Slow Sundays", "tracks")]
    assert await found("slow sundays", "bob") == []
    renamed = PlaylistRenamed(playlist_id=mine, user_id=ann, name="Fast Mondays")
    await own_library.seen(await say(own_library.log, renamed))
    assert (await found("fast mondays", "ann"))[0] == (mine, "Fast Mondays", "title")
    await own_library.seen(await say(own_library.log, PlaylistDeleted(playlist_id=mine, user_id=ann)))
    assert [one for one in await found("fast mondays", "ann") if one[2] == "title"] == []


async def test_a_track_that_was_set_aside_is_not_found_by_name(own_library: Floor) -> None:
    """A person called it a duplicate; when they take that back it is there again."""
    related = TrackRelated(
        track_id=track_id("Neon Sunrise"),
        of=track_id("Night Circuit"),
        relation="duplicate",
        reason="the same",
        said_by=UserId("ann"),
    )
    await own_library.seen(await say(own_library.log, related))
    assert track_id("Neon Sunrise") not in [one.track_id for one in (await search(own_library, "neon sunrise")).items]
    await own_library.seen(await say(own_library.log, msgspec.structs.replace(related, relation="none")))
    assert await first(own_library, "neon sunrise") == track_id("Neon Sunrise")


async def test_a_track_without_its_other_half_is_not_found(floor: Floor) -> None:
    """Described but not published, or published but not described; with both it is there, whichever came last."""
    await floor.seen(await say(floor.log, embedded("Described", "a sad slow piano"), published("Published")))
    assert (await search(floor, "a sad slow piano")).items == ()
    assert [found.where for found in (await search(floor, "Published")).items] == ["title"]
    await floor.seen(await say(floor.log, published("Described"), embedded("Published", "a loud fast guitar")))
    assert await first(floor, "a sad slow piano") == track_id("Described")
    assert await first(floor, "a loud fast guitar") == track_id("Published")


async def test_a_track_is_found_as_soon_as_its_writer_has_seen_it(floor: Floor) -> None:
    """With the positions of the write, the answer has it every time."""
    for turn in range(10):
        after = await say(floor.log, *on_shelf(f"Tune {turn}", f"tune number {turn} for whales"))
        page = (await floor.ask(SearchTracks(query="a tune for whales"), after=after)).value
        assert len(page.items) == turn + 1


async def test_a_vector_of_another_model_is_not_searched(floor: Floor) -> None:
    """Its track is found by name only, and the others by meaning too."""
    odd = embedded("Odd", "a sad slow piano", model="another@1", dimension=1024)
    await floor.seen(await say(floor.log, odd, published("Odd"), *on_shelf("Even", "a sad slow piano")))
    assert [found.track_id for found in (await search(floor, "a sad slow piano")).items] == [track_id("Even")]
    assert floor.get(Indexes).refused["tracks"] == {track_id("Odd")}


async def test_a_search_is_in_the_ledger_and_nobody_keeps_what_was_typed(floor: Floor) -> None:
    """The call is accounted for under search; no object holds its words or its answer."""
    await search(floor, "a secret wish")
    rows = [fact async for fact in _jobs(floor)]
    assert [(row.feature, row.subject, row.outcome, row.input_ref) for row in rows] == [
        ("search", "search", "succeeded", None)
    ]
    assert [found async for found in floor.objects.list("ai/")] == []


async def _jobs(floor: Floor) -> Any:
    stream = floor.bus.jetstream
    async with asyncio.timeout(20):
        for sequence in range(1, (await stream.stream_info("AI")).state.last_seq + 1):
            message = await stream.get_msg("AI", sequence)
            if message.subject and message.subject.startswith("job.recorded"):
                yield msgspec.json.decode(message.data or b"", type=JobRecorded)
