"""What the embedded engines are called in the ledger: a change of a constant, a rule or a weight is a new version."""

from collections.abc import Mapping
from typing import Final, Literal

EMBEDDING = "wordllama-256+ngrams-768@1"
DESCRIBING = "measured-picture@1"
WRITING = "patterns-over-facts@1"
RERANKING = "bm25+wordllama-256+ngrams-768@1"
MODERATING = "phrases-mlcommons@1"
PAINTING = "hash-painting@1"
SPEAKING = "espeak-ng-1.52@1"
HEARING = "pocketsphinx-en-us@1"

Served = Literal[
    "chat",
    "embeddings",
    "rerank",
    "moderation",
    "image_description",
    "transcription",
    "speech",
    "image_generation",
]

MODELS: Final[Mapping[Served, str]] = {
    "chat": WRITING,
    "embeddings": EMBEDDING,
    "rerank": RERANKING,
    "moderation": MODERATING,
    "image_description": DESCRIBING,
    "transcription": HEARING,
    "speech": SPEAKING,
    "image_generation": PAINTING,
}
"""The tasks that are served with no account, and by what."""

QUALITIES: Final[Mapping[Served, float]] = {
    "chat": 0.3,
    "embeddings": 0.4,
    "rerank": 0.3,
    "moderation": 0.2,
    "image_description": 0.2,
    "transcription": 0.2,
    "speech": 0.3,
    "image_generation": 0.3,
}
"""Our own estimate beside models that understand what they read, hear or see, between 0 and 1. Who has measured it
may say otherwise in the routing file."""
