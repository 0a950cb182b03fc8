"""Answers that can be foretold: from the facts in a prompt, from a JSON schema, or from a hash of the input."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import msgspec
import numpy as np
import numpy.typing as npt

from tests.cloud.tokens import first_tokens, tokens_of, tokens_of_prompt

DIMENSIONS = 1024
WORDS = ("amber", "basin", "cedar", "drift", "ember", "fable", "grain", "haven", "inlet", "juniper", "kelp", "lumen")
_FACT = re.compile(r"^\s*(?:[-*]\s*)?\[(F\d+)\]\s*(.+?)\s*$", re.MULTILINE)
_SCHEMA_IN_WORDS = re.compile(r"JSON Schema:\s*(?=\{)")
_TEXT_NAMES = ("text", "sentence", "claim", "content")
_FACT_NAMES = ("facts", "fact_ids", "cites", "citations", "sources")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a model was asked: instructions first, then turns as (role, text)."""

    model: str
    system: str = ""
    turns: tuple[tuple[str, str], ...] = ()
    schema: dict[str, Any] | None = field(default=None, hash=False)
    max_tokens: int = 256

    @property
    def text(self) -> str:
        """Everything, in its order."""
        return "\n".join((*((self.system,) if self.system else ()), *(text for _, text in self.turns)))

    @property
    def tokens(self) -> int:
        return tokens_of_prompt(self.text, len(self.turns) + bool(self.system))

    @property
    def wanted(self) -> dict[str, Any] | None:
        """The JSON schema the answer has to satisfy: a field of the request, else after the words ``JSON Schema:``."""
        for text in (self.system, *(text for role, text in self.turns if role == "user")):
            for found in () if self.schema is not None else _SCHEMA_IN_WORDS.finditer(text):
                try:
                    schema, _ = json.JSONDecoder().raw_decode(text, found.end())
                except json.JSONDecodeError:
                    continue
                return dict(schema)
        return self.schema

    @property
    def facts(self) -> dict[str, str]:
        """The numbered facts, in the order of the prompt; a number that comes twice counts where it came first."""
        found: dict[str, str] = {}
        for number, text in _FACT.findall(self.text):
            found.setdefault(number, text)
        return found


Plan = str | Callable[[Prompt], str]


@dataclass(frozen=True, kw_only=True)
class Written:
    """An answer within its limit. `whole` is false where the limit cut it."""

    text: str
    whole: bool

    @property
    def tokens(self) -> int:
        return tokens_of(self.text)

    def pieces(self) -> list[str]:
        """The text in the pieces it is streamed in: words with the space before them."""
        return re.findall(r"\s*\S+|\s+$", self.text)


def written(prompt: Prompt, planned: str | None) -> Written:
    """The answer to a prompt: what was planned, else one of its own making, cut at `max_tokens`."""
    text = planned if planned is not None else _own_words(prompt)
    cut = first_tokens(text, prompt.max_tokens)
    return Written(text=cut, whole=cut == text)


class SchemaNotMet(Exception):
    """No answer satisfies the JSON schema that was asked for."""


def _own_words(prompt: Prompt) -> str:
    wanted = prompt.wanted
    if wanted is not None:
        answer = instance_of(wanted, prompt.facts, digest(prompt.text))
        try:
            jsonschema.validate(answer, wanted)
        except (jsonschema.ValidationError, jsonschema.SchemaError) as error:
            raise SchemaNotMet(error.message) from error
        return msgspec.json.encode(answer).decode()
    if prompt.facts:
        return " ".join(f"{text.rstrip('.')}. [{number}]" for number, text in prompt.facts.items())
    return sentence(digest(prompt.text))


def instance_of(schema: dict[str, Any], facts: dict[str, str], seed: str) -> Any:
    """JSON that satisfies a plain schema: types, enum, const, bounds, required; anyOf and oneOf by their first."""
    for choice in ("const", "default"):
        if choice in schema:
            return schema[choice]
    if "enum" in schema:
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return instance_of(schema[union][0], facts, seed)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    return _MAKERS[kind](schema, facts, seed)


def _object(schema: dict[str, Any], facts: dict[str, str], seed: str) -> Any:
    return {name: instance_of(one, facts, digest(seed + name)) for name, one in schema.get("properties", {}).items()}


def _array(schema: dict[str, Any], facts: dict[str, str], seed: str) -> Any:
    item = schema.get("items", {"type": "string"})
    names = _cited_names(item)
    if names and facts:
        made = [_cited(item, names, number, text, digest(seed + number)) for number, text in facts.items()]
    else:
        made = [
            instance_of(item, facts, digest(f"{seed}{index}")) for index in range(max(1, schema.get("minItems", 0)))
        ]
    return made[: schema.get("maxItems", len(made))]


def _cited_names(item: dict[str, Any]) -> tuple[str, str] | None:
    """The names of the text and of the list of facts in an object that cites, if it is one."""
    properties = item.get("properties", {})
    text = next((name for name in _TEXT_NAMES if name in properties), None)
    facts = next((name for name in _FACT_NAMES if properties.get(name, {}).get("type") == "array"), None)
    return (text, facts) if text and facts else None


def _cited(item: dict[str, Any], names: tuple[str, str], number: str, text: str, seed: str) -> Any:
    made = instance_of(item, {}, seed)
    numeric = item["properties"][names[1]].get("items", {}).get("type") in ("integer", "number")
    made[names[0]] = f"{text.rstrip('.')}."
    made[names[1]] = [int(number[1:]) if numeric else number]
    return made


def _string(schema: dict[str, Any], facts: dict[str, str], seed: str) -> Any:
    text = sentence(seed)
    while len(text) < schema.get("minLength", 0):
        text += f" {text}"
    return text[: schema.get("maxLength", len(text))]


def _number(schema: dict[str, Any], facts: dict[str, str], seed: str) -> Any:
    return schema.get("minimum", schema.get("maximum", 0))


_MAKERS: dict[str, Callable[[dict[str, Any], dict[str, str], str], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": lambda schema, facts, seed: True,
    "null": lambda schema, facts, seed: None,
}


def digest(text: str) -> str:
    """A short hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sentence(seed: str) -> str:
    """Six words and a full stop, the same for the same seed."""
    chosen = [WORDS[byte % len(WORDS)] for byte in hashlib.sha256(seed.encode()).digest()[:6]]
    return f"{' '.join(chosen).capitalize()}."


def vectors(texts: list[str], dimensions: int = DIMENSIONS) -> npt.NDArray[np.float64]:
    """One unit vector for each text, from its hash alone, rounded to six decimals."""
    rows = np.empty((len(texts), dimensions))
    for index, text in enumerate(texts):
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        rows[index] = np.random.default_rng(seed).standard_normal(dimensions)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.round(rows, 6)


def relevance(query: str, passage: str) -> float:
    """A raw score: the more words of the query a passage has, the higher; below zero without any."""
    asked, given = (set(re.findall(r"\w+", text.lower())) for text in (query, passage))
    shared = len(asked & given) / max(1, len(asked))
    return round(12.0 * shared - 6.0 + int(digest(passage)[:4], 16) / 1e6, 6)
