"""What a kept answer says, sentence by sentence."""

import pytest

from tonetouch_ai_ledger.claims import claims_of, compared
from tonetouch_ai_ledger.sentences import facts_in, saying, sentences_of
from tonetouch_contracts.ledger import TracedFact, TracedSentence
from tonetouch_runtime.ai.local import Sentence
from tonetouch_runtime.ai.tasks import ChatResult, ModerationResult

YEAR, NAME = TracedFact(id="F1", name="year", value="1994"), TracedFact(id="F2", name="name", value="Ada")
FACTS = {"F1": YEAR, "F2": NAME}


@pytest.mark.parametrize(
    "result",
    [
        ChatResult(text="", sentences=(Sentence("Ada sang.", ("F2",)), Sentence("It was 1994.", ("F1", "F2")))),
        ChatResult(
            text='{"sentences":[{"text":"Ada sang.","facts":["F2"]},{"text":"It was 1994.","facts":["F1","[F2]"]}]}'
        ),
        ChatResult(
            text='```json\n[{"text":"Ada sang.","facts":["F2"]},{"text":"It was 1994.","facts":["F1","F2"]}]\n```'
        ),
        ChatResult(text="Ada sang [F2]. It was 1994. [F1, F2]"),
        ChatResult(text="Ada sang. [F2] It was 1994 [F1] [F2]."),
    ],
)
def test_each_sentence_has_the_facts_it_cites(result: ChatResult) -> None:
    """Whether an embedded writer told them, a model told them as JSON, or they are marks in a text."""
    assert sentences_of(result, FACTS) == (
        TracedSentence(text="Ada sang.", facts=(NAME,)),
        TracedSentence(text="It was 1994.", facts=(YEAR, NAME)),
    )


def test_what_was_not_given_is_not_cited() -> None:
    """A number that no fact has leads nowhere, and is not made to look as if it did."""
    assert sentences_of(ChatResult(text="It was 1995 [F9]."), FACTS) == (TracedSentence(text="It was 1995."),)
    assert sentences_of(ModerationResult(safe=True), FACTS) == ()


def test_the_facts_of_a_question_are_read_as_they_were_kept() -> None:
    """Another kind of question has none."""
    kept = b'{"policy":["a"],"prompt":"","request":{"task":"chat","facts":[{"id":"F1","name":"year","value":"1994"}]}}'
    assert facts_in(kept) == {"F1": YEAR}
    for other in (b"", b"[]", b"\xff", b'{"request":{"task":"embeddings","texts":["a"]}}'):
        assert facts_in(other) == {}


def test_sentences_are_found_by_their_words() -> None:
    """All of them, in whatever order and case."""
    sentences = sentences_of(ChatResult(text="The band broke up in 2019. It was loud."), FACTS)
    assert [one.text for one in saying(sentences, "2019 BROKE")] == ["The band broke up in 2019."]
    assert saying(sentences, "2019 loud") == ()


def test_claims_are_years_numbers_and_names() -> None:
    """A word that often begins a sentence is no name there; each claim stands once."""
    text = ("In 1994 Ada Lovelace sold 1,200 copies.", "The record is by Ada Lovelace, Bo and New York’s Choir.")
    assert [(claim.kind, claim.value) for claim in claims_of(text)] == [
        ("year", "1994"),
        ("number", "1,200"),
        ("name", "Ada Lovelace"),
        ("name", "Bo"),
        ("name", "New York’s Choir"),
    ]


def test_two_texts_are_compared_by_what_they_claim() -> None:
    """Not by how they say it."""
    kept, dropped, added = compared(
        claims_of(["Ada sang in 1994."]), claims_of(["It was 1995 when Ada sang to 12 people."])
    )
    assert [claim.value for claim in kept] == ["Ada"]
    assert [claim.value for claim in dropped] == ["1994"]
    assert [claim.value for claim in added] == ["1995", "12"]
