"""The client with accounts in the simulated cloud: what it is charged there is what stands in the log."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.cloud import Account, Fault
from tests.runtime.ai.clients import TEST, Connected, connected_to_the_cloud, provision_ai
from tests.runtime.ai.pictures import ORANGE, encoded, flat
from tonetouch_runtime import Settings
from tonetouch_runtime.ai import TextToEmbed
from tonetouch_runtime.ai.tasks import (
    Chat,
    Embeddings,
    ImageDescription,
    ImageGeneration,
    Message,
    Moderation,
    Request,
    Rerank,
    Result,
    Speech,
    Transcription,
    Translation,
)

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
CHAT = Chat(messages=(Message("user", "Who is Ada?"),), max_tokens=100)

REQUESTS: tuple[Request[Result], ...] = (  # type: ignore[assignment]  # each has a result of its own
    CHAT,
    Embeddings(texts=("rain",)),
    Rerank(query="sad piano", passages=("a slow piano", "fast drums")),
    Moderation(text="a lullaby"),
    ImageDescription(image=encoded(flat(ORANGE))),
    Translation(text="Guten Abend", source="de", target="en"),
    Transcription(audio=b"RIFF", media_type="audio/wav"),
    Speech(text="Good evening."),
    ImageGeneration(prompt="a lighthouse"),
)


@pytest.fixture(name="client")
async def _client(settings: Settings, cloud: Account) -> AsyncIterator[Connected]:
    await provision_ai(settings)
    async with connected_to_the_cloud(settings, cloud) as client:
        yield client


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.task())
async def test_every_task_is_answered_in_runtime_and_priced(
    client: Connected, cloud: Account, request_: Request[Result]
) -> None:
    """Nine tasks, nine models of Workers AI: each gives a result of its task and a row with what it cost."""
    answered = await client.ai.ask(request_, TEST)
    _, [row] = await client.rows()
    assert type(answered.result).__struct_config__.tag == request_.task() == row.type
    assert (row.provider, row.outcome, row.usage_source != "none" or row.type in UNREPORTED) == (
        "cloudflare",
        "succeeded",
        True,
    )
    assert len(cloud.calls(row.model)) == 1
    assert (row.cost_pico_usd is not None) == (row.type not in UNPRICED)
    assert (await client.ai.ask(request_, TEST)).cache == "exact_hit"


UNREPORTED = frozenset[str]({"image_description"})
"""Tasks whose model says nothing of what it used."""

UNPRICED = frozenset[str]({"image_description"})
"""The model has no published price: the cost is unknown, not zero."""


async def test_the_rows_say_what_the_cloud_says(client: Connected, cloud: Account) -> None:
    """One row names each call; tokens of chats, plain and streamed, add up to its own. Of embeddings it tells none."""
    texts = [TextToEmbed(text=f"text {number}", subject="track:1") for number in range(60)]
    await client.ai.embed(texts, TEST)
    await client.ai.ask(CHAT, TEST)
    streamed = await client.ai.stream(Chat(messages=(Message("user", "[F1] It rains."),)), TEST)
    answered = await streamed.answered()
    assert answered.result.text
    _, recorded = await client.rows()
    written = [row for row in recorded if row.type == "chat"]
    charged = cloud.charged(LLAMA)
    assert {row.usage_source for row in written} == {"reported"}
    assert sum(row.prompt_tokens or 0 for row in written) == charged.prompt_tokens
    assert sum(row.completion_tokens or 0 for row in written) == charged.completion_tokens
    assert {row.usage_source for row in recorded if row.type == "embeddings"} == {"estimated"}
    assert len({row.provider_request_id for row in recorded}) == len(cloud.calls()) == 5
    assert sorted(cloud.batches("@cf/baai/bge-m3")) == [10, 25, 25]


async def test_a_prompt_that_does_not_fit_goes_out_through_the_gateway(client: Connected, cloud: Account) -> None:
    """In-runtime by default, external when it is too long; the row carries the gateway and its log."""
    context = "\n".join(
        f"[F{number}] The album number {number} came out in {1900 + number % 100}." for number in range(2500)
    )
    long = msgspec.structs.replace(CHAT, context=context, context_lifetime="5m")
    await client.ai.ask(long, TEST)
    again = msgspec.structs.replace(long, messages=(Message("user", "And who is Bo?"),))
    await client.ai.ask(again, TEST)
    _, [first, second] = await client.rows()
    assert (first.provider, first.target, first.gateway) == ("anthropic", "claude-haiku", cloud.gateway)
    assert first.gateway_log_id
    assert first.context_hash == second.context_hash
    assert first.cache_write_tokens and not first.cached_tokens
    assert second.cached_tokens and not second.cache_write_tokens
    assert first.cost_pico_usd and second.cost_pico_usd and second.cost_pico_usd < first.cost_pico_usd / 4


async def test_nonsense_is_a_recorded_failure_with_a_reason(client: Connected, cloud: Account) -> None:
    """And not an exception in a log: the next target answers, the row of the first says what came."""
    cloud.fail(LLAMA, Fault(nonsense=True))
    answered = await client.ai.ask(CHAT, TEST)
    _, [failed, done] = await client.rows()
    assert (failed.outcome, failed.error_type) == ("failed", "nonsense")
    assert failed.error
    assert (answered.provider, done.retry_of) == (done.provider, failed.job_id)
    assert answered.provider != "cloudflare"
