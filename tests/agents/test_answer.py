"""A model's answer is read strictly, and what cannot be read has a reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_agents.answer import SCHEMA, Nonsense, sentences_of
from tonetouch_runtime.ai.local import Sentence

GOOD = {"sentences": [{"text": "It dates from 1998.", "facts": ["F2", "[F3]"]}]}
READ = (Sentence("It dates from 1998.", ("F2", "F3")),)


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(GOOD),
        json.dumps(GOOD["sentences"]),
        f"```json\n{json.dumps(GOOD)}\n```",
        json.dumps({"sentences": [{"text": "It dates from 1998 [F2].", "facts": ["F2", "F3"]}]}),
        json.dumps({"sentences": [{"text": "It dates from 1998.", "facts": ["F2", "F3"], "mood": "calm"}]}),
    ],
)
def test_sentences_with_the_numbers_of_their_facts(answer: str) -> None:
    """As an object or a bare list, in a code block or not; marks in the text are taken out of it."""
    assert sentences_of(answer) == READ


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I cannot help with that.", "not the JSON"),
        ('{"sentences": []}', "no sentences"),
        ('{"sentences": [{"text": "It dates from', "not the JSON"),
        ('{"text": "It dates from 1998."}', "not the JSON"),
        ('{"sentences": [{"text": 5, "facts": ["F1"]}]}', "not the JSON"),
        ('{"sentences": [{"text": "a", "facts": "F1"}]}', "not the JSON"),
        ('{"sentences": [{"text": "a"}]}', "not the JSON"),
        ("[" * 100_000, "not the JSON"),
        (json.dumps({"sentences": [{"text": "a", "facts": []}] * 61}), "61 sentences"),
    ],
)
def test_nonsense_has_a_reason(answer: str, reason: str) -> None:
    """Which the log keeps."""
    with pytest.raises(Nonsense, match=reason):
        sentences_of(answer)


@given(st.text())
def test_whatever_comes_is_sentences_or_nonsense(answer: str) -> None:
    """Nothing a model can say breaks the reader."""
    try:
        assert all(sentence.text is not None for sentence in sentences_of(answer))
    except Nonsense as nonsense:
        assert str(nonsense)


def test_the_schema_asks_for_what_is_read() -> None:
    """It allows nothing else, as strict providers demand."""
    schema = json.loads(bytes(SCHEMA))
    assert schema["required"] == ["sentences"]
    assert schema["properties"]["sentences"]["items"]["required"] == ["text", "facts"]
    assert schema["additionalProperties"] is False
