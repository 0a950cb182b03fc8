"""The embedded engines behind one door: every task they serve, the model that serves it, loaded at the first use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from tonetouch_runtime.ai.local.errors import EngineMissing
from tonetouch_runtime.ai.local.models import MODELS, Served
from tonetouch_runtime.ai.local.writing import Template, write_from_facts
from tonetouch_runtime.ai.local.written import Fact, Written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tonetouch_runtime.ai.local.embedding import TextEmbedding


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Vectors of shape (number of texts, 1024) with what they took. Embeddings have no completion tokens."""

    vectors: "NDArray[np.float32]"
    model: str
    prompt_tokens: int
    completion_tokens: int = 0


class LocalEngines:
    """Embeds, describes and writes with no account and no network; one instance serves all threads of a process.

    Making one costs nothing. The first call of any task loads the weights (about a second, 80 MB) and raises
    `EngineMissing` when the extra `ai-local` is not installed. Calls use the processor and block: run them in a thread.
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

    def load(self) -> None:
        """Load everything now, so that no caller waits for it later and a missing extra shows at the start."""
        self._text_embedding().load()

    def _text_embedding(self) -> "TextEmbedding":
        with self._lock:
            if self._embedding is None:
                for package in ("numpy", "PIL", "wordllama"):
                    if find_spec(package) is None:
                        raise EngineMissing(package)
                from tonetouch_runtime.ai.local.embedding import TextEmbedding

                self._embedding = TextEmbedding()
            return self._embedding
