"""What the embedded engines are called in the ledger: a change of a constant, a rule or a weight is a new version."""

from collections.abc import Mapping
from typing import Final, Literal

EMBEDDING = "wordllama-256+ngrams-768@1"
DESCRIBING = "measured-picture@1"
WRITING = "patterns-over-facts@1"

Served = Literal["chat", "embeddings", "image_description"]

MODELS: Final[Mapping[Served, str]] = {
    "chat": WRITING,
    "embeddings": EMBEDDING,
    "image_description": DESCRIBING,
}
"""The tasks that are served with no account, and by what."""

QUALITIES: Final[Mapping[Served, float]] = {
    "chat": 0.3,
    "embeddings": 0.4,
    "image_description": 0.2,
}
"""Our own estimate beside models that understand what they read or see, between 0 and 1: to be overruled by whoever
has measured it. An operator's routing file may say another one."""
