"""Lyrics: plain and LRC read without ever failing, written back, and cut into passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_ingest.listening.lyrics import (
    MAXIMUM_CHARACTERS,
    MAXIMUM_LINE_CHARACTERS,
    MAXIMUM_LINES,
    Line,
    Lyrics,
    parse_lyrics,
    passages,
    to_lrc,
)

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200)
pieces = [
    *("[00:01.00]", "[1:2]", "[12:59.999]", "[00:61.00]", "[00:x]", "<00:01.50>", "<00:0", "1.00>", "[offset:250]"),
    *("[la:EN]", "[ar:Somebody]", "[Chorus: all]", "words ", " ", "\n", "\n\n", "\r\n", "\u200b", "é", "[", "]", ">"),
]
lrc_like = st.lists(st.sampled_from(pieces), max_size=30).map("".join)
sung = st.text(alphabet="abc äß🎵'-()", min_size=1, max_size=40).map(lambda text: " ".join(text.split()))
synced_lyrics = st.lists(st.tuples(st.integers(0, 3_600_000), sung), min_size=1, max_size=30).map(
    lambda lines: tuple(Line(start / 1000, text) for start, text in sorted(lines, key=lambda line: line[0]))
)


def times(lyrics: Lyrics) -> list[float | None]:
    return [line.start_seconds for line in lyrics.lines]


def words(lyrics: Lyrics) -> list[str]:
    return [line.text for line in lyrics.lines]


def test_plain_lyrics_keep_their_stanzas() -> None:
    """Empty lines separate stanzas: one is kept between two, none around them."""
    lyrics = parse_lyrics("\n\nOne\ntwo \r\n\n\n\nthree\rfour\n\n")
    assert words(lyrics) == ["One", "two", "", "three", "four"]
    assert not lyrics.synced
    assert lyrics.problems == ()


def test_lrc_lines_have_times() -> None:
    """Hundredths, thousandths, tenths or nothing after the second."""
    lyrics = parse_lyrics("[00:01.25]a\n[00:02.125]b\n[00:03.5]c\n[1:04]d\n[100:00:10]e")
    assert times(lyrics) == [1.25, 2.125, 3.5, 64.0, 6000.1]
    assert lyrics.synced


def test_a_line_with_several_times_is_sung_several_times() -> None:
    """The chorus stands once in the file and comes out at each of its times, in order."""
    lyrics = parse_lyrics("[00:20.00][00:05.00] [00:40.00]Chorus\n[00:10.00]Verse")
    expected = [(5.0, "Chorus"), (10.0, "Verse"), (20.0, "Chorus"), (40.0, "Chorus")]
    assert [(line.start_seconds, line.text) for line in lyrics.lines] == expected


@pytest.mark.parametrize(("offset", "expected"), [("500", [0.5, 0.0]), ("+500", [0.5, 0.0]), ("-500", [1.5, 0.7])])
def test_a_positive_offset_shows_lyrics_earlier(offset: str, expected: list[float]) -> None:
    """The offset moves every time, wherever it stands, and never before the beginning."""
    lyrics = parse_lyrics(f"[00:01.00]b\n[00:00.20]a\n[offset: {offset}]")
    assert times(lyrics) == sorted(expected)


def test_metadata_is_no_text() -> None:
    """Artist, title and the like are dropped; the language is kept."""
    lyrics = parse_lyrics("[ar:Somebody]\n[ti: A song]\n[by:x]\n[la:DE]\n[length: 02:10]\n[00:01.00]Wort")
    assert words(lyrics) == ["Wort"]
    assert lyrics.language == "de"


def test_a_given_language_counts_when_the_text_names_none() -> None:
    """The text's own word wins over the tag's; nonsense is no language."""
    assert parse_lyrics("words", language="ENG").language == "eng"
    assert parse_lyrics("[la:fr]\nmots", language="eng").language == "fr"
    assert parse_lyrics("words", language="not a language").language is None


def test_words_in_brackets_stay() -> None:
    """[Chorus] is written by people and is neither a time nor metadata."""
    lyrics = parse_lyrics("[Chorus]\n[Verse 2: Anna]\nla la")
    assert words(lyrics) == ["[Chorus]", "[Verse 2: Anna]", "la la"]
    assert lyrics.problems == ()


def test_times_of_single_words_are_dropped() -> None:
    """Enhanced LRC becomes plain LRC."""
    assert parse_lyrics("[00:01.00]<00:01.00>Two <00:01.50> words<00:02.00>").lines == (Line(1.0, "Two words"),)


@pytest.mark.parametrize("line", ["[00:75.00]late", "[00:1x.00]odd", "[-1:00]early", "[99999:00.00]far", "[00:01.00 x"])
def test_a_malformed_time_stays_as_text_with_a_note(line: str) -> None:
    """Nothing a person wrote is lost, and the note names the line."""
    lyrics = parse_lyrics(f"[00:01.00]first\n{line}")
    assert lyrics.lines == (Line(1.0, "first"), Line(None, line))
    assert lyrics.problems == ("line 2 has a malformed time and is kept as text",)


@pytest.mark.parametrize(
    ("line", "says"),
    [("[offset:soon]", "offset"), ("[offset:99999999]", "offset"), ("[la:klingon language]", "language")],
)
def test_malformed_metadata_is_noted(line: str, says: str) -> None:
    """The value is ignored, the rest counts."""
    lyrics = parse_lyrics(f"{line}\n[00:01.00]a")
    assert times(lyrics) == [1.0]
    assert says in lyrics.problems[0]


def test_untimed_lines_follow_the_line_they_stood_behind() -> None:
    """A translation below its line moves with it."""
    lyrics = parse_lyrics("[00:09.00]spät\nlate\n[00:03.00]früh\nearly")
    assert words(lyrics) == ["früh", "early", "spät", "late"]


def test_control_and_bidi_characters_are_removed() -> None:
    """Marks that reorder or hide text do not come through."""
    assert words(parse_lyrics("a\u202eb\u200bc\x07\n\ufeff[00:01.00]d")) == ["abc", "d"]


def test_too_much_is_cut_and_noted() -> None:
    """Characters, lines and the length of a line have limits; each says so."""
    long = parse_lyrics("x" * (MAXIMUM_LINE_CHARACTERS + 1))
    assert (len(long.lines[0].text), len(long.problems)) == (MAXIMUM_LINE_CHARACTERS, 1)
    many = parse_lyrics("x\n" * (MAXIMUM_LINES + 5))
    assert (len(many.lines), len(many.problems)) == (MAXIMUM_LINES, 1)
    huge = parse_lyrics("word " * MAXIMUM_CHARACTERS)
    assert "characters are kept" in huge.problems[0]
    assert len(parse_lyrics("[00:x]\n" * 500).problems) <= 21


@pytest.mark.parametrize("text", ["", " \n\t\n", "\u200b\n\ufeff"])
def test_nothing_gives_no_lines(text: str) -> None:
    """Empty is empty, not an error."""
    assert parse_lyrics(text) == Lyrics()


def test_written_lrc_has_hundredths_where_they_suffice() -> None:
    """Players read mm:ss.xx; only a time that needs thousandths gets them."""
    lyrics = Lyrics(language="en", synced=True, lines=(Line(61.5, "a"), Line(3600.001, "b"), Line(None, "c")))
    assert to_lrc(lyrics) == "[la:en]\n[01:01.50]a\n[60:00.001]b\nc"


@given(synced_lyrics, st.sampled_from([None, "en", "pt-br"]))
def test_synced_lyrics_come_back_from_lrc(lines: tuple[Line, ...], language: str | None) -> None:
    """Writing and reading changes nothing."""
    lyrics = Lyrics(language=language, synced=True, lines=lines)
    assert parse_lyrics(to_lrc(lyrics)) == lyrics


@given(texts | lrc_like)
def test_reading_what_was_written_gives_the_same_lines(text: str) -> None:
    """Whatever the text was: once read, writing and reading it again changes nothing."""
    once = parse_lyrics(text)
    again = parse_lyrics(to_lrc(once))
    assert (again.language, again.synced, again.lines) == (once.language, once.synced, once.lines)


@given(texts | lrc_like)
def test_timed_lines_are_in_order(text: str) -> None:
    """Times never go backwards and are never negative."""
    found = [time for time in times(parse_lyrics(text)) if time is not None]
    assert found == sorted(found)
    assert min(found, default=0.0) >= 0.0


def test_a_passage_is_a_stanza() -> None:
    """Stanzas in their order, the repeated chorus once."""
    lyrics = parse_lyrics("one\ntwo\n\nchorus\nla\n\nthree\nfour\n\nchorus\nla")
    assert passages(lyrics) == ("one\ntwo", "chorus\nla", "three\nfour")


def test_a_silent_line_ends_a_stanza_of_timed_lyrics() -> None:
    """An empty line with a time is how LRC writes a break."""
    assert passages(parse_lyrics("[00:01.00]a\n[00:02.00]\n[00:03.00]b")) == ("a", "b")


def test_long_stanzas_are_cut_at_lines() -> None:
    """Eight lines a passage, or fewer when they are long."""
    twenty = parse_lyrics("\n".join(f"line {number}" for number in range(20)))
    assert [len(one.splitlines()) for one in passages(twenty)] == [8, 8, 4]
    assert [len(one.splitlines()) for one in passages(twenty, max_characters=21)] == [3] * 3 + [2] * 5 + [1]


def test_many_passages_are_thinned_evenly() -> None:
    """The first stays, the order stays, and the end of the song is heard too."""
    lyrics = parse_lyrics("\n\n".join(f"stanza {number}" for number in range(100)))
    found = passages(lyrics, max_passages=4)
    assert found == ("stanza 0", "stanza 25", "stanza 50", "stanza 75")


@given(texts | lrc_like, st.integers(5, 60), st.integers(1, 5), st.integers(1, 6))
def test_passages_are_bounded_and_lose_nothing_below_the_bounds(text: str, width: int, lines: int, count: int) -> None:
    """No passage is longer or has more lines than allowed, and unless some are thinned out every word is there."""
    lyrics = parse_lyrics(text)
    found = passages(lyrics, max_characters=width, max_lines=lines, max_passages=count)
    assert len(found) <= count
    assert all(0 < len(one) <= width and len(one.splitlines()) <= lines for one in found)
    everything = passages(lyrics, max_characters=width, max_lines=lines, max_passages=10_000)
    assert set("".join("".join(words(lyrics)).split())) == set("".join("".join(everything).split()))
