"""A context is the same to the byte for the same knowledge, and holds people's words in fences."""

import random
from typing import Any

import msgspec
import pytest

from tests.agents.injections import INJECTIONS, Injection
from tests.agents.music import album_id, artist_id, track
from tonetouch_agents.context import MOST_OF_LYRICS, Context, compose
from tonetouch_agents.facts import MOST_TRACKS, of_album, of_artist, of_track
from tonetouch_agents.kinds import PROMPTS, template_of
from tonetouch_contracts.copy import CopyKind, Known
from tonetouch_runtime.ai.local import Fact, write_from_facts

Row = dict[str, Any]
ARTIST: Row = {"artist_id": artist_id(), "name": "Ada Lund"}
ALBUM: Row = {"album_id": album_id(), "title": "Winter Light", "artist_id": artist_id()}


def row(number: int, **said: Any) -> Row:
    return {str(name): value for name, value in msgspec.to_builtins(track(number, **said)).items()} | {"lyrics": None}


def rows(count: int) -> list[Row]:
    return [row(number) for number in range(1, count + 1)]


def values(known: list[Known]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in known:
        found.setdefault(one.name, []).append(one.value)
    return found


def test_the_same_knowledge_gives_the_same_bytes() -> None:
    """Whatever order the rows come in."""
    albums, tracks = [ALBUM, ALBUM | {"album_id": "z", "title": "Another"}], rows(12)
    texts = set()
    for seed in range(5):
        shuffled = [random.Random(seed).sample(some, len(some)) for some in (albums, tracks)]
        known = of_artist(ARTIST, *shuffled)
        texts.add(compose("artist:a", known, {"track_1": "la la"}, {"artist_bio": "Earlier."}).to_bytes())
    assert len(texts) == 1


def test_what_was_kept_is_read_as_it_was() -> None:
    """The object holds the text and its facts."""
    context = compose("album:a", of_album(ALBUM, ARTIST, rows(3)), {"track_2": "la"}, {})
    assert Context.from_bytes(context.to_bytes()) == context


def test_an_earlier_text_changes_the_context_and_not_its_facts() -> None:
    """So a text is not written again because it was written."""
    known = of_artist(ARTIST, [ALBUM], rows(3))
    first = compose("artist:a", known, {}, {})
    second = compose("artist:a", known, {}, {"artist_bio": "It is calm."})
    assert first.sha256 != second.sha256
    assert first.facts_sha256 == second.facts_sha256


def test_facts_of_an_artist() -> None:
    """Counted, listed, and where all tracks agree said once."""
    known = values(of_artist(ARTIST, [ALBUM], rows(3)))
    assert (known["artist"], known["tracks"], known["albums"]) == (["Ada Lund"], ["3 tracks"], ["1 album"])
    assert (known["year"], known["main_genre"], known["track_2_title"]) == (["1998"], ["Trip-Hop"], ["Slow Harbour"])
    assert values(of_artist(ARTIST, [], [row(1), row(2, year=2001)]))["last_year"] == ["2001"]


def test_facts_of_an_album() -> None:
    """Its length, its ends and its extremes."""
    known = values(of_album(ALBUM, ARTIST, rows(4)))
    assert known["length"] == ["13:30"]
    assert (known["opening"], known["closing"]) == (["Night Bus"], ["First Snow"])
    assert (known["slowest"], known["slowest_tempo"]) == (["Night Bus"], ["81"])


def test_unknown_and_guessed_things_are_no_facts() -> None:
    """Null is not known, and a guessed artist is nobody's."""
    bare = row(1, genres=(), moods=(), bpm=None, key=None, year=None, loudness_lufs=None, album=None)
    assert set(values(of_track(bare | {"guessed": ["artist"]}))) == {"title", "length"}


def test_a_large_catalogue_makes_no_larger_a_context() -> None:
    """Tracks beyond the first ones are only counted, and lyrics are cut."""
    tracks = rows(500)
    tracks = [one | {"moods": ["calm", "warm", "dark", "sad"]} for one in tracks]
    albums = [ALBUM | {"album_id": f"a{number}", "title": f"Album {number}"} for number in range(500)]
    known = of_artist(ARTIST, albums, tracks)
    names = {one.name for one in known}
    assert f"track_{MOST_TRACKS}_title" in names
    assert f"track_{MOST_TRACKS + 1}_title" not in names
    lyrics = {f"track_{number}": "la " * 5_000 for number in range(1, 501)}
    context = compose("artist:a", known, lyrics, {})
    assert len(context.facts) + len(of_track(tracks[0])) <= 500
    assert len(context.text) < 110_000
    assert all(len(words) <= MOST_OF_LYRICS for words in context.lyrics)


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.words[:40])
def test_no_words_get_out_of_their_fence(injection: Injection) -> None:
    """The preamble stays the only text outside of the fences."""
    known = [Known(name="title", value=injection.words), Known(name="artist", value=injection.words)]
    harmless = [Known(name="title", value="Night Bus"), Known(name="artist", value="Ada Lund")]
    outside = []
    for some, words in ((known, injection.words), (harmless, "la la")):
        text = compose("artist:a", some, {"track_1": words}, {"artist_bio": words}).text
        fenced = False
        kept = []
        for line in text.splitlines():
            if line.startswith("<<end "):
                fenced = False
            elif line.startswith("<<"):
                fenced = True
            elif not fenced:
                kept.append(line)
        outside.append(kept)
    assert outside[0] == outside[1]


@pytest.mark.parametrize("kind", PROMPTS)
def test_every_kind_can_be_told_in_patterns(kind: CopyKind) -> None:
    """Each has three sentences or more where much is known, each of which stands."""
    known = {
        "artist_bio": of_artist(ARTIST, [ALBUM], rows(4)),
        "album_review": of_album(ALBUM, ARTIST, rows(4)),
        "track_notes": of_album(ALBUM, ARTIST, rows(4)),
        "about_track": of_track(row(1)),
    }[kind]
    facts = compose("album:a", known, {}, {}).facts
    text = write_from_facts(
        [Fact(one.id, one.name, one.value) for one in facts], template=template_of(kind, facts), count_tokens=len
    )
    assert len(text.sentences) >= 3
    assert "{" not in text.text
