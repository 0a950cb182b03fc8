"""Texts as vectors of 1024 numbers: the meaning of English words beside the spelling of any script.

Honest about itself: the first half averages word vectors and knows no word order; the second half knows letters only.
"""

import hashlib
import importlib
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonetouch_runtime.ai.local import models
from tonetouch_runtime.ai.local.cleaning import cleaned
from tonetouch_runtime.ai.local.errors import EngineChanged, EngineMissing
from tonetouch_runtime.ai.local.ngrams import DIMENSION as NGRAM_DIMENSION
from tonetouch_runtime.ai.local.ngrams import hashed_ngrams

MEANING_DIMENSION = 256
# The largest share at which no misspelt word and no name in any script is missed, in steps of a tenth; measured by
# `python -m tests.runtime.ai.test_local_weights`.
MEANING_SHARE = 0.6
MAX_CHARACTERS = 16_384

# The files wordllama 0.4.0 ships inside its own package, by what they hold.
PINNED = {
    "weights/l2_supercat_256.safetensors": "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
    "tokenizers/l2_supercat_tokenizer_config.json": "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
}


class TextEmbedding:
    """Embeds texts and counts tokens; loads its weights at the first use, safe to share between threads.

    A vector depends on its text and on `model`, on nothing else: not on the batch, the order, the process or what was
    embedded before. Any change of a constant, a rule or the weights is a new `model` name.
    """

    model = models.EMBEDDING
    dimension = MEANING_DIMENSION + NGRAM_DIMENSION

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaded: tuple[NDArray[np.float32], Any] | None = None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), 1024), each of length 1.

        A text is read in NFKC without invisible characters, up to 16,384 characters. One with nothing readable in it
        gives one fixed vector that lies far from all others. Raises `EngineMissing` or `EngineChanged` when loading.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(cleaned(text, limit=MAX_CHARACTERS).casefold())
        return vectors

    def count_tokens(self, text: str) -> int:
        """Tokens in the part of `text` that `embed` would read (Llama 2 vocabulary, no begin-of-text token)."""
        _, tokenizer = self._load()
        return len(tokenizer.encode(cleaned(text, limit=MAX_CHARACTERS), add_special_tokens=False).ids)

    def load(self) -> None:
        """Load the weights now instead of at the first text."""
        self._load()

    def _vector(self, text: str) -> NDArray[np.float64]:
        # In float64 until the end: the last bits of the result do not depend on the processor then.
        meaning = self._meaning(text)
        spelling = hashed_ngrams(text)
        vector = np.concatenate([math.sqrt(MEANING_SHARE) * meaning, math.sqrt(1 - MEANING_SHARE) * spelling])
        return np.asarray(vector / np.linalg.norm(vector), np.float64)

    def _meaning(self, text: str) -> NDArray[np.float64]:
        """The mean of the text's token vectors, at length 1; zeros when it has no token."""
        weights, tokenizer = self._load()
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        total = weights[ids].sum(axis=0, dtype=np.float64) if ids else np.zeros(MEANING_DIMENSION)
        length = float(np.linalg.norm(total))
        return np.asarray(total / length if length > 0 else total, np.float64)

    def _load(self) -> tuple[NDArray[np.float32], Any]:
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = _load_pinned()
        return self._loaded


def _load_pinned() -> tuple[NDArray[np.float32], Any]:
    wordllama = _import_wordllama()
    folder = Path(str(wordllama.__file__)).parent
    for name, expected in PINNED.items():
        _check_digest(folder / name, expected)
    # It looks for the tokenizer in a folder it does not ship unless it is told that its cache is its own package.
    model = wordllama.WordLlama.load(cache_dir=folder, dim=MEANING_DIMENSION, disable_download=True)
    return model.embedding, model.tokenizer


def _import_wordllama() -> ModuleType:
    """Import wordllama, undoing the `logging.basicConfig` it calls while it is imported."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return importlib.import_module("wordllama")
    except ModuleNotFoundError as error:
        raise EngineMissing(error.name or "wordllama") from error
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _check_digest(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise EngineChanged(f"The installed wordllama has no file {path.name}; install wordllama 0.4.0.") from None
    if found != expected:
        raise EngineChanged(
            f"The installed wordllama ships another {path.name} than {TextEmbedding.model} was built on; "
            "install wordllama 0.4.0, or give the engine a new version and embed everything again."
        )
