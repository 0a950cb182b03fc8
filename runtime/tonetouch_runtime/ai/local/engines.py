"""The embedded engines behind one door: every task they serve, the model that serves it, loaded at the first use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from tonetouch_runtime.ai.local.errors import EngineMissing
from tonetouch_runtime.ai.local.models import MODELS, RERANKING, Served
from tonetouch_runtime.ai.local.speaking import Spoken, speak
from tonetouch_runtime.ai.local.writing import Template, write_from_facts
from tonetouch_runtime.ai.local.written import Fact, Written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tonetouch_runtime.ai.local.embedding import TextEmbedding
    from tonetouch_runtime.ai.local.hearing import Heard
    from tonetouch_runtime.ai.local.moderating import Moderated
    from tonetouch_runtime.ai.local.painting import Painted
    from tonetouch_runtime.ai.local.reranking import Ranking

PART = 16_384  # characters that are counted at once


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Vectors of shape (number of texts, 1024) with what they took. Embeddings have no completion tokens."""

    vectors: "NDArray[np.float32]"
    model: str
    prompt_tokens: int
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reranked:
    """Passages, best first, with what reading them took."""

    ranked: "tuple[Ranking, ...]"
    model: str
    prompt_tokens: int


class LocalEngines:
    """Every engine with no account and no network; one instance serves all threads of a process.

    Making one costs nothing. The first call that needs the weights loads them (about a second, 80 MB); one whose
    packages are not installed raises `EngineMissing`. Calls use the processor and block: run them in a thread.
    """

    provider = "local"
    models: ClassVar[Mapping[Served, str]] = MODELS

    def __init__(self) -> None:
        self._lock = Lock()
        self._embedding: TextEmbedding | None = None

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Vectors of texts; `TextEmbedding.embed` says what they promise."""
        engine = self._text_embedding()
        vectors = engine.embed(texts)
        return Embedded(vectors=vectors, model=engine.model, prompt_tokens=sum(map(engine.count_tokens, texts)))

    def describe_image(self, image: bytes, facts: Mapping[str, str]) -> Written:
        """Alt text from measurements and given facts; `describing.describe_image` says what it promises."""
        count_tokens = self._text_embedding().count_tokens
        # Pillow belongs to the extra as well, so it is imported with the first image.
        from tonetouch_runtime.ai.local.describing import describe_image

        return describe_image(image, facts, count_tokens=count_tokens)

    def write(self, facts: Sequence[Fact], *, template: Template, max_tokens: int | None = None) -> Written:
        """Sentences from facts alone; `write_from_facts` says what it promises."""
        count_tokens = self._text_embedding().count_tokens
        return write_from_facts(facts, template=template, count_tokens=count_tokens, max_tokens=max_tokens)

    def rerank(self, query: str, passages: Sequence[str], *, top: int | None = None) -> "Reranked":
        """Passages by how well they answer; `reranking.rerank` says what it promises."""
        engine = self._text_embedding()
        from tonetouch_runtime.ai.local.reranking import rerank

        ranked = rerank(query, passages, embed=engine.embed, top=top)
        return Reranked(ranked, RERANKING, sum(map(engine.count_tokens, (query, *passages))))

    def moderate(self, text: str) -> "Moderated":
        """Hazards in a text; `moderating.moderate` says what it cannot see."""
        _need("numpy")
        from tonetouch_runtime.ai.local.moderating import moderate

        return moderate(text)

    def paint(self, prompt: str, *, seed: int | None = None) -> "Painted":
        """An abstract picture from the hash of a prompt; `painting.paint` says what it promises."""
        _need("numpy", "PIL")
        from tonetouch_runtime.ai.local.painting import paint

        return paint(prompt, seed=seed)

    def speak(self, text: str, *, voice: str | None = None) -> Spoken:
        """A recording of a text (the extra `ai-local-speech`); `speaking.speak` says what it promises."""
        return speak(text, voice=voice)

    def hear(self, audio: bytes, media_type: str) -> "Heard":
        """What is said in a recording; `hearing.hear` says how often it is wrong."""
        _need("numpy", "pocketsphinx")
        from tonetouch_runtime.ai.local.hearing import hear

        return hear(audio, media_type)

    def count_tokens(self, text: str) -> int:
        """Tokens of a whole text, however long."""
        count = self._text_embedding().count_tokens
        return sum(count(text[start : start + PART]) for start in range(0, len(text), PART))

    def load(self) -> None:
        """Load everything now, so that no caller waits for it later and a missing extra shows at the start."""
        self._text_embedding().load()

    def _text_embedding(self) -> "TextEmbedding":
        with self._lock:
            if self._embedding is None:
                _need("numpy", "PIL", "wordllama")
                from tonetouch_runtime.ai.local.embedding import TextEmbedding

                self._embedding = TextEmbedding()
            return self._embedding


def _need(*packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise EngineMissing(package)
