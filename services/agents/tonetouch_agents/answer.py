"""What a model answered, as sentences with the facts they cite. Pure.

The answer is JSON: an object whose `sentences` are objects with `text` and `facts`. Anything else is nonsense, with a
reason.
"""

import re

import msgspec

from tonetouch_runtime.ai.local import Sentence

MOST_SENTENCES = 60

SCHEMA = msgspec.Raw(
    msgspec.json.encode(
        {
            "type": "object",
            "properties": {
                "sentences": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "text": {"type": "string"},
                            "facts": {"type": "array", "items": {"type": "string"}},
                        },
                        "required": ["text", "facts"],
                        "additionalProperties": False,
                    },
                }
            },
            "required": ["sentences"],
            "additionalProperties": False,
        }
    )
)
"""What is asked for. The outermost value is an object because some providers take no other schema."""

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_CITED = re.compile(r"\[?\s*([A-Z][0-9]{1,4})\s*\]?")
_MARK = re.compile(r"\s*\[[A-Z][0-9]{1,4}(?:\s*,\s*[A-Z][0-9]{1,4})*\]")


class Nonsense(ValueError):
    """The answer is not what was asked for; the message says why."""


class _Sentence(msgspec.Struct, frozen=True):
    text: str
    facts: tuple[str, ...]


class _Answer(msgspec.Struct, frozen=True):
    sentences: tuple[_Sentence, ...]


def sentences_of(answer: str) -> tuple[Sentence, ...]:
    """The sentences in order. Raises Nonsense for what is not that JSON, and for more than 60 sentences.

    A bare list is taken for the object's only value, JSON inside a code block for itself, and ``[F1]`` for `F1`.
    """
    if not answer.strip():
        raise Nonsense("the answer is empty")
    fenced = _FENCE.match(answer)
    try:
        found = msgspec.json.decode(fenced[1] if fenced else answer, type=_Answer | tuple[_Sentence, ...])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Nonsense(f"the answer is not the JSON that was asked for: {error}") from None
    said = found.sentences if isinstance(found, _Answer) else found
    if not said:
        raise Nonsense("the answer has no sentences")
    if len(said) > MOST_SENTENCES:
        raise Nonsense(f"the answer has {len(said)} sentences, more than {MOST_SENTENCES}")
    return tuple(
        Sentence(text=_MARK.sub("", one.text).strip(), fact_ids=tuple(map(_number, one.facts))) for one in said
    )


def _number(cited: str) -> str:
    found = _CITED.fullmatch(cited.strip())
    return found[1] if found else cited[:40]
