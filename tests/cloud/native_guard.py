"""Llama Guard: whether the last turn may be said."""

import re
from itertools import pairwise
from typing import Any

from tests.cloud.asking import Answer, Answering, Asked, encoded
from tests.cloud.faults import Fault, Refused
from tests.cloud.models import Model
from tests.cloud.native import check_window, checked
from tests.cloud.native_schemas import LLAMA_GUARD_CHAT
from tests.cloud.record import Charged
from tests.cloud.tokens import tokens_of
from tests.cloud.writing import Prompt

_HAZARDS = {"S1": r"\b(kill|murder)", "S9": r"\bbomb", "S10": r"\bhate (them|those)", "S11": r"\bhurt (my|your)self"}


def guard(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """Turns must alternate and end with any role; there is no system turn."""
    body = checked(LLAMA_GUARD_CHAT, body)
    roles = [message["role"] for message in body["messages"]]
    if any(before == after for before, after in pairwise(roles)):
        raise Refused(400, 5004, "messages: roles must alternate user/assistant")
    turns = tuple((message["role"], message["content"]) for message in body["messages"])
    prompt = Prompt(model=model.name, turns=turns, max_tokens=body.get("max_tokens", 256))
    check_window(model, prompt.tokens)
    return lambda fault: _answered(asked, body, prompt, fault)


def _answered(asked: Asked, body: dict[str, Any], prompt: Prompt, fault: Fault) -> Answer:
    text = asked.account.planned(prompt) or _verdict(prompt.turns[-1][1])
    charged = Charged(prompt_tokens=prompt.tokens, completion_tokens=tokens_of(text))
    response: Any = text
    if body.get("response_format", {}).get("type") == "json_object":
        safe, _, categories = text.partition("\n")
        response = {"safe": safe == "safe", "categories": [one for one in categories.split(",") if one]}
    usage = {
        "prompt_tokens": charged.prompt_tokens,
        "completion_tokens": charged.completion_tokens,
        "total_tokens": charged.prompt_tokens + charged.completion_tokens,
    }
    told = {"response": response} | ({} if fault.without_usage else {"usage": usage})
    return Answer(body=encoded(told), charged=charged)


def _verdict(text: str) -> str:
    found = [category for category, pattern in _HAZARDS.items() if re.search(pattern, text.lower())]
    return f"unsafe\n{','.join(found)}" if found else "safe"
