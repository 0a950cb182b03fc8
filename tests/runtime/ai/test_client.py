"""The AI client: asked once, answered for all, and a row for every attempt."""

import asyncio
import dataclasses
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.runtime.ai.clients import (
    PRIVATE,
    TEST,
    Connected,
    ask_singly,
    caches,
    connected,
    provision_ai,
    rows,
    shut,
    the_same,
    until,
    until_started,
)
from tests.runtime.ai.pictures import ORANGE, encoded, flat
from tonetouch_contracts.message import Event, Positions
from tonetouch_runtime import Log, Objects, Refused, Settings, SystemClock, Unavailable
from tonetouch_runtime._object_store import ObjectStoreUnavailable
from tonetouch_runtime.ai import AIInputRefused, AIUnavailable, TextToEmbed, Whose
from tonetouch_runtime.ai.caching import closing
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect
from tonetouch_runtime.ai.local import EngineMissing, Fact, LocalEngines, Pattern
from tonetouch_runtime.ai.providers.local import LocalProvider
from tonetouch_runtime.ai.tasks import Chat, ImageDescription

TEMPLATE = ((Pattern("{title} is by {by}.", needs=("title", "by")),),)
FACTS = (Fact(id="1", name="title", value="Rain"), Fact(id="2", name="by", value="Ada"))


class HeldLog(Log):
    """A log that is told nothing but starts until it is let go, and then fails if it has to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held, self.waiting = asyncio.Event(), 0
        self.failure: Exception | None = None

    async def pour(self, *events: Event, once: bool = False) -> Positions:
        self.waiting += 1
        await self.held.wait()
        if self.failure:
            raise self.failure
        return await super().pour(*events, once=once)


@pytest.fixture(name="client")
async def _client(settings: Settings) -> AsyncIterator[Connected]:
    await provision_ai(settings)
    async with connected(settings) as client:
        yield client


async def test_a_text_gets_the_vector_of_the_engine(client: Connected) -> None:
    """What the client gives is what the engine makes, to the last bit, first and from the cache."""
    expected = LocalEngines().embed(["a slow sad piano piece"])
    [first] = await client.ai.embed(the_same(), TEST)
    [second] = await client.ai.embed(the_same(), TEST)
    for found in (first, second):
        assert found.vector.dtype == np.float32
        assert np.array_equal(found.vector, expected.vectors[0])
        assert (found.dimension, found.model) == (1024, expected.model)
    assert (first.cache, second.cache) == ("miss", "exact_hit")
    assert client.provider.calls == 1


async def test_an_attempt_has_one_start_and_one_end(client: Connected) -> None:
    """Both rows carry the same identity; the end says what was used, in tokens the engine counted and at no cost."""
    [found] = await client.ai.embed(
        [TextToEmbed(text="rain", subject="track:1", job_id="j-1", attempt=3)],
        Whose(feature="ingest.embed", subject=""),
    )
    [start], [end] = await client.rows()
    expected = LocalEngines().embed(["rain"])
    assert found.job_id == "j-1"
    assert (
        (start.job_id, start.attempt, start.started_at)
        == (end.job_id, end.attempt, end.started_at)
        == ("j-1", 3, start.started_at)
    )
    assert (end.type, end.feature, end.subject) == ("embeddings", "ingest.embed", "track:1")
    assert (end.provider, end.model, end.gateway) == ("local", expected.model, None)
    assert (end.outcome, end.cache, end.usage_source, end.error) == ("succeeded", "miss", "reported", None)
    assert (end.prompt_tokens, end.cached_tokens, end.completion_tokens) == (expected.prompt_tokens, 0, 0)
    assert (end.cost_pico_usd, end.input_ref, end.output_ref) == (
        0,
        f"ai/{end.input_hash}.input",
        f"ai/{end.input_hash}",
    )
    assert end.latency_ms is not None and end.latency_ms > 0


async def test_a_picture_is_described_and_a_text_is_written(client: Connected) -> None:
    """Both are rows of their own type, and both are answered from the cache the second time."""
    image = encoded(flat(ORANGE))
    for expected in ("miss", "exact_hit"):
        alt = await client.ai.ask(ImageDescription(image=image, facts=(("title", "Rain"),)), TEST)
        written = Chat(messages=(), facts=FACTS, template=TEMPLATE)
        about = await client.ai.ask(written, msgspec.structs.replace(TEST, prompt="about@1"))
        assert (alt.cache, about.cache) == (expected, expected)
        assert alt.result.text.startswith("“Rain”")
        assert about.result.text == "Rain is by Ada."
    started, recorded = await client.rows()
    assert sorted(row.type for row in started) == ["chat", "image_description"]
    assert Counter(row.type for row in recorded) == {"chat": 2, "image_description": 2}
    assert all(row.cost_pico_usd == 0 and row.prompt_tokens == 0 for row in recorded if row.cache == "exact_hit")


async def test_two_hundred_callers_of_one_client_make_one_call(client: Connected) -> None:
    """Callers at the same moment share the call: one row is a miss, all others say so and cost nothing."""
    gate = threading.Event()
    client.provider.gate = shut(gate)
    asking = asyncio.create_task(ask_singly(client.ai, 200))
    await until(lambda: client.provider.calls)
    gate.set()
    answers = await asking
    started, recorded = await client.rows()
    assert (client.provider.calls, len(started)) == (1, 1)
    assert caches(recorded) == {"miss": 1, "coalesced": 199}
    assert len({row.job_id for row in recorded}) == 200
    assert {row.cost_pico_usd for row in recorded} == {0}
    assert len({answer.vector.tobytes() for answer in answers}) == 1
    assert {answer.job_id for answer in answers} == {row.job_id for row in recorded}


async def test_of_twenty_five_texts_only_the_new_ones_go_upstream(client: Connected) -> None:
    """Ten are known: the other fifteen go together, in one call; each of them has a row."""
    texts = [TextToEmbed(text=f"text {number}", subject="track:1") for number in range(25)]
    await client.ai.embed(texts[:10], TEST)
    client.provider.batches.clear()
    found = await client.ai.embed(texts, TEST)
    assert client.provider.batches == [[f"text {number}" for number in range(10, 25)]]
    assert [one.cache for one in found] == ["exact_hit"] * 10 + ["miss"] * 15
    singly = LocalEngines().embed([one.text for one in texts])
    assert all(np.array_equal(one.vector, vector) for one, vector in zip(found, singly.vectors, strict=True))
    _, recorded = await client.rows()
    assert caches(recorded) == {"miss": 25, "exact_hit": 10}
    assert Counter(row.job_id for row in recorded).most_common(1)[0][1] == 1


async def test_a_call_upstream_has_at_most_twenty_five_texts(client: Connected) -> None:
    """More are shared out over several calls, and come back in their order."""
    found = await client.ai.embed([TextToEmbed(text=f"text {number}", subject="track:1") for number in range(60)], TEST)
    assert sorted(map(len, client.provider.batches)) == [10, 25, 25]
    assert np.array_equal(found[59].vector, LocalEngines().embed(["text 59"]).vectors[0])


async def test_the_same_text_twice_in_a_batch_is_asked_once(client: Connected) -> None:
    """A refrain is a text like any other: its second row says that it was shared."""
    found = await client.ai.embed(the_same(2), TEST)
    assert client.provider.batches == [["a slow sad piano piece"]]
    assert [one.cache for one in found] == ["miss", "coalesced"]
    assert await client.ai.embed([], TEST) == []


async def test_a_failing_engine_is_recorded_and_not_cached(client: Connected) -> None:
    """All who waited get the error and a row that says so; the next call asks again."""
    gate = threading.Event()
    client.provider.gate = shut(gate)
    client.provider.failures = [RuntimeError("out of order")]
    asking = asyncio.gather(*(client.ai.embed([text], TEST) for text in the_same(3)), return_exceptions=True)
    await until(lambda: client.provider.calls)
    gate.set()
    assert [str(error) for error in await asking] == ["out of order"] * 3
    started, recorded = await client.rows()
    assert len(started) == 1
    assert {(row.outcome, row.error, row.output_ref) for row in recorded} == {
        ("failed", "RuntimeError: out of order", None)
    }
    assert {(row.cache, row.prompt_tokens) for row in recorded} == {("miss", None), ("coalesced", 0)}
    [again] = await client.ai.embed(the_same(), TEST)
    assert (again.cache, client.provider.calls) == ("miss", 2)


async def test_an_input_no_model_takes_is_refused_in_words(client: Connected) -> None:
    """What is not an image is a refusal that can be shown, with its row."""
    with pytest.raises(AIInputRefused) as refused:
        await client.ai.ask(ImageDescription(image=b"not an image"), TEST)
    assert isinstance(refused.value, Refused)
    assert refused.value.problem.detail == refused.value.reason
    _, [row] = await client.rows()
    assert row.outcome == "failed"
    assert row.error is not None and refused.value.reason in row.error
    with pytest.raises(AIInputRefused):
        await client.ai.embed([TextToEmbed(text="half a \ud800", subject="track:1")], TEST)


async def test_an_engine_that_is_not_installed_says_what_to_change() -> None:
    """A missing extra is unavailable, with the command that installs it."""

    class Missing(LocalEngines):
        def describe_image(self, image: bytes, facts: object) -> object:  # type: ignore[override]
            raise EngineMissing("wordllama")

    provider = LocalProvider(Missing())
    [target] = [target for target in LocalProvider.targets() if target.task == "image_description"]
    with pytest.raises(AIUnavailable, match="pip install") as unavailable:
        await provider.call(target, ImageDescription(image=b""))
    assert isinstance(unavailable.value, Unavailable)


async def test_what_a_person_asks_is_never_shared(client: Connected) -> None:
    """Accounted like any call, but nothing is kept, nothing is joined, and the hash does not give the words away."""
    for _ in range(2):
        [found] = await client.ai.embed(the_same(), PRIVATE)
        assert found.cache == "miss"
    started, recorded = await client.rows()
    assert len(started) == len(recorded) == client.provider.calls == 2
    assert {(row.input_ref, row.output_ref) for row in recorded} == {(None, None)}
    assert len({row.input_hash for row in recorded}) == 2
    assert [facts.key async for facts in client.objects.list("ai/")] == []
    assert (await client.bus.jetstream.stream_info("AI_LEASES")).state.last_seq == 0


async def test_the_error_of_a_private_call_does_not_quote_it(client: Connected) -> None:
    """The ledger is for ever: of such an error it keeps the kind."""
    client.provider.failures = [RuntimeError("cannot embed 'my secret'")]
    with pytest.raises(RuntimeError):
        await client.ai.embed(the_same(), PRIVATE)
    _, [row] = await client.rows()
    assert row.error == "RuntimeError"


async def test_a_call_that_fails_before_its_start_has_a_row_too(client: Connected, settings: Settings) -> None:
    """Without the store nothing can be looked up: nothing was used, and every caller's row says why."""
    address = dataclasses.replace(settings.object_store, bucket="no-such-bucket", endpoint="http://127.0.0.1:1")
    async with Objects(address) as gone:
        upstream = connect(
            settings, bus=client.bus, log=client.log, clock=SystemClock(), providers={"local": client.provider}
        )
        ai = AIClient(
            service="tests", bus=client.bus, log=client.log, objects=gone, clock=SystemClock(), upstream=upstream
        )
        errors = await asyncio.gather(*(ai.embed([text], TEST) for text in the_same(2)), return_exceptions=True)
    assert all(isinstance(error, ObjectStoreUnavailable) for error in errors)
    started, recorded = await client.rows()
    assert (started, client.provider.calls) == ([], 0)
    assert sorted((row.cache, row.outcome, row.prompt_tokens) for row in recorded) == [
        ("coalesced", "failed", 0),
        ("miss", "failed", 0),
    ]


async def test_a_caller_that_leaves_wastes_nothing(client: Connected) -> None:
    """The call goes on without it: the answer is kept and the attempt gets its end."""
    gate = threading.Event()
    client.provider.gate = shut(gate)
    asking = asyncio.create_task(client.ai.embed(the_same(), TEST))
    await until(lambda: client.provider.calls)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    joining = asyncio.create_task(client.ai.embed(the_same(), TEST))
    gate.set()
    [found] = await joining
    assert (found.cache, client.provider.calls) == ("coalesced", 1)
    _, recorded = await client.rows()
    assert caches(recorded) == {"miss": 1, "coalesced": 1}


async def test_an_answer_does_not_wait_for_its_row(settings: Settings) -> None:
    """It is given when it is kept, which says how the attempt ended; the row follows."""
    await provision_ai(settings)
    async with connected(settings, make_log=HeldLog) as client:
        assert isinstance(client.log, HeldLog)
        [found] = await client.ai.embed(the_same(), TEST)
        [started], recorded = await rows(client.bus)
        assert (found.cache, started.job_id, recorded) == ("miss", found.job_id, [])
        client.log.held.set()
        _, [row] = await client.rows()
    assert (row.job_id, row.outcome, row.prompt_tokens) == (found.job_id, "succeeded", 5)


async def test_a_row_that_never_came_is_made_from_what_is_kept(settings: Settings) -> None:
    """As after a kill between the answer and its row: the sweeper's row has what the attempt used."""
    await provision_ai(settings)
    async with connected(settings, make_log=HeldLog) as client:
        assert isinstance(client.log, HeldLog)
        client.log.failure = Unavailable("the log is away")
        client.log.held.set()
        [found] = await client.ai.embed(the_same(), TEST)
        [started], recorded = await client.rows()
        assert recorded == []
        row = await closing(client.objects, started, "2026-11-22T00:00:00.000000Z")
    assert (row.job_id, row.outcome, row.prompt_tokens, row.cost_pico_usd) == (found.job_id, "succeeded", 5, 0)


async def test_a_private_answer_waits_for_its_row(settings: Settings) -> None:
    """Nothing of it is kept, so nobody else could say how it ended."""
    await provision_ai(settings)
    async with connected(settings, make_log=HeldLog) as client:
        assert isinstance(client.log, HeldLog)
        asking = asyncio.create_task(client.ai.embed(the_same(), PRIVATE))
        await until_started(client.bus)
        await until(lambda: client.log.waiting)  # type: ignore[attr-defined]
        assert not asking.done()
        client.log.held.set()
        await asking
        _, [row] = await rows(client.bus)
    assert row.outcome == "succeeded"


async def test_an_answer_that_cannot_be_kept_is_still_an_answer(client: Connected, settings: Settings) -> None:
    """It was made and its caller waits for it; the row says that there is no object."""
    gate = threading.Event()
    client.provider.gate = shut(gate)
    asking = asyncio.create_task(client.ai.embed(the_same(), msgspec.structs.replace(TEST, keep_input=False)))
    await until(lambda: client.provider.calls)
    [started], _ = await rows(client.bus)
    # A folder in the place of the object: the store refuses to write over it.
    async with Objects(settings.object_store) as objects:
        await objects.put(f"ai/{started.input_hash}/in-the-way", b"")
    gate.set()
    [found] = await asking
    _, [row] = await client.rows()
    assert found.cache == "miss"
    assert (row.outcome, row.output_ref, row.prompt_tokens) == ("succeeded", None, 5)


async def test_a_question_that_cannot_be_kept_is_answered_all_the_same(client: Connected, settings: Settings) -> None:
    """Its answer was paid for: it reaches the caller, is kept, and is accounted for."""
    await client.ai.embed(the_same(), msgspec.structs.replace(TEST, keep_input=False))
    _, [row] = await client.rows()
    async with Objects(settings.object_store) as objects:
        await objects.delete(f"ai/{row.input_hash}")
        # A folder in the place of the object: the store refuses to write over it.
        await objects.put(f"ai/{row.input_hash}.input/in-the-way", b"")
    [found] = await client.ai.embed(the_same(), msgspec.structs.replace(TEST, keep_input=True))
    _, recorded = await client.rows()
    assert (found.cache, recorded[-1].outcome, recorded[-1].output_ref) == ("miss", "succeeded", row.output_ref)
