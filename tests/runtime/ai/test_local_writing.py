"""Sentences come from facts alone, name the facts they used, and are the same every time."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.local import BadPattern, Fact, Pattern, Sentence, Written, check, write_from_facts

FACTS = (
    Fact(id="1", name="title", value="Night Walk"),
    Fact(id="2", name="by", value="Ana Lima"),
    Fact(id="3", name="tempo", value="82"),
    Fact(id="4", name="mood", value="sad"),
    Fact(id="5", name="mood", value="calm"),
    Fact(id="6", name="mood", value="wistful"),
    Fact(id="7", name="year", value="2019"),
)
OPENING = (
    Pattern("“{title}” is {tempo:a} beats-per-minute piece by {by}.", needs=("title", "tempo", "by")),
    Pattern("“{title}” is by {by}.", needs=("title", "by")),
    Pattern("This is “{title}”.", needs=("title",)),
)
MOODS = (Pattern("Its {mood:mood is/moods are} {mood}.", needs=("mood",)),)
YEAR = (Pattern("Recorded in {year}.", needs=("year",)), Pattern("It dates from {year}.", needs=("year",)))
LABEL = (Pattern("It came out on {label}.", needs=("label",)),)


def words(text: str) -> int:
    return len(text.split())


def write(*facts: Fact, template: tuple[tuple[Pattern, ...], ...] = (OPENING, MOODS, YEAR, LABEL)) -> Written:
    return write_from_facts(facts, template=template, count_tokens=words)


def test_each_sentence_names_the_facts_it_used() -> None:
    """The richest variant is filled, lists read like English, and what has no fact is not said."""
    assert write(*FACTS[:6]).sentences == (
        Sentence("“Night Walk” is an 82 beats-per-minute piece by Ana Lima.", ("1", "3", "2")),
        Sentence("Its moods are sad, calm and wistful.", ("4", "5", "6")),
    )


def test_missing_facts_choose_the_next_best_variant() -> None:
    """Fewer facts make a poorer sentence, not a sentence with a hole."""
    assert write(FACTS[0], FACTS[1]).text == "“Night Walk” is by Ana Lima."
    assert write(FACTS[0]).text == "This is “Night Walk”."
    assert write(FACTS[3]).text == "Its mood is sad."


def test_no_facts_no_text() -> None:
    """The result is empty rather than invented."""
    assert write() == Written("", (), "patterns-over-facts@1", 0, 0, ())


def test_what_was_read_and_written_is_counted() -> None:
    """The prompt is every fact offered with its name; the result carries the facts it cites."""
    result = write(*FACTS[:2], Fact(id="8", name="unused", value="never said"))
    assert result.prompt_tokens == words("title: Night Walk by: Ana Lima unused: never said")
    assert result.completion_tokens == words(result.text)
    assert [fact.id for fact in result.facts] == ["1", "2"]


def test_a_variant_is_chosen_by_the_facts_and_by_nothing_else() -> None:
    """Order and ids of the facts change nothing; over many facts every variant gets its turn."""

    def year(value: str, fact_id: str = "y") -> str:
        return write(Fact(id=fact_id, name="year", value=value)).text

    assert year("2019") == year("2019", fact_id="other")
    assert write(*FACTS).text == write(*reversed(FACTS[:3]), *FACTS[3:]).text
    beginnings = {year(str(value)).split()[0] for value in range(1990, 2020)}
    assert beginnings == {"Recorded", "It"}


def test_at_most_six_sentences_unless_asked() -> None:
    """The template may offer more than a reader wants."""
    template = tuple((Pattern(f"It is {word} {{mood}}.", needs=("mood",)),) for word in "abcdefgh")
    assert len(write(*FACTS, template=template).sentences) == 6
    assert len(write_from_facts(FACTS, template=template, count_tokens=words, at_most=3).sentences) == 3


def test_values_are_data_and_never_patterns() -> None:
    """Braces in a value are shown as they are; nothing in it can reach into the program."""
    text = write(Fact(id="1", name="title", value="{by} {0.__class__} {title:a}")).text
    assert text == "This is “{by} {0.__class__} {title:a}”."


def test_values_keep_their_spelling_and_lose_what_is_hidden() -> None:
    """No capital is forced on a name; controls, bidi marks and a megabyte of text are not passed on."""
    sentence = (Pattern("{by} made it.", needs=("by",)),)
    assert (
        write(Fact(id="1", name="by", value="k.d.\u202e lang\x00"), template=(sentence,)).text == "k.d. lang made it."
    )
    long = write(Fact(id="1", name="by", value="word " * 250_000), template=(sentence,))
    assert len(long.text) < 330 and "…" in long.text
    assert write(Fact(id="1", name="by", value="\u200b\x07"), template=(sentence,)).text == ""


def test_an_abbreviation_ends_a_sentence_once() -> None:
    """No double full stop after a value that ends in one."""
    assert write(Fact(id="1", name="label", value="Sub Inc.")).text == "It came out on Sub Inc."


def test_equal_values_are_said_once_and_all_cited() -> None:
    """Two sources for one value both stand behind the sentence."""
    result = write(Fact(id="a", name="mood", value="sad"), Fact(id="b", name="mood", value="sad"))
    assert result.sentences == (Sentence("Its mood is sad.", ("a", "b")),)


def test_a_pattern_that_claims_something_itself_is_left_out() -> None:
    """The check holds for patterns too: a name or a number of their own has no fact behind it."""
    lying = (Pattern("{by} was born in Lisbon.", needs=("by",)),)
    assert write(FACTS[1], template=(lying,)).text == ""


@pytest.mark.parametrize("text", ["{by} and {title}.", "{by:loud}.", "{by:a/b/c}."])
def test_a_wrong_pattern_is_refused_when_it_is_made(text: str) -> None:
    """A placeholder without its need or of an unknown form is the author's mistake, seen at import."""
    with pytest.raises(BadPattern):
        Pattern(text, needs=("by",))


def test_two_facts_cannot_share_an_id() -> None:
    """A citation must lead to one fact."""
    with pytest.raises(ValueError, match="an id of their own"):
        write(FACTS[0], FACTS[0])


@given(st.lists(st.tuples(st.sampled_from(["title", "by", "tempo", "mood", "year", "label"]), st.text(max_size=30))))
def test_whatever_the_facts_the_text_stands_on_them(pairs: list[tuple[str, str]]) -> None:
    """Every sentence written passes the check again, cites real facts and holds nothing invisible."""
    facts = [Fact(id=str(at), name=name, value=value) for at, (name, value) in enumerate(pairs)]
    result = write(*facts)
    assert check(result.sentences, result.facts, openers=["Recorded"])[1] == ()
    assert result == write(*facts)
    assert "Cc" not in {unicodedata.category(char) for char in result.text}


def test_a_long_list_ends_after_eight() -> None:
    """Only what is said is cited."""
    moods = [Fact(id=str(at), name="mood", value=f"mood {word}") for at, word in enumerate("abcdefghijkl")]
    (sentence,) = write(*moods).sentences
    assert sentence.text.endswith("mood g and mood h.")
    assert sentence.fact_ids == tuple("01234567")
