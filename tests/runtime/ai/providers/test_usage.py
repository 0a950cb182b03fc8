"""No account of usage is too strange, and none counts anything twice."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.providers import usage
from tonetouch_runtime.ai.usage import Usage

NAMES = (
    *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "prompt_tokens_details"),
    *("completion_tokens_details", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "audio_tokens"),
    *("prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "cache_read_input_tokens", "cache_creation"),
    *("cache_creation_input_tokens", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
    *("promptTokenCount", "candidatesTokenCount", "totalTokenCount", "cachedContentTokenCount", "thoughtsTokenCount"),
    *("toolUsePromptTokenCount", "promptTokensDetails", "cacheTokensDetails", "modality", "tokenCount"),
)
STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.floats(allow_nan=False) | st.sampled_from(["IMAGE", "7", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=25,
)
COUNT = st.integers(0, 10**6)


def readings(raw: object) -> list[Usage]:
    return [
        usage.openai(raw),
        usage.openai(raw, completes=False, cut=True),
        usage.anthropic(raw, lifetime="5m"),
        usage.gemini(raw),
        usage.listened(raw, raw),
    ]


@given(raw=STRANGE)
def test_no_account_is_too_strange(raw: object) -> None:
    """Nonsense is partial or none with the raw kept, never an error, and never a count below zero."""
    for read in readings(raw):
        assert all(0 < one.amount <= 4 * usage.LARGEST_COUNT for one in read.quantities if one.unit == "token")
        if read.source == "none":
            assert (read.quantities, read.prompt_tokens, read.completion_tokens) == ((), None, None)
        if raw is not None:
            assert read.raw is not None


@given(rest=COUNT, read=COUNT, written=COUNT, answer=COUNT, thought=COUNT)
def test_four_providers_tell_the_same_in_four_ways(
    rest: int, read: int, written: int, answer: int, thought: int
) -> None:
    """One attempt, told the way each provider tells it, is one usage."""
    prompt, completion = rest + read + written, answer + thought
    told = [
        usage.openai(
            {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
                "completion_tokens_details": {"reasoning_tokens": thought},
            }
        ),
        usage.anthropic(
            {
                "input_tokens": rest,
                "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written,
                "output_tokens": completion,
            }
        ),
        usage.gemini(
            {
                "promptTokenCount": prompt,
                "cachedContentTokenCount": read,
                "candidatesTokenCount": answer,
                "thoughtsTokenCount": thought,
                "totalTokenCount": prompt + completion,
            }
        ),
        usage.openai(
            {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "prompt_cache_hit_tokens": read,
                "prompt_cache_miss_tokens": rest + written,
            }
        ),
    ]
    assert {one.source for one in told} == {"reported"}
    assert {(one.prompt_tokens, one.cached_tokens, one.completion_tokens) for one in told} == {
        (prompt, read, completion)
    }


@given(prompt=COUNT, cached=COUNT)
def test_parts_are_never_larger_than_their_whole(prompt: int, cached: int) -> None:
    """A part that does not fit is left out, and the account is partial; the whole stays what it was."""
    for read in (
        usage.openai(
            {"prompt_tokens": prompt, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": cached}}
        ),
        usage.gemini({"promptTokenCount": prompt, "candidatesTokenCount": 1, "cachedContentTokenCount": cached}),
    ):
        assert (read.prompt_tokens or 0) == prompt
        assert (read.source, read.cached_tokens or 0) == (("reported", cached) if cached <= prompt else ("partial", 0))


def test_what_we_count_ourselves_says_so() -> None:
    """Letters read out, tiles painted and tokens counted are estimates."""
    assert usage.spoken("Ænima").quantities[0].amount == 5
    assert [one.amount for one in usage.painted((1024, 513), steps=4).quantities] == [4, 4]
    counted = usage.counted(prompt=9, completion=2)
    assert (counted.source, counted.prompt_tokens, counted.completion_tokens) == ("estimated", 9, 2)
    assert {usage.spoken("a").source, usage.painted((1, 1), steps=1).source} == {"estimated"}


def test_an_answer_out_of_a_gateways_cache_used_nothing() -> None:
    """The account in such a body is of an earlier call. It is kept as what it is."""
    saved = usage.saved_by_gateway({"prompt_tokens": 50, "completion_tokens": 5})
    assert (saved.source, saved.prompt_tokens, saved.completion_tokens) == ("reported", 0, 0)
    assert msgspec.json.decode(saved.raw or "")["usage"]["prompt_tokens"] == 50


def test_an_account_that_is_too_long_is_not_kept() -> None:
    """The provider's words stand in an event, and an event has a size."""
    read = usage.openai({"prompt_tokens": 1, "completion_tokens": 1, "more": "a" * 10_000})
    assert read.source == "reported"
    assert len(read.raw or "") < 100
