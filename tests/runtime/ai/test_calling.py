"""Between a question and the models that could answer it: the next one, the same one later, or a clear end."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.runtime.ai.clients import TEST, Connected, connected, provision_ai
from tests.runtime.ai.scripted import Scripted
from tonetouch_runtime import Settings
from tonetouch_runtime.ai import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.tasks import Chat, Message
from tonetouch_runtime.ai.usage import Usage, tokens

CHAT = Chat(messages=(Message("user", "Who is Ada?"),), max_tokens=100)
PROMPT_PICO, ANSWER_PICO = 26_668 * 11, 204_805 * 11
"""A token of llama-3.3-70b: neurons a million tokens, and 0.011 USD a thousand neurons."""

OVERLOADED = ProviderFailed("overloaded", "503 from upstream", http_status=503)


@pytest.fixture(name="stack")
async def _stack(settings: Settings) -> AsyncIterator[AsyncExitStack]:
    await provision_ai(settings)
    async with AsyncExitStack() as stack:
        yield stack


async def client_of(stack: AsyncExitStack, settings: Settings, *providers: Scripted) -> Connected:
    return await stack.enter_async_context(connected(settings, providers={one.name: one for one in providers}))


async def test_the_row_names_the_target_and_those_passed_over(stack: AsyncExitStack, settings: Settings) -> None:
    """What was looked at, what each would have cost, and why the others did not get it."""
    client = await client_of(stack, settings, Scripted("cloudflare", "Ada is a singer."))
    answered = await client.ai.ask(CHAT, TEST)
    [start], [end] = await client.rows()
    assert (answered.result.text, answered.provider, answered.cache) == ("Ada is a singer.", "cloudflare", "miss")
    assert (end.target, end.provider, end.model) == (
        "llama-3-3-70b",
        "cloudflare",
        "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    )
    assert start.considered == end.considered
    assert [one.target for one in end.considered if not one.passed_over] == ["llama-3-3-70b"]
    assert "TONETOUCH_ANTHROPIC_KEY" in next(one.passed_over for one in end.considered if one.target == "claude-haiku")
    assert (end.prompt_tokens, end.completion_tokens, end.http_status, end.finish_reason) == (100, 4, 200, "stop")
    assert end.cost_pico_usd == 100 * PROMPT_PICO + 4 * ANSWER_PICO
    assert end.price_revision


async def test_where_one_fails_the_next_is_asked(stack: AsyncExitStack, settings: Settings) -> None:
    """Each try is a row: the failed one under the id that was asked for, the other says which job it makes up for."""
    first, second = Scripted("cloudflare", OVERLOADED), Scripted("anthropic", "Ada sings.")
    client = await client_of(stack, settings, first, second)
    answered = await client.ai.ask(CHAT, TEST)
    _, [failed, done] = await client.rows()
    assert (answered.provider, answered.result.text) == ("anthropic", "Ada sings.")
    assert (failed.outcome, failed.error_type, failed.http_status) == ("failed", "overloaded", 503)
    assert (failed.prompt_tokens, failed.cost_pico_usd, failed.usage_source) == (None, None, "none")
    assert (done.outcome, done.target, done.retry_of) == ("succeeded", "claude-haiku", failed.job_id)
    assert "it failed for this call: overloaded" in {one.passed_over for one in done.considered}


async def test_the_answer_of_the_next_one_is_the_answer_to_the_question(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Asked again, nobody is asked: it is kept under the question, not under who answered."""
    client = await client_of(stack, settings, Scripted("cloudflare", OVERLOADED), Scripted("anthropic", "Ada sings."))
    await client.ai.ask(CHAT, TEST)
    again = await client.ai.ask(CHAT, TEST)
    _, recorded = await client.rows()
    assert (again.cache, again.provider) == ("exact_hit", "anthropic")
    hit = recorded[-1]
    assert (hit.cost_pico_usd, hit.avoided_pico_usd) == (0, recorded[-2].cost_pico_usd)
    assert hit.avoided_pico_usd


async def test_a_limit_that_passes_is_waited_for(stack: AsyncExitStack, settings: Settings) -> None:
    """With nobody else to ask the same one is asked once more, and the log says that it would not take us before."""
    limited = ProviderFailed("rate_limited", "429", http_status=429, retry_after_seconds=0.2, reached=False)
    client = await client_of(stack, settings, Scripted("cloudflare", limited, "Ada sings."))
    answered = await client.ai.ask(CHAT, TEST)
    _, [failed, done] = await client.rows()
    assert answered.result.text == "Ada sings."
    assert (failed.error_type, failed.prompt_tokens, failed.cost_pico_usd) == ("rate_limited", 0, 0)
    assert (done.target, done.retry_of) == ("llama-3-3-70b", failed.job_id)


async def test_a_quota_that_is_used_up_is_not_asked_again(stack: AsyncExitStack, settings: Settings) -> None:
    """Before midnight nothing changes: the caller is told at once."""
    spent = ProviderFailed("daily_quota", "3036", http_status=429, reached=False)
    scripted = Scripted("cloudflare", spent)
    client = await client_of(stack, settings, scripted)
    with pytest.raises(ProviderFailed, match="3036"):
        await client.ai.ask(CHAT, TEST)
    assert len(scripted.asked) == 1


async def test_after_the_last_try_the_caller_gets_the_error(stack: AsyncExitStack, settings: Settings) -> None:
    """Every try has its row, and nothing is kept: the next caller starts anew."""
    client = await client_of(stack, settings, Scripted("cloudflare", OVERLOADED), Scripted("anthropic", OVERLOADED))
    with pytest.raises(ProviderFailed, match="503"):
        await client.ai.ask(CHAT, TEST)
    started, recorded = await client.rows()
    assert len(started) == len(recorded) >= 2
    assert {row.outcome for row in recorded} == {"failed"}
    assert [facts.key async for facts in client.objects.list("ai/") if not facts.key.endswith(".input")] == []


async def test_what_a_failed_attempt_used_is_priced(stack: AsyncExitStack, settings: Settings) -> None:
    """A provider may ask for money for an answer that never came; where it says how much, the row does too."""
    used = Usage(quantities=tokens(prompt=50, completion=10), source="partial")
    cut = ProviderFailed("cut", "the stream ended", usage=used, text="Ada")
    client = await client_of(stack, settings, Scripted("cloudflare", cut), Scripted("anthropic", "Ada sings."))
    await client.ai.ask(CHAT, TEST)
    _, [failed, _] = await client.rows()
    assert (failed.prompt_tokens, failed.completion_tokens, failed.usage_source) == (50, 10, "partial")
    assert failed.cost_pico_usd == 50 * PROMPT_PICO + 10 * ANSWER_PICO


async def test_a_question_too_large_for_every_window_is_refused(stack: AsyncExitStack, settings: Settings) -> None:
    """With the numbers, before anybody is asked; the row says so and costs nothing."""
    scripted = Scripted("cloudflare", "never")
    client = await client_of(stack, settings, scripted)
    huge = Chat(messages=(Message("user", "word " * 2_000_000),))
    with pytest.raises(AIInputRefused, match=r"[\d,]{7,}"):
        await client.ai.ask(huge, TEST)
    started, [row] = await client.rows()
    assert (started, scripted.asked) == ([], [])
    assert (row.outcome, row.provider, row.cost_pico_usd) == ("failed", "none", 0)


async def test_where_nobody_can_answer_the_setting_is_named(stack: AsyncExitStack, settings: Settings) -> None:
    """Without an account there is no model for free text: the error says what to set."""
    client = await client_of(stack, settings)
    with pytest.raises(AIUnavailable, match="TONETOUCH_CLOUDFLARE_ACCOUNT"):
        await client.ai.ask(CHAT, TEST)
