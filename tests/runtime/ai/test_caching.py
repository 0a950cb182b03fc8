"""Kept answers: the hash of what was asked, the object under it, and ends made from it."""

import dataclasses
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.ai.clients import TEST, Connected, connected, provision_ai, the_same
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobStarted
from tonetouch_runtime import Settings
from tonetouch_runtime.ai import AIInputRefused
from tonetouch_runtime.ai.accounting import Ending, Job
from tonetouch_runtime.ai.asking import Question, canonical, digest
from tonetouch_runtime.ai.caching import Answers, KeptAnswer, answer_key, closing, input_key
from tonetouch_runtime.ai.local import Fact, Pattern
from tonetouch_runtime.ai.tasks import (
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    ImageDescription,
    Transcription,
    Translation,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
POLICY = ("local/m@1",)
QUESTION = Question(request=Embeddings(texts=("rain",)), policy=POLICY)
LATER = "2026-01-01T00:00:00.000000Z"


@pytest.fixture(name="client")
async def _client(settings: Settings) -> AsyncIterator[Connected]:
    await provision_ai(settings)
    async with connected(settings) as client:
        yield client


@given(st.dictionaries(st.text(), VALUES, min_size=2, max_size=6))
def test_the_order_of_keys_does_not_change_the_bytes(value: dict[str, object]) -> None:
    """Whoever builds it in another order asks the same."""
    assert canonical(value) == canonical(dict(reversed(value.items())))


@pytest.mark.parametrize(
    "other",
    [
        Question(request=Translation(text="rain", source="en", target="de"), policy=POLICY),
        Question(request=Embeddings(texts=("rain",)), policy=("local/m@2",)),
        Question(request=Embeddings(texts=("rain",)), policy=("local/m@1", "local/m@2")),
        Question(request=Embeddings(texts=("rain",)), policy=POLICY, prompt="p@1"),
        Question(request=Embeddings(texts=("Rain",)), policy=POLICY),
        Question(request=Embeddings(texts=("ra", "in")), policy=POLICY),
        Question.private(Embeddings(texts=("rain",)), POLICY),
    ],
)
def test_whatever_an_answer_depends_on_changes_the_hash(other: Question) -> None:
    """Task, models, prompt and content: each of them makes another question; a private one is like no other."""
    assert other.input_hash != QUESTION.input_hash


def test_the_hash_stays_what_it_is() -> None:
    """A changed spelling would silently throw away all that was kept."""
    assert QUESTION.input_hash == "73ab819c0b1df9b9d272b0452d9732c4ee904b0728ee000eda89ca0d294d6783"


def test_pictures_and_recordings_are_kept_by_their_hash() -> None:
    """The question can be read, and does not carry what lies elsewhere already."""
    for request in (ImageDescription(image=b"png"), Transcription(audio=b"png", media_type="audio/wav")):
        kept = msgspec.json.decode(Question(request=request, policy=POLICY).to_keep())["request"]
        assert {"sha256": digest(b"png")} in kept.values()


def test_half_a_character_cannot_be_asked() -> None:
    """A lone surrogate has no bytes: refused in words, not with a crash."""
    with pytest.raises(AIInputRefused):
        canonical({"title": "\ud800"})


def test_facts_and_templates_have_a_canonical_form() -> None:
    """They are hashed and kept as what they say."""
    assert canonical(Fact(id="1", name="title", value="é")) == '{"id":"1","name":"title","value":"é"}'.encode()
    assert canonical(((Pattern("{by}.", needs=("by",)),),)) == b'[[{"needs":["by"],"text":"{by}."}]]'


async def test_input_and_answer_lie_beside_each_other(client: Connected) -> None:
    """The one can be read by a person, the other holds what came back and what it used."""
    [found] = await client.ai.embed(the_same(), TEST)
    _, [row] = await client.rows()
    asked = msgspec.json.decode(await client.objects.get(input_key(row.input_hash), max_bytes=10_000))
    assert asked["request"] == {"task": "embeddings", "texts": ["a slow sad piano piece"]}
    assert asked["policy"] == [f"local/{row.model}"]
    kept = await Answers(client.objects).find(row.input_hash)
    assert kept is not None
    assert isinstance(kept.result, EmbeddingsResult)
    assert (kept.job.job_id, kept.result.vectors[0], kept.ending.usage.prompt_tokens) == (
        row.job_id,
        found.vector.tobytes(),
        row.prompt_tokens,
    )


async def test_a_model_that_is_named_is_no_other_question(client: Connected) -> None:
    """Where the route gives the same model anyway, its answer is there already."""
    [first] = await client.ai.embed(the_same(), TEST)
    [again] = await client.ai.embed(the_same(), TEST, model=first.model)
    assert (again.cache, again.model, client.provider.calls) == ("exact_hit", first.model, 1)


async def test_an_input_need_not_be_kept(client: Connected) -> None:
    """The answer is shared all the same, and no row names an input that is not there."""
    await client.ai.embed(the_same(), msgspec.structs.replace(TEST, keep_input=False))
    await client.ai.embed(the_same(), TEST)
    _, recorded = await client.rows()
    assert [row.input_ref for row in recorded] == [None, None]
    assert [row.cache for row in recorded] == ["miss", "exact_hit"]
    assert [facts.key async for facts in client.objects.list("ai/")] == [answer_key(recorded[0].input_hash)]


@pytest.mark.parametrize("body", [b"", b"not json", b"{}", b"\xff\xfe"])
async def test_a_broken_object_is_written_over(client: Connected, body: bytes) -> None:
    """An answer that cannot be read is as good as none."""
    await client.ai.embed(the_same(), TEST)
    _, [row] = await client.rows()
    await client.objects.put(answer_key(row.input_hash), body)
    answers = Answers(client.objects)
    assert await answers.find(row.input_hash) is None
    await answers.keep(row.input_hash, _answer())
    assert await answers.find(row.input_hash) == _answer()


async def test_a_start_whose_answer_was_kept_is_closed_from_it(client: Connected) -> None:
    """Killed after keeping and before recording: the row is the one the attempt would have written."""
    await client.ai.embed(the_same(), TEST)
    [started], [recorded] = await client.rows()
    closed = await closing(client.objects, started, recorded.recorded_at)
    assert closed == recorded


async def test_a_start_without_an_answer_is_unknown(client: Connected) -> None:
    """Neither success nor failure, and what it used is null; only that this machine costs nothing is known."""
    closed = await closing(client.objects, _started(), LATER)
    assert (closed.outcome, closed.recorded_at, closed.output_ref) == ("unknown", LATER, None)
    assert (closed.prompt_tokens, closed.completion_tokens, closed.latency_ms) == (None, None, None)
    assert closed.cost_pico_usd == 0
    elsewhere = await closing(client.objects, msgspec.structs.replace(_started(), provider="cloudflare"), LATER)
    assert elsewhere.cost_pico_usd is None


async def test_an_answer_of_another_attempt_closes_nothing(client: Connected) -> None:
    """It was paid for under another row: what became of this one nobody knows."""
    await client.ai.embed(the_same(), TEST)
    [started], _ = await client.rows()
    later = msgspec.structs.replace(started, attempt=2)
    assert (await closing(client.objects, later, LATER)).outcome == "unknown"


async def test_a_step_that_was_never_recorded_is_unknown(client: Connected) -> None:
    """A step's input hash is its own business: whatever it is, it is no path into the store."""
    for input_hash in ("", "../audio", "0" * 64):
        started = msgspec.structs.replace(_started(), input_hash=input_hash)
        assert (await closing(client.objects, started, LATER)).outcome == "unknown"


async def test_an_attempt_killed_before_its_end_finds_its_own_answer(client: Connected) -> None:
    """Asked again under the same identity it is no hit: the row says what the attempt was paid for."""
    await client.ai.embed(the_same(), TEST)
    [started], [first] = await client.rows()
    again = [dataclasses.replace(text, job_id=started.job_id) for text in the_same()]
    [found] = await client.ai.embed(again, TEST)
    _, [_, second] = await client.rows()
    assert found.cache == "miss"
    assert msgspec.structs.replace(second, recorded_at=first.recorded_at) == first
    assert client.provider.calls == 1


def _answer() -> KeptAnswer:
    return KeptAnswer(
        job=Job.of(_started()),
        result=ChatResult(text="words"),
        ending=Ending(latency_ms=1.0),
        started_at=LATER,
    )


def _started() -> JobStarted:
    return JobStarted(
        job_id=JobId("j-1"),
        attempt=1,
        type="embeddings",
        feature="test",
        subject="track:1",
        provider="local",
        model="m@1",
        gateway=None,
        input_hash=QUESTION.input_hash,
        input_ref=None,
        started_at=LATER,
    )
