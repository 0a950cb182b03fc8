"""Calls to models: a span with what was used, metrics by model and task, and no word of what it cost."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from tests.runtime.ai.clients import TEST, Connected, connected, provision_ai, the_same
from tests.runtime.telemetry.collecting import collecting, counted, is_below, trace_of
from tonetouch_runtime import Settings
from tonetouch_runtime._telemetry import Cause, caused_by
from tonetouch_runtime.ai.errors import ProviderFailed
from tonetouch_runtime.telemetry.counting import Counts, Labels
from tonetouch_runtime.telemetry.names import ANSWERED, CALL, WAITED, Metric

STORY = Cause(correlation="story", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")


def timed(counts: Counts, metric: Metric) -> dict[Labels, int]:
    return {labels: sum(times.counts) for labels, times in counts.times[metric].items()}


async def embed(client: Connected) -> None:
    with caused_by(STORY):
        await client.ai.embed(the_same(), TEST)
    await client.ai.settled()


async def test_a_call_is_a_span_of_the_trace_it_was_made_for(settings: Settings) -> None:
    """In the words of the conventions for generative AI; its job leads to the ledger."""
    await provision_ai(settings)
    with collecting() as collected, counted() as counts:
        async with connected(settings) as client:
            await embed(client)
            await embed(client)
            _, recorded = await client.rows()
    [call] = [span for span in collected.spans if span.name.startswith("embeddings ")]
    started = next(span for span in collected.spans if span.name == "append job.started.*")
    said = dict(call.attributes or {})
    assert call.kind is SpanKind.CLIENT
    assert f"{trace_of(call):032x}" == f"{trace_of(started):032x}" == "a" * 32
    assert not is_below(started, call)
    assert (said["gen_ai.operation.name"], said["gen_ai.provider.name"]) == ("embeddings", "local")
    assert said["tonetouch.ai.job"] == recorded[0].job_id
    assert said["gen_ai.usage.input_tokens"] == recorded[0].prompt_tokens
    assert not any("cost" in name or "usd" in name for name in said)
    [(labels, number)] = timed(counts, CALL).items()
    assert (labels[0], labels[2:], number) == ("local", ("embeddings", "done"), 1)
    assert sum(timed(counts, WAITED).values()) == 1
    assert counts.totals[ANSWERED] == {("embeddings", "test", "miss"): 1, ("embeddings", "test", "exact_hit"): 1}


async def test_a_call_that_fails_says_how(settings: Settings) -> None:
    """By the provider's kind of failure, in the trace and in the metrics; the next one is another span."""
    await provision_ai(settings)
    with collecting() as collected, counted() as counts:
        async with connected(settings) as client:
            client.provider.failures = [ProviderFailed("overloaded", "busy")]
            with pytest.raises(ProviderFailed):
                await embed(client)
            await embed(client)
    failed, done = (span for span in collected.spans if span.name.startswith("embeddings "))
    assert (failed.status.status_code, done.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert dict(failed.attributes or {})["error.type"] == "overloaded"
    assert sorted(labels[-1] for labels in timed(counts, CALL)) == ["done", "overloaded"]
