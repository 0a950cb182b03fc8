"""The models the simulator knows: their task, window, limit and price in neurons, as Cloudflare documents them."""

import re
from dataclasses import dataclass, field
from fractions import Fraction

from tests.cloud.record import Charged


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model at a provider. `minimum_prefix` is what a prompt cache keeps at least, in tokens.

    `neurons` is the price of one unit of each quantity of `Charged`.
    """

    name: str
    provider: str
    task: str
    window_tokens: int | None = None
    per_minute: int | None = None
    minimum_prefix: int = 1024
    neurons: dict[str, Fraction] = field(default_factory=dict, hash=False)

    def micro_neurons(self, charged: Charged) -> int:
        """What a charge costs in millionths of a neuron, rounded half up."""
        exact = sum((price * getattr(charged, unit) for unit, price in self.neurons.items()), Fraction())
        return int(exact * 1_000_000 + Fraction(1, 2))


def _per_million(read: str, written: str = "0") -> dict[str, Fraction]:
    return {
        "prompt_tokens": Fraction(read) / 1_000_000,
        "completion_tokens": Fraction(written) / 1_000_000,
    }


def _workers_ai(
    name: str, task: str, per_minute: int | None, neurons: dict[str, Fraction], window: int | None = None
) -> Model:
    return Model(
        name=name,
        provider="workers-ai",
        task=task,
        per_minute=per_minute,
        neurons=neurons,
        window_tokens=window,
        minimum_prefix=128,
    )


BGE_M3 = "@cf/baai/bge-m3"
WHISPER = "@cf/openai/whisper-large-v3-turbo"
RERANKER = "@cf/baai/bge-reranker-base"
LLAMA_GUARD = "@cf/meta/llama-guard-3-8b"
LLAVA = "@cf/llava-hf/llava-1.5-7b-hf"
M2M100 = "@cf/meta/m2m100-1.2b"
FLUX = "@cf/black-forest-labs/flux-1-schnell"
AURA = "@cf/deepgram/aura-2-en"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"

WORKERS_AI: dict[str, Model] = {
    model.name: model
    for model in (
        _workers_ai(BGE_M3, "embeddings", 3000, _per_million("1075"), 60_000),
        _workers_ai(WHISPER, "transcription", 720, {"audio_milliseconds": Fraction("46.63") / 60_000}),
        _workers_ai(RERANKER, "rerank", 2000, _per_million("283")),
        _workers_ai(LLAMA_GUARD, "moderation", 300, _per_million("44003", "2730"), 131_072),
        _workers_ai(LLAVA, "image_description", 720, {}),
        _workers_ai(M2M100, "translation", 720, _per_million("31050", "31050")),
        _workers_ai(FLUX, "image_generation", 720, {"tiles": Fraction("4.8"), "steps": Fraction("9.6")}),
        _workers_ai(AURA, "speech", None, {"characters": Fraction("2.72727")}),
        _workers_ai(LLAMA, "chat", 300, _per_million("26668", "204805"), 24_000),
        _workers_ai("@cf/meta/llama-3.1-8b-instruct-fp8", "chat", 300, {}, 32_000),
        _workers_ai("@cf/meta/llama-4-scout-17b-16e-instruct", "chat", 300, _per_million("24545", "77273"), 131_000),
    )
}

_FAMILIES: tuple[tuple[str, str, str, int | None, int], ...] = (
    # provider, name, task, window, minimum prefix
    ("anthropic", r"claude-(opus|fable|mythos)-5(-.+)?", "chat", 1_000_000, 512),
    ("anthropic", r"claude-(haiku|sonnet|opus)-5-5(-.+)?", "chat", 1_000_000, 1024),
    ("anthropic", r"claude-opus-4-[567](-.+)?", "chat", 1_000_000, 4096),
    ("anthropic", r"claude-haiku-4-5(-.+)?", "chat", 200_000, 4096),
    ("anthropic", r"claude-3-5-haiku(-.+)?", "chat", 200_000, 2048),
    ("anthropic", r"claude-sonnet-4-5(-.+)?", "chat", 200_000, 1024),
    ("anthropic", r"claude-(sonnet|opus)-[45].*", "chat", 1_000_000, 1024),
    ("openai", r"gpt-(5\.[45]|5\.6-.+)", "chat", 1_050_000, 1024),
    ("openai", r"gpt-5(\..+|-.+)?", "chat", 400_000, 1024),
    ("openai", r"gpt-4\.1(-.+)?", "chat", 1_047_576, 1024),
    ("openai", r"gpt-4o(-mini)?", "chat", 128_000, 1024),
    ("openai", r"text-embedding-.+", "embeddings", 8192, 1024),
    ("openai", r"(gpt-4o-mini-tts|tts-1(-hd)?)", "speech", None, 1024),
    ("openai", r"(whisper-1|gpt-4o(-mini)?-transcribe)", "transcription", None, 1024),
    ("google-ai-studio", r"gemini-2\.5-flash(-.+)?", "chat", 1_048_576, 1024),
    ("google-ai-studio", r"gemini-.+", "chat", 1_048_576, 4096),
    ("deepseek", r"deepseek-.+", "chat", 1_000_000, 64),
)


def known_model(provider: str, name: str) -> Model | None:
    """The model of that name, if the provider has one."""
    if provider == "workers-ai":
        return WORKERS_AI.get(name)
    for of, pattern, task, window, minimum in _FAMILIES:
        if of == provider and re.fullmatch(pattern, name):
            return Model(name=name, provider=provider, task=task, window_tokens=window, minimum_prefix=minimum)
    return None
