"""No number, year or name in a sentence that no cited fact has."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.local import Fact, Sentence, check

FACTS = (
    Fact(id="1", name="title", value="Walk of the Lost"),
    Fact(id="2", name="by", value="Ana Lima"),
    Fact(id="3", name="with", value="Rui Torres"),
    Fact(id="4", name="year", value="2019-05-01"),
    Fact(id="5", name="count", value="1,234.50"),
    Fact(id="6", name="level", value="-8.1"),
    Fact(id="7", name="native", value="夜に駆ける"),
    Fact(id="8", name="note", value="three takes, 12 dubs, I Want It"),
)
ALL = tuple(fact.id for fact in FACTS)


def stands(text: str, cites: tuple[str, ...] = ALL) -> bool:
    kept, dropped = check([Sentence(text=text, fact_ids=cites)], FACTS)
    assert len(kept) + len(dropped) == 1
    return bool(kept)


@pytest.mark.parametrize(
    "text",
    [
        "“Walk of the Lost” is by Ana Lima with Rui Torres.",
        "In 2019, Ana Lima's day came.",
        "It has 1234.5 of them, or 1,234.50.",
        "The level is -8.1, or −8.1.",
        "It took 3 takes and twelve dubs.",
        "The name is 夜に駆ける.",
        "It says I Want It, and I like that.",
        "By Ana Lima. It is from 2019.",
        "Ana Lima Rui Torres sing.",
        "nothing in particular is claimed here.",
        "It dates from ٢٠١٩.",
    ],
)  # fmt: skip
def test_what_the_facts_say_stands(text: str) -> None:
    """Spellings of one number, possessives, plain openers and words in lower case are no objection."""
    assert stands(text)


@pytest.mark.parametrize(
    "text",
    [
        "It is from 2018.",
        "It is from 201.",
        "It is No.7.",
        "It has 12345 of them.",
        "The level is 8.1.",
        "It took four takes.",
        "It was their second.",
        "It is by Ana Torres.",
        "It is by Lima Ana.",
        "Madonna sings.",
        "It was made in Lisbon.",
        "It is 夜の歌.",
        "It dates from ٢٠١٨.",
        "It was seen on YouTube and iTunes.",
        "The band broke up. Lisbon wept.",
    ],
)
def test_what_no_fact_says_is_dropped(text: str) -> None:
    """A wrong year, a part of a number, a number word, a name put together from two, a place from nowhere."""
    assert not stands(text)


def test_only_cited_facts_count() -> None:
    """A true sentence that cites the wrong fact, none at all or one that does not exist is dropped with the reason."""
    told = Sentence(text="It is by Ana Lima.", fact_ids=("4",))
    free = Sentence(text="It is good.", fact_ids=())
    lost = Sentence(text="It is good.", fact_ids=("99",))
    kept, dropped = check([told, free, lost], FACTS)
    assert kept == ()
    assert [drop.because for drop in dropped] == [
        "no cited fact has the name ana lima",
        "it cites no fact",
        "it cites the unknown fact 99",
    ]
    assert [drop.sentence for drop in dropped] == [told, free, lost]


def test_callers_may_name_their_own_openers() -> None:
    """A word is taken as an opener at the beginning of a sentence only."""
    inside = [Sentence(text="Recorded in 2019.", fact_ids=("4",)), Sentence(text="It was Recorded.", fact_ids=("4",))]
    assert check(inside, FACTS)[0] == ()
    assert check(inside, FACTS, openers=["recorded"])[0] == (inside[0],)


@given(st.integers(0, 10**6))
def test_no_planted_number_passes(number: int) -> None:
    """A number stands exactly if one of the facts has it."""
    assert stands(f"There are {number} of them.") == (number in {2019, 5, 1, 12, 3})


@given(st.text(st.characters(), max_size=80), st.text(st.characters(), max_size=80))
def test_any_text_gets_an_answer(text: str, value: str) -> None:
    """Nothing a person or a model writes can make the check fail."""
    kept, dropped = check([Sentence(text=text, fact_ids=("x",))], [Fact(id="x", name="any", value=value)])
    assert len(kept) + len(dropped) == 1


def test_endless_sentences_are_dropped_and_endless_facts_cut() -> None:
    """Repetition built to make a search explode gets its answer at once."""
    nasty = [Fact(id=str(at), name="any", value="A " * at) for at in range(1, 101)]
    cites = tuple(fact.id for fact in nasty)
    started = time.perf_counter()
    _, dropped = check([Sentence(text="A " * 900 + "B.", fact_ids=cites)], nasty)
    assert dropped[0].because.startswith("no cited fact has the name a a")
    _, dropped = check([Sentence(text="x" * 1_000_000, fact_ids=("1",))], nasty)
    assert dropped[0].because == "it is longer than 2000 characters"
    _, dropped = check([Sentence(text="It is.", fact_ids=("1",) * 101)], nasty)
    assert dropped[0].because == "it cites more than 100 facts"
    assert time.perf_counter() - started < 20
