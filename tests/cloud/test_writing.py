"""What the simulated models say can be foretold: from facts, from a schema, or from a plan."""

import json
from typing import Any

import jsonschema
import pytest

from tests.cloud import Account, Prompt, tokens_of
from tests.cloud.callers import CHAT, run
from tests.cloud.models import LLAMA
from tests.cloud.writing import SchemaNotMet, written

FACTS = "Write about the album.\n[F1] It came out in 1994.\n- [F2] It has ten songs.\n[F1] It came out in 2019."


def said(text: str, **fields: Any) -> str:
    """What a model says to a text."""
    return written(Prompt(model="any", turns=(("user", text),), **fields), None).text


def test_facts_become_sentences_that_cite_them() -> None:
    """Each number once; a second fact under the same number does not count."""
    assert said(FACTS) == "It came out in 1994. [F1] It has ten songs. [F2]"


def test_facts_become_items_where_a_schema_has_a_text_and_facts() -> None:
    """Numbers stand as numbers where the schema wants them so."""
    item = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "facts": {"type": "array", "items": {"type": "integer"}},
            "mood": {"enum": ["calm", "wild"]},
        },
        "required": ["text", "facts", "mood"],
    }
    schema = {"type": "object", "properties": {"lines": {"type": "array", "items": item}}, "required": ["lines"]}
    assert json.loads(said(FACTS, schema=schema))["lines"] == [
        {"text": "It came out in 1994.", "facts": [1], "mood": "calm"},
        {"text": "It has ten songs.", "facts": [2], "mood": "calm"},
    ]


def test_a_schema_may_be_asked_for_in_words() -> None:
    """After ``JSON Schema:``, as providers without a field for it are asked."""
    wanted = '{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}'
    assert json.loads(said(f"Answer with JSON that fits this JSON Schema: {wanted} and nothing else")) == {"ok": True}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string", "minLength": 200, "maxLength": 210}}},
        {"type": "array", "items": {"type": "integer", "minimum": 3}, "minItems": 4},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}, "required": ["a"]},
        {"type": ["string", "null"]},
        {"type": "array", "items": {"type": "string"}, "maxItems": 0},
        {"const": 7},
    ],
)
def test_plain_schemas_are_satisfied(schema: dict[str, Any]) -> None:
    """Lengths, bounds, unions and constants."""
    jsonschema.validate(json.loads(said("hello", schema=schema, max_tokens=1000)), schema)


def test_a_schema_that_is_not_plain_is_not_met() -> None:
    """It is an error, never JSON of another shape."""
    with pytest.raises(SchemaNotMet):
        said("hello", schema={"type": "string", "pattern": "^[0-9]{4}$"})


def test_without_facts_the_same_question_gets_the_same_answer() -> None:
    """And another one another answer."""
    assert said("one") == said("one") != said("two")


def test_answers_can_be_planned_one_after_the_other(cloud: Account) -> None:
    """The last for ever; a function sees the prompt."""
    cloud.plan(LLAMA, "first", times=1)
    cloud.plan(LLAMA, lambda prompt: f"{prompt.turns[-1][1]} {prompt.tokens}")
    texts = [run(cloud, LLAMA, CHAT).json()["result"]["response"] for _ in range(3)]
    assert texts == ["first", "Say something. 8", "Say something. 8"]


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("ééé", 2)])
def test_a_token_is_four_bytes(text: str, tokens: int) -> None:
    """Rounded up."""
    assert tokens_of(text) == tokens
