"""Names are compared by their words, and lines by three of them in a row."""

from hypothesis import given
from hypothesis import strategies as st

from tonetouch_recommend.search.folding import folded, name_key, words, words_of_name
from tonetouch_recommend.search.lexical import (
    Asked,
    Likeness,
    Named,
    deletions,
    distance,
    likeness,
    prints,
    similarity,
    sung_at,
    sung_share,
    weight,
)

short = st.text("abcdé ", max_size=8)


def asked(text: str, meant: dict[str, dict[str, float]] | None = None) -> Asked:
    typed = words_of_name(text)
    return Asked(
        key=name_key(text),
        together="".join(typed) if len(typed) > 1 else "",
        weights={word: weight(word, common=False) for word in typed},
        meant={word: {word: 1.0, **(meant or {}).get(word, {})} for word in typed},
        begun=typed[-1],
    )


def named(title: str, artist: str = "", album: str = "") -> Named:
    fields = {"title": title, "artist": artist, "album": album}
    return Named(
        title_key=name_key(title),
        artist_key=name_key(artist),
        words={field: words_of_name(text) for field, text in fields.items() if text},
    )


def test_folding_takes_away_what_people_do_not_type() -> None:
    """Case, accents, letters that are no accented ones; and leaves the letters of other scripts."""
    for text, plain in {
        "BJÖRK": "bjork",
        "Sigur Rós": "sigur ros",
        "Ænima": "aenima",
        "Øst & Œuvre": "ost & oeuvre",
        "Straße STRAẞE": "strasse strasse",
        "Łódź đđ": "lodz dd",
        "Þórr Ðá": "thorr da",
        "İI ıi": "ii ii",
        "Ёлка Йод Ўл Їжак": "елка йод ўл їжак",
        "Ήλιε": "ηλιε",
        "がギ": "がギ",
        "Ｆｕｌｌ": "full",
        "شَمْس إلى": "شمس الي",
        "שָׁלוֹם": "שלום",
    }.items():
        assert folded(text) == plain, text


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    """So what is typed and what is kept meet."""
    assert folded(folded(text)) == folded(text)
    assert name_key(name_key(text).decode("utf-8", "ignore")) == name_key(text) or len(name_key(text)) == 200


def test_words_are_what_stands_between_signs_and_spaces() -> None:
    """Signs inside a word are read as people mean them; where no spaces are, two letters are a word."""
    assert words("Don't P!nk A$AP Rock&Roll (live)") == ["dont", "pink", "asap", "rock", "and", "roll", "live"]
    assert words("東京の夜 live") == ["東京", "京の", "の夜", "live"]
    assert words("हिन्दी गीत") == ["हिन्दी", "गीत"]
    assert (words("?!"), words_of_name("?!"), words_of_name(" ")) == ([], ("?!",), ())


@given(short, short, short)
def test_the_distance_of_two_words_is_one(first: str, second: str, third: str) -> None:
    """Nothing lies between a word and itself, both ways are as long, and one edit is one."""
    assert distance(first, first) == 0
    assert distance(first, second) == distance(second, first)
    assert abs(len(first) - len(second)) <= distance(first, second) <= max(len(first), len(second))
    assert distance(first + second, first + "x" + second) == 1


@given(st.text("abcdefg", min_size=4, max_size=12), st.data())
def test_a_word_with_one_mistake_is_found_by_its_deletions(word: str, data: st.DataObject) -> None:
    """Whichever letter is left out, added, replaced or swapped."""
    at = data.draw(st.integers(0, len(word) - 1))
    mistakes = [word[:at] + word[at + 1 :], word[:at] + "x" + word[at:], word[:at] + "x" + word[at + 1 :]]
    swapped = [word[:at] + word[at + 1] + word[at] + word[at + 2 :]] if at + 1 < len(word) else []
    for mistaken in mistakes + swapped:
        assert deletions(mistaken) & deletions(word)
        assert similarity(mistaken, word) > 0.7


def test_words_that_only_look_alike_are_not_meant() -> None:
    """Two mistakes need seven letters."""
    assert similarity("rain", "ruin") == 0.75
    assert similarity("rain", "ruins") == similarity("piano", "pinna") == 0.0
    assert similarity("tchaikovsky", "chaikovski") > 0.8


def test_the_better_a_name_answers_the_more_it_counts() -> None:
    """Whole, begun, all words, most words, one common word, none."""
    question = asked("night circuit")
    ranking = [
        named("Night Circuit"),
        named("Other", "Night Circuit"),
        named("NightCircuit"),
        named("Night Circuit Breakers"),
        named("Circuit of the Night"),
        named("Circuit", "Someone"),
        named("Other"),
    ]
    scores = [likeness(question, name).score for name in ranking]
    assert scores == sorted(scores, reverse=True)
    assert (scores[0], scores[-1]) == (1.0, 0.0)
    assert len(set(scores)) == len(scores)


def test_a_misspelt_word_counts_by_what_it_may_mean() -> None:
    """A little less than the word itself, and it says where it stands."""
    right, wrong = asked("maren lighthouse"), asked("marn lighthouse", {"marn": {"maren": 0.8}})
    name = named("Lullaby for a Lighthouse", "Maren Vesterlund")
    assert 0.4 < likeness(wrong, name).score < likeness(right, name).score
    assert likeness(asked("maren"), name) == Likeness(likeness(asked("maren"), name).score, "artist")


def test_a_line_is_found_by_any_three_words_in_a_row() -> None:
    """In whatever passage; less of the line is less."""
    passage = words("The last tram left, and you were on it\nrain wrote your name across the glass")
    assert set(prints(words("rain wrote your name"))) <= set(prints(passage))
    assert sung_share(words("rain wrote your name"), passage) == (1.0, (9, 12))
    assert sung_share(words("and rain wrote your number"), passage) == (0.6, (9, 11))
    assert sung_share(words("the rain your glass"), passage)[0] == 0.0
    assert (prints([]), len(prints(["la"])), sung_share([], passage)[0]) == ([], 1, 0.0)


def test_the_place_of_a_line_is_told_in_characters() -> None:
    """Of the passage as it is, signs, accents and breaks included."""
    passage = "Dors, petit phare,\nla mer est calmé ce soir"
    share, (first, last) = sung_share(words("petit phare la mer est calme"), words(passage))
    assert share == 1.0
    place = sung_at(passage, first, last)
    assert place is not None
    assert passage[slice(*place)] == "petit phare,\nla mer est calmé"
    assert sung_at(passage, 2, 99) is None
