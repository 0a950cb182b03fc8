"""Embeddings, reranking and translation in Workers AI's own form."""

from typing import Any

from jsonschema import Draft202012Validator

from tests.cloud.asking import Answer, Answering, Asked, encoded
from tests.cloud.faults import Fault, Refused
from tests.cloud.models import Model
from tests.cloud.native import check_window, checked
from tests.cloud.record import Charged
from tests.cloud.schemas import BOOLEAN, STRING, either, listed, opened
from tests.cloud.tokens import tokens_of
from tests.cloud.writing import DIMENSIONS, Prompt, relevance, vectors

TEXTS_AT_MOST = 100
_TEXT = {**STRING, "minLength": 1}
_CONTEXTS = listed(opened({"text": _TEXT}, "text"))
_BGE_M3 = Draft202012Validator(
    {
        **opened(
            {
                "text": either(_TEXT, listed(_TEXT, maxItems=TEXTS_AT_MOST)),
                "query": _TEXT,
                "contexts": _CONTEXTS,
                "truncate_inputs": BOOLEAN,
            }
        ),
        "oneOf": [{"required": ["text"]}, {"required": ["contexts"]}],
    }
)
_RERANKER = Draft202012Validator(
    opened({"query": _TEXT, "contexts": _CONTEXTS, "top_k": {"type": "integer", "minimum": 1}}, "query", "contexts")
)
_M2M100 = Draft202012Validator(
    opened({"text": _TEXT, "source_lang": STRING, "target_lang": STRING}, "text", "target_lang")
)
_LANGUAGES = {
    "en": "english",
    "zh": "chinese",
    "fr": "french",
    "es": "spanish",
    "ar": "arabic",
    "ru": "russian",
    "de": "german",
    "ja": "japanese",
    "pt": "portuguese",
    "hi": "hindi",
}


def bge_m3(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """Texts (vectors in `data`), a query with contexts (scores), or contexts alone (vectors in `response`)."""
    body = checked(_BGE_M3, body)
    contexts = [one["text"] for one in body.get("contexts", ())]
    texts = [body["text"]] if isinstance(body.get("text"), str) else body.get("text", contexts)
    if not body.get("truncate_inputs"):
        for text in texts:
            check_window(model, tokens_of(text))
    tokens = sum(map(tokens_of, [*texts, body.get("query", "")]))
    charged = Charged(prompt_tokens=tokens)
    if "text" in body:
        return lambda fault: Answer(body=encoded(_vectors(texts, "data", fault)), charged=charged)
    if "query" in body:
        return lambda fault: Answer(body=encoded(_scores(body["query"], texts, None, fault)), charged=charged)
    return lambda fault: Answer(body=encoded(_vectors(texts, "response", fault)), charged=charged)


def _vectors(texts: list[str], name: str, fault: Fault) -> dict[str, Any]:
    rows = vectors(texts[: len(texts) - fault.missing]).tolist()
    return {"shape": [len(rows), DIMENSIONS], name: rows, "pooling": "cls"}


def _scores(query: str, texts: list[str], top: int | None, fault: Fault) -> dict[str, Any]:
    scored = sorted(((relevance(query, text), index) for index, text in enumerate(texts)), key=lambda one: -one[0])
    told = [{"id": 0 if fault.duplicate_ids else index, "score": score} for score, index in scored[:top]]
    return {"response": told[: len(told) - fault.missing]}


def reranker(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """The contexts by their index, best first."""
    body = checked(_RERANKER, body)
    texts = [one["text"] for one in body["contexts"]]
    # Each passage is read together with the query.
    charged = Charged(prompt_tokens=sum(tokens_of(body["query"]) + tokens_of(text) for text in texts))
    return lambda fault: Answer(body=encoded(_scores(body["query"], texts, body.get("top_k"), fault)), charged=charged)


def m2m100(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """The text with the language before it; languages by their code or their English name."""
    body = checked(_M2M100, body)
    for field in ("source_lang", "target_lang"):
        if body.get(field, "en").lower() not in {*_LANGUAGES, *_LANGUAGES.values()}:
            raise Refused(400, 5004, f"Bad input: {field}: unknown language")

    def answered(fault: Fault) -> Answer:
        prompt = Prompt(model=model.name, turns=(("user", body["text"]),))
        text = asked.account.planned(prompt) or f"[{body['target_lang']}] {body['text']}"
        charged = Charged(prompt_tokens=tokens_of(body["text"]), completion_tokens=tokens_of(text))
        return Answer(body=encoded({"translated_text": text}), charged=charged)

    return answered
