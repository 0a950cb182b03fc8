"""The exact body of each model of Workers AI, and answers that are none."""

import base64
from typing import Any

import httpx
import msgspec
import pytest

from tests.runtime.ai.providers.doors import REQUESTS, answering, target
from tonetouch_runtime.ai.errors import AIInputRefused, ProviderFailed
from tonetouch_runtime.ai.providers import workers_ai
from tonetouch_runtime.ai.tasks import (
    AITask,
    AnyRequest,
    Chat,
    Embeddings,
    ImageDescription,
    Message,
    Moderation,
    ModerationResult,
    Rerank,
    Speech,
    Transcription,
    Translation,
)

SCHEMA = msgspec.Raw(b'{"type":"object","required":["year"]}')
SPOKEN = Chat(messages=(Message("user", "When?"), Message("assistant", "1994."), Message("user", "Sure?")))


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (Embeddings(texts=("a", "b")), {"text": ["a", "b"], "truncate_inputs": False}),
        (
            Rerank(query="q", passages=("a", "b"), top=1),
            {"query": "q", "contexts": [{"text": "a"}, {"text": "b"}], "top_k": 1},
        ),
        (
            Moderation(text="a"),
            {
                "messages": [{"role": "user", "content": "a"}],
                "max_tokens": 256,
                "temperature": 0.0,
                "response_format": {"type": "json_object"},
            },
        ),
        (
            ImageDescription(image=b"\x00\x7f\xff", prompt="What is it?"),
            {"image": [0, 127, 255], "prompt": "What is it?", "max_tokens": 512},
        ),
        (Translation(text="a", source="en", target="fr"), {"text": "a", "source_lang": "en", "target_lang": "fr"}),
        (
            Transcription(audio=b"abc", media_type="audio/mpeg", language="de", hint="trip hop"),
            {"audio": "YWJj", "task": "transcribe", "language": "de", "initial_prompt": "trip hop"},
        ),
        (Speech(text="a", voice="luna"), {"text": "a", "speaker": "luna", "encoding": "mp3"}),
        (Speech(text="a", encoding="wav"), {"text": "a", "encoding": "linear16", "container": "wav"}),
        (REQUESTS["image_generation"], {"prompt": "a blue square", "steps": 4}),
        (
            msgspec.structs.replace(SPOKEN, context="C", instructions="I", temperature=0.5, seed=7, schema=SCHEMA),
            {
                "messages": [
                    {"role": "system", "content": "C\n\nI"},
                    {"role": "user", "content": "When?"},
                    {"role": "assistant", "content": "1994."},
                    {"role": "user", "content": "Sure?"},
                ],
                "max_tokens": 1024,
                "temperature": 0.5,
                "seed": 7,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"type": "object", "required": ["year"]},
                },
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bodies(request_: AnyRequest, body: dict[str, Any]) -> None:
    """Nothing more and nothing less than the model's schema names."""
    assert msgspec.json.decode(msgspec.json.encode(workers_ai.body(request_))) == body


def test_seeds_fit_into_their_range() -> None:
    """Any seed becomes one the model takes, the same one each time."""
    for seed in (0, -1, 10**12, 9_999_999_999, 1):
        sent = workers_ai.body(msgspec.structs.replace(SPOKEN, seed=seed))["seed"]
        assert isinstance(sent, int)
        assert 1 <= sent <= 9_999_999_999


def test_one_context_is_one_machine() -> None:
    """The mark of a context is its hash: equal for equal contexts, and nothing can be read from it."""
    one = workers_ai.affinity(msgspec.structs.replace(SPOKEN, context="a secret"))
    two = workers_ai.affinity(Chat(messages=(Message("user", "Other."),), context="a secret"))
    assert one == two
    assert "secret" not in str(one)
    assert workers_ai.affinity(SPOKEN) == {}


@pytest.mark.parametrize(
    "request_",
    [
        Embeddings(texts=()),
        Rerank(query="", passages=("a",)),
        Rerank(query="q", passages=()),
        Moderation(text="a" * 131_073),
        Translation(text="", source="en", target="fr"),
        Speech(text="  "),
        Chat(messages=()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_schema_lets_through(request_: AnyRequest) -> None:
    """It is refused before anybody is asked."""
    with pytest.raises(AIInputRefused):
        workers_ai.body(request_)


async def answered(task: AITask, result: object) -> object:
    body = msgspec.json.encode({"result": result, "success": True, "errors": [], "messages": []})
    headers = {"content-type": "application/json"}
    provider = answering("cloudflare", lambda _: httpx.Response(200, headers=headers, content=body))
    return (await provider.call(target("cloudflare", task), REQUESTS[task])).result


@pytest.mark.parametrize(
    ("verdict", "safe", "categories"),
    [
        ("safe", True, ()),
        ("\n\nsafe", True, ()),
        ("unsafe\nS1,S10", False, ("S1", "S10")),
        ("unsafe\ns2, s14", False, ("S2", "S14")),
        ("unsafe", False, ()),
        ({"safe": False, "categories": ["S9", "nonsense", 4]}, False, ("S9",)),
        ({"safe": True}, True, ()),
        ({"safe": True, "categories": None}, True, ()),
    ],
)
async def test_verdicts(verdict: object, safe: bool, categories: tuple[str, ...]) -> None:
    """A verdict comes as a text or as an object."""
    assert await answered("moderation", {"response": verdict}) == ModerationResult(safe=safe, categories=categories)


@pytest.mark.parametrize(
    ("task", "result"),
    [
        ("moderation", {"response": "I would rather not say."}),
        ("moderation", {"response": ""}),
        ("moderation", {"response": {"safe": "yes"}}),
        ("moderation", {"response": None}),
        ("chat", {"text": "Yes."}),
        ("chat", None),
        ("chat", "Yes."),
        ("embeddings", {"data": [[0.1, 0.2]]}),
        ("embeddings", {"data": [[0.1], [0.1, 0.2]]}),
        ("embeddings", {"data": [["a"], ["b"]]}),
        ("embeddings", {"data": [[], []]}),
        ("embeddings", {"data": [[1e300], [0.1]]}),
        ("embeddings", {"response": [{"id": 0, "score": 1}, {"id": 1, "score": 2}]}),
        ("rerank", {"response": [{"id": 0, "score": 0.5}, {"id": 2, "score": 0.5}]}),
        ("rerank", {"response": [{"id": 0, "score": 0.5}, {"id": 1}]}),
        ("rerank", {"response": [{"id": True, "score": 0.5}, {"id": 0, "score": 0.5}]}),
        ("image_description", {"description": None}),
        ("translation", {"translation": "Bonjour"}),
        ("transcription", {"segments": []}),
        ("speech", {"audio": "AAAA"}),
        ("image_generation", {"image": "not base64!"}),
        ("image_generation", {"image": base64.b64encode(b"no picture").decode()}),
    ],
)
async def test_answers_that_are_none(task: AITask, result: object) -> None:
    """JSON of another shape is nonsense that says what was missing."""
    with pytest.raises(ProviderFailed, match="cloudflare: ") as raised:
        await answered(task, result)
    assert (raised.value.failure, raised.value.http_status) == ("nonsense", 200)


async def test_a_refusal_with_a_good_status() -> None:
    """An envelope that says no is a refusal, whatever the status."""
    body = b'{"result":null,"success":false,"errors":[{"code":3040,"message":"busy"}],"messages":[]}'
    headers = {"content-type": "application/json"}
    provider = answering("cloudflare", lambda _: httpx.Response(200, headers=headers, content=body))
    with pytest.raises(ProviderFailed) as raised:
        await provider.call(target("cloudflare", "chat"), REQUESTS["chat"])
    assert raised.value.failure == "out_of_capacity"
