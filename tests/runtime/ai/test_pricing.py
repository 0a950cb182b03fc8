"""Costs are whole pico-dollars, worked out by hand here; what is not known is None and never zero."""

from pathlib import Path
from typing import Any

import pytest

from tonetouch_contracts.job import Quantity
from tonetouch_runtime import Misconfigured
from tonetouch_runtime.ai.pricing import LOCAL, PriceBook
from tonetouch_runtime.ai.usage import Usage, tokens

BOOK = PriceBook.load()
MONDAY_NOON = "2026-11-23T12:00:00.000000Z"

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


def used(*quantities: Quantity) -> Usage:
    """What a provider reported."""
    return Usage(quantities=quantities, source="reported")


def chat(prompt: int, completion: int = 0, **parts: Any) -> Usage:
    """The usage of a chat, from totals."""
    return used(*tokens(prompt=prompt, completion=completion, **parts))


def some(unit: Any, amount: int, **said: Any) -> Usage:
    """So many of one unit."""
    return used(Quantity(unit=unit, direction=said.pop("direction", "input"), amount=amount, **said))


def cost(provider: str, model: str, usage: Usage, at: str = MONDAY_NOON, **said: Any) -> int | None:
    """What the packaged book makes of it."""
    return BOOK.cost(provider=provider, model=model, usage=usage, at=at, **said).pico_usd


# A neuron is 11,000,000 pico-dollars. A dollar for a million tokens is 1,000,000 pico-dollars for one.
BY_NEURONS = [
    # 1,075 neurons a million: 11,825 each
    ("@cf/baai/bge-m3", chat(512), 512 * 11_825),
    # 283 neurons a million: 3,113 each
    ("@cf/baai/bge-reranker-base", chat(2_000), 2_000 * 3_113),
    # 44,003 in and 2,730 out: 484,033 and 30,030 each
    ("@cf/meta/llama-guard-3-8b", chat(300, 4), 300 * 484_033 + 4 * 30_030),
    # 31,050 both ways: 341,550 each
    ("@cf/meta/m2m100-1.2b", chat(40, 50), 90 * 341_550),
    # 46.63 neurons a minute: 512,930,000 a minute
    ("@cf/openai/whisper-large-v3-turbo", some("audio_ms", 60_000), 512_930_000),
    # 8,548 and five sixths for a millisecond: 8,549 after the one rounding, 51,293 for six of them
    ("@cf/openai/whisper-large-v3-turbo", some("audio_ms", 1), 8_549),
    ("@cf/openai/whisper-large-v3-turbo", some("audio_ms", 6), 51_293),
    # 52,800,000 a tile and 105,600,000 a step: 1024x1024 in four steps is 57.6 neurons
    (
        "@cf/black-forest-labs/flux-1-schnell",
        used(Quantity(unit="tile", direction="output", amount=4), Quantity(unit="step", direction="output", amount=4)),
        633_600_000,
    ),
    # 2,727.27 neurons for a thousand characters: 29,999,970 each
    ("@cf/deepgram/aura-2-en", some("character", 240), 240 * 29_999_970),
    # 26,668 in and 204,805 out: 293,348 and 2,252,855 each
    (LLAMA, chat(23_700, 300), 23_700 * 293_348 + 300 * 2_252_855),
    # What it had kept of the prompt is input like any other.
    (LLAMA, chat(5_210, 88, cached=5_120), 5_210 * 293_348 + 88 * 2_252_855),
    ("@cf/meta/llama-3.1-8b-instruct-fp8", chat(2_000, 300), 2_000 * 151_558 + 300 * 287_408),
    ("@cf/meta/llama-4-scout-17b-16e-instruct", chat(1_000, 100), 1_000 * 269_995 + 100 * 850_003),
]

BY_DOLLARS = [
    ("cloudflare", "@cf/zai-org/glm-4.7-flash", chat(1_001, 7), 1_001 * 60_500 + 7 * 400_000),
    ("cloudflare", "@cf/ibm-granite/granite-4.0-h-micro", chat(30_500, 300), 552_100_000),
    ("cloudflare", "@cf/moonshotai/kimi-k2.6", chat(30_500, 300, cached=30_000), 6_475_000_000),
    ("anthropic", "claude-haiku-5-5", chat(30_500, 300, cached=30_000), 500_000_000),
    ("anthropic", "claude-haiku-5-5", chat(30_500, 300, written=30_000, lifetime="write_5m"), 3_950_000_000),
    ("anthropic", "claude-haiku-5-5", chat(30_500, 300, written=30_000, lifetime="write_1h"), 6_200_000_000),
    ("anthropic", "claude-haiku-4-5", chat(30_500, 300), 32_000_000_000),
    ("anthropic", "claude-opus-5-5", chat(30_500, 300, cached=30_000), 14_000_000_000),
    ("openai", "gpt-5-nano", chat(30_500, 300, cached=30_000), 295_000_000),
    ("openai", "gpt-5-mini", chat(500, 2_300, reasoning=2_000), 4_725_000_000),
    ("openai", "gpt-6-luna", chat(30_500, 300, written=30_000, lifetime="write_30m"), 3_950_000_000),
    ("openai", "gpt-6.1-sol", chat(30_500, 300, written=30_000, lifetime="write_12h"), 154_000_000_000),
    ("openai", "whisper-1", some("audio_ms", 90_000), 9_000_000_000),
    ("openai", "tts-1", some("character", 33), 33 * 15_000_000),
    ("gemini", "gemini-2.5-flash-lite", chat(30_500, 300, cached=30_000), 470_000_000),
    ("gemini", "gemini-2.5-flash", some("token", 640, modality="audio"), 640 * 1_000_000),
    ("gemini", "gemini-3.8-flash", some("token", 258, modality="image"), 258 * 750_000),
]


@pytest.mark.parametrize(("model", "usage", "expected"), BY_NEURONS)
def test_workers_ai_is_priced_by_the_neurons_of_its_invoice(model: str, usage: Usage, expected: int) -> None:
    """The dollar prices of its page are roundings of these."""
    assert cost("cloudflare", model, usage) == expected


@pytest.mark.parametrize(("provider", "model", "usage", "expected"), BY_DOLLARS)
def test_every_class_of_tokens_and_every_unit_has_its_own_price(
    provider: str, model: str, usage: Usage, expected: int
) -> None:
    """A token is in one class only: read from the cache, written to it for a while, or neither."""
    assert cost(provider, model, usage) == expected


@pytest.mark.parametrize(
    ("model", "prompt", "rate"),
    [
        ("claude-haiku-5-5", 100_000, 100_000),
        ("claude-haiku-5-5", 100_001, 500_000),
        ("gpt-6-luna", 272_000, 100_000),
        ("gpt-6-luna", 272_001, 200_000),
    ],
)
def test_a_prompt_above_a_threshold_reprices_the_whole_request(model: str, prompt: int, rate: int) -> None:
    """From its first token on: one token more can be five times as dear."""
    provider = "anthropic" if model.startswith("claude") else "openai"
    assert cost(provider, model, chat(prompt)) == prompt * rate


def test_tokens_of_the_prompt_cache_count_towards_the_threshold_and_the_answer_is_repriced_too() -> None:
    """Haiku 5.5 above 100,000: 0.05 to read, 0.50 in, 2.50 out."""
    usage = chat(100_500, 300, cached=100_000)
    assert cost("anthropic", "claude-haiku-5-5", usage) == 100_000 * 50_000 + 500 * 500_000 + 300 * 2_500_000


@pytest.mark.parametrize(
    ("at", "times"),
    [
        ("2026-11-23T00:59:59.999999Z", 1),  # a Monday
        ("2026-11-23T01:00:00.000000Z", 2),
        ("2026-11-23T03:59:59.999999Z", 2),
        ("2026-11-23T04:00:00.000000Z", 1),
        ("2026-11-27T09:59:59.999999Z", 2),  # a Friday
        ("2026-11-27T10:00:00.000000Z", 1),
        ("2026-11-28T02:00:00.000000Z", 1),  # a Saturday
        ("2026-11-29T07:00:00.000000Z", 1),  # a Sunday
        ("2026-11-23T03:00:00+02:00", 2),  # another way to write 01:00 in UTC
        ("2026-11-23T00:30:00-02:00", 2),
    ],
)
def test_hours_of_the_week_have_their_own_price(at: str, times: int) -> None:
    """DeepSeek is twice as dear at 01:00-04:00 and 06:00-10:00 UTC from Monday to Friday."""
    usage = chat(30_500, 300, cached=30_000)
    assert cost("deepseek", "deepseek-v4-flash", usage, at) == times * (30_000 * 3_000 + 500 * 150_000 + 300 * 600_000)


@pytest.mark.parametrize(
    ("provider", "model", "at", "rate"),
    [
        ("openai", "gpt-5.6-luna", "2026-07-29T23:59:59.999999Z", 1_000_000),
        ("openai", "gpt-5.6-luna", "2026-07-30T00:00:00.000000Z", 200_000),
        ("openai", "gpt-5.6-luna", "2026-07-30T01:59:59+02:00", 1_000_000),  # still the 29th in UTC
        ("gemini", "gemini-4-argon", "2026-11-30T23:59:59.999999Z", 2_000_000),
        ("gemini", "gemini-4-argon", "2026-12-01T00:00:00.000000Z", 4_000_000),
        ("gemini", "gemini-3.8-flash", "2027-01-01T00:00:00.000000Z", 1_500_000),
        ("deepseek", "deepseek-v4-pro", "2026-08-16T02:00:00.000000Z", 435_000),
        ("deepseek", "deepseek-v4-pro", "2026-08-17T00:59:59.999999Z", 660_000),
        ("deepseek", "deepseek-v4-pro", "2026-08-22T02:00:00.000000Z", 1_320_000),  # a Saturday before
        ("deepseek", "deepseek-v4-pro", "2026-08-29T02:00:00.000000Z", 660_000),  # and one after weekends became cheap
        ("deepseek", "deepseek-v4-flash", "2026-09-09T12:00:00.000000Z", 220_000),
        ("deepseek", "deepseek-v4-flash", "2026-09-10T12:00:00.000000Z", 150_000),
    ],
)
def test_a_price_holds_from_its_day_to_the_next_ones(provider: str, model: str, at: str, rate: int) -> None:
    """Days begin at midnight UTC, and an attempt costs what its own day says, whenever it is priced."""
    assert cost(provider, model, chat(1_000), at) == 1_000 * rate


@pytest.mark.parametrize(
    ("provider", "model", "terms", "expected"),
    [
        ("anthropic", "claude-haiku-4-5", ("batch",), 1_000 * 500_000 + 1_000 * 50_000),
        ("openai", "gpt-5-mini", ("priority",), 1_000 * 450_000 + 1_000 * 45_000),
        ("openai", "gpt-5-mini", ("flex",), 1_000 * 125_000 + 1_000 * 12_500),
        # Gemini halves what is read anew, and leaves what is read from its cache at its price.
        ("gemini", "gemini-2.5-flash", ("batch",), 1_000 * 150_000 + 1_000 * 30_000),
        # Nobody lists such a thing: its price is not known.
        ("anthropic", "claude-haiku-4-5", ("flex",), None),
    ],
)
def test_the_terms_of_a_request_multiply_its_price(
    provider: str, model: str, terms: tuple[str, ...], expected: int | None
) -> None:
    """Terms that a list does not name have no price."""
    assert cost(provider, model, chat(2_000, cached=1_000), terms=terms) == expected


@pytest.mark.parametrize(
    ("provider", "model", "usage", "why"),
    [
        ("cloudflare", "@cf/llava-hf/llava-1.5-7b-hf", chat(600, 80), "has no price"),
        ("cloudflare", "@cf/meta/llama-9", chat(1), "has no price"),
        ("nobody", "gpt-5-nano", chat(1), "has no price"),
        ("openai", "gpt-5-nano", Usage(), "nothing is known"),
        ("openai", "gpt-5-nano", some("image", 1, direction="output"), "text image output"),
        ("openai", "gpt-5-nano", some("token", 1, modality="audio"), "audio token input"),
        ("openai", "gpt-5-nano", chat(9, written=9, lifetime="write_1h"), "text token input (write_1h)"),
        ("cloudflare", "@cf/meta/m2m100-1.2b", chat(9, cached=9), "text token input (read)"),
    ],
)
def test_what_is_not_known_is_none_and_says_why(provider: str, model: str, usage: Usage, why: str) -> None:
    """A model without a price, a usage nobody reported, and a class its list does not name: none of them is free."""
    found = BOOK.cost(provider=provider, model=model, usage=usage, at=MONDAY_NOON)
    assert found.pico_usd is None
    assert why in found.unpriced
    assert found.revision == BOOK.revision


def test_an_embedded_engine_costs_nothing_whatever_it_reports() -> None:
    """Nobody sends a bill for it."""
    assert cost(LOCAL, "wordllama-l2-256", chat(10_000)) == 0
    assert cost(LOCAL, "any", Usage()) == 0


def test_a_usage_of_nothing_costs_nothing() -> None:
    """A provider that was never reached reports no quantities, which is something else than no report."""
    assert cost("openai", "gpt-5-nano", used()) == 0


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5-nano-2025-08-07"),
        ("openai-compatible", "gpt-5-nano"),
        ("cloudflare", "openai/gpt-5-nano"),
        ("workers-ai", "@cf/openai/gpt-oss-20b"),
        ("google-ai-studio", "gemini-2.5-flash"),
        ("anthropic", "claude-haiku-4-5-20251001"),
        ("openai", "deepseek-v4-pro"),
    ],
)
def test_a_model_is_found_by_the_names_it_goes_under(provider: str, model: str) -> None:
    """A day's snapshot of it, a gateway's name for it, a server that speaks like its provider."""
    assert cost(provider, model, chat(10, 10)) is not None


def test_the_lines_of_a_cost_add_up_to_it() -> None:
    """Each says its quantity and its exact rate."""
    found = BOOK.cost(provider="cloudflare", model=LLAMA, usage=chat(7, 3), at=MONDAY_NOON)
    assert [(line.quantity.amount, line.pico, line.per) for line in found.lines] == [(7, 293_348, 1), (3, 2_252_855, 1)]
    found = BOOK.cost(
        provider="cloudflare", model="@cf/openai/whisper-large-v3-turbo", usage=some("audio_ms", 1), at=MONDAY_NOON
    )
    assert [(line.pico, line.per) for line in found.lines] == [(51_293, 6)]


def test_what_the_prompt_cache_saved_is_the_cost_without_it() -> None:
    """30,000 tokens at 0.10 instead of 0.01 a million."""
    usage = chat(30_500, 300, cached=30_000)
    without = BOOK.cost_without_prompt_cache(
        provider="anthropic", model="claude-haiku-5-5", usage=usage, at=MONDAY_NOON
    ).pico_usd
    assert without == 3_200_000_000


def test_an_estimate_is_the_cost_of_guessed_tokens() -> None:
    """For a router, which has nothing but counts of its own."""
    guess: dict[str, Any] = {
        "prompt_tokens": 30_500,
        "cached_tokens": 30_000,
        "completion_tokens": 300,
        "at": MONDAY_NOON,
    }
    assert BOOK.estimate("anthropic", "claude-haiku-5-5", **guess) == 500_000_000
    assert BOOK.estimate(LOCAL, "any", **guess) == 0
    assert BOOK.estimate("cloudflare", "@cf/llava-hf/llava-1.5-7b-hf", **guess) is None
    # What is read from a cache is no cheaper here.
    assert BOOK.estimate("cloudflare", LLAMA, **guess) == 30_500 * 293_348 + 300 * 2_252_855
    # A price for it that no list names is expected to be the full one.
    assert BOOK.estimate("cloudflare", "@cf/meta/m2m100-1.2b", **guess) == 30_800 * 341_550
    guess |= {"cached_tokens": 0, "written_tokens": 30_000, "lifetime": "write_5m"}
    assert BOOK.estimate("anthropic", "claude-haiku-5-5", **guess) == 3_950_000_000


OWN = """
revision = "ours-1"
extends = "packaged"

[sources.contract]
page = "our contract"
read = 2026-01-02

[[price]]
provider = "anthropic"
models = ["claude-haiku-5-5"]
source = "contract"
million_tokens = { input = 0.08 }

[[price]]
provider = "anthropic"
models = ["claude-haiku-5-5"]
source = "contract"
from = 2026-03-01
million_tokens = { input = 0.0000005 }

[[price]]
provider = "openai"
models = ["*"]
source = "contract"
million_tokens = { input = 0, output = 0 }
"""


def own_book(folder: Path, text: str = OWN) -> PriceBook:
    """An operator's file."""
    path = folder / "prices.toml"
    path.write_text(text)
    return PriceBook.load(path)


def test_an_operators_book_stands_before_the_packaged_one(tmp_path: Path) -> None:
    """What it names is priced by it alone, from its days on; the rest is as packaged."""
    book = own_book(tmp_path)

    def costs(provider: str, model: str, usage: Usage, at: str = MONDAY_NOON) -> int | None:
        return book.cost(provider=provider, model=model, usage=usage, at=at).pico_usd

    assert costs("anthropic", "claude-haiku-5-5", chat(1_000), "2026-02-28T23:59:59.999999Z") == 80_000_000
    assert costs("anthropic", "claude-haiku-5-5", chat(1_000), "2026-03-01T00:00:00.000000Z") == 500
    # Half a pico-dollar is rounded up, and only once: three halves are two.
    assert costs("anthropic", "claude-haiku-5-5", chat(1)) == 1
    assert costs("anthropic", "claude-haiku-5-5", chat(3)) == 2
    assert costs("anthropic", "claude-haiku-5-5", chat(1, 1)) is None
    assert costs("openai", "our-own-llama", chat(9, 9)) == 0
    assert costs("openai", "gpt-5-nano", chat(1)) == 50_000
    assert costs("cloudflare", "@cf/baai/bge-m3", chat(1)) == 11_825


def test_a_changed_price_is_another_revision_whatever_the_file_calls_it(tmp_path: Path) -> None:
    """A comment is not."""
    revision = own_book(tmp_path).revision
    assert revision.startswith("ours-1.")
    assert revision.endswith(f"+{BOOK.revision}")
    assert own_book(tmp_path, OWN + "# nothing\n").revision == revision
    assert own_book(tmp_path, OWN.replace("0.08", "0.09")).revision != revision


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("input = 0.08", "inptu = 0.08", "inptu"),
        ("input = 0.08", "input = -0.08", "below zero"),
        ("million_tokens = { input = 0.08 }", "milion_tokens = { input = 0.08 }", "milion_tokens"),
        ('source = "contract"\nfrom', 'source = "nowhere"\nfrom', "nowhere"),
        ("from = 2026-03-01\n", "", "two prices from the same day"),
        ("[sources.contract]", "[sources.contract", "line"),
        (
            "from = 2026-03-01\n",
            'from = 2026-03-01\nwindows = [{ days = ["mon"], hours = ["01:00-05:00", "04:00-06:00"], times = 2 }]\n',
            "overlap",
        ),
        (
            "from = 2026-03-01\n",
            'from = 2026-03-01\nwindows = [{ days = ["mon"], hours = ["05:00-01:00"], times = 2 }]\n',
            "05:00-01:00",
        ),
        ("from = 2026-03-01\n", "from = 2026-03-01\nabove = [{ prompt_tokens = 0 }]\n", "prompt_tokens"),
    ],
)
def test_a_book_that_cannot_be_used_says_what_is_wrong_in_it(tmp_path: Path, was: str, becomes: str, why: str) -> None:
    """Before anything is priced by it."""
    assert was in OWN
    with pytest.raises(Misconfigured, match=r"prices\.toml") as refused:
        own_book(tmp_path, OWN.replace(was, becomes))
    assert why in str(refused.value)


def test_every_packaged_price_names_its_source_and_is_reachable() -> None:
    """And each of them prices something."""
    for provider, model in BOOK.entries():
        for listed in BOOK.history(provider, model):
            assert BOOK.sources[listed.source].page.startswith("https://")
            assert listed.million_tokens or cost(provider, model, used()) == 0
