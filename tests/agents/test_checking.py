"""What a model wrote stands on its facts and on nobody's words but ours, or it is dropped."""

from typing import Any

import pytest

from tests.agents.injections import INJECTIONS, Injection
from tonetouch_agents.checking import check_copy
from tonetouch_contracts.copy import CitedFact
from tonetouch_runtime.ai.local import Sentence


def facts(**values: str) -> tuple[CitedFact, ...]:
    said = {"title": "Night Bus", "artist": "Ada Lund", "album": "Winter Light", "genre": "Trip-Hop"} | values
    measured = {"year": "1998", "length": "4:05", "tempo": "84", "key": "D minor", "mood": "calm"}
    return tuple(
        CitedFact(id=f"T{number}", name=name, value=value)
        for number, (name, value) in enumerate((said | measured).items(), 1)
    )


ALL = tuple(fact.id for fact in facts())


def kept(text: str, *, material: tuple[str, ...] = (), cites: tuple[str, ...] = ALL, **values: str) -> bool:
    sentences, _ = check_copy([Sentence(text, cites)], facts(**values), material=material)
    return bool(sentences)


def because(text: str, *, material: tuple[str, ...] = (), **values: str) -> str:
    _, (dropped,) = check_copy([Sentence(text, ALL)], facts(**values), material=material)
    return dropped.because


@pytest.mark.parametrize(
    "text",
    [
        "“Night Bus” is a calm piece by Ada Lund, from “Winter Light”.",
        "Night Bus is a Trip-Hop recording by Ada Lund.",
        "It dates from 1998 and lasts 4:05.",
        "At about 84 beats per minute it moves slowly, and it stays in D minor.",
        "Ada Lund's recording is calm from its first bar to the last.",
        "Slow and calm, it takes its time.",
    ],
)
def test_plain_sentences_about_the_facts_are_kept(text: str) -> None:
    """Names and titles as a whole, measured values as they are, everything else in plain words."""
    assert kept(text)


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.words[:40])
def test_a_model_that_obeys_the_material_says_nothing(injection: Injection) -> None:
    """Whichever fact it cites, the sentence is dropped: what people wrote gives orders to nobody."""
    if injection.where == "lyrics":
        assert not kept(injection.obeyed, material=(injection.words,))
    else:
        assert not kept(injection.obeyed, **_in_its_field(injection))


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.words[:40])
def test_beside_a_hostile_fact_other_sentences_stand(injection: Injection) -> None:
    """A hostile title costs a track its own words, not its text."""
    hostile: dict[str, Any] = {} if injection.where == "lyrics" else _in_its_field(injection)
    assert kept("It dates from 1998 and lasts 4:05.", material=(injection.words,), **hostile)


def _in_its_field(injection: Injection) -> dict[str, Any]:
    return {injection.where: injection.words}


def test_there_are_at_least_twenty_injections() -> None:
    """In titles, in names and in lyrics."""
    assert len(INJECTIONS) >= 20
    assert {injection.where for injection in INJECTIONS} >= {"title", "artist", "lyrics"}


@pytest.mark.parametrize("obeyed", ["The singer is a fraud.", "It cures every illness.", "The mother is rated low."])
def test_a_sentence_says_something_of_its_facts(obeyed: str) -> None:
    """Where no value of a fact stands in it, it stands on none, whoever thought of it."""
    assert because(obeyed) == "it says nothing of the facts it cites"


def test_long_words_of_people_stand_in_quotation_marks() -> None:
    """Or a reader would take them for ours."""
    title = "Everybody knows the label lies"
    assert "outside of quotation marks" in because(f"{title} is a calm piece.", title=title)
    assert kept(f"“{title}” is a calm piece.", title=title)


def test_a_part_of_a_name_is_no_name() -> None:
    """A title that names somebody does not make that name a fact."""
    assert because("Drake is on this recording of 1998.", title="Not Drake Again") == "no cited fact has the name drake"
    assert kept("“Not Drake Again” is a calm recording.", title="Not Drake Again")


def test_a_number_in_peoples_words_is_no_number() -> None:
    """What is counted and measured has facts of its own."""
    assert not kept("It sold 900 copies in 1998.", title="900 Copies")
    assert kept("900 Copies is a calm recording of 1998.", title="900 Copies")


def test_lyrics_are_described_and_not_repeated() -> None:
    """Not even one line of them."""
    lyrics = ("snow is falling on the harbour tonight\nand nobody waits",)
    assert "repeats" in because("Calm as it is, in it snow is falling on the harbour.", material=lyrics)
    assert kept("It is about winter by the sea, calm and slow.", material=lyrics)


def test_a_fact_without_a_sentence_is_none() -> None:
    """A title alone says nothing, and it may say anything."""
    assert because("Night Bus.") == "it is nothing but a fact"


def test_the_runtimes_check_holds_as_well() -> None:
    """No fact, an unknown one, an invented year."""
    assert not kept("It is calm.", cites=())
    assert not kept("It is calm.", cites=("T77",))
    assert because("It dates from 1999 or so.") == "no cited fact has the number 1999"
