"""Workers AI answers each of its models in the model's own form."""

import base64
import io

import numpy as np
from PIL import Image

from tests.cloud import Account, media
from tests.cloud.callers import CHAT, cloudflare, events, http, run
from tests.cloud.models import AURA, BGE_M3, FLUX, LLAMA, LLAMA_GUARD, LLAVA, M2M100, RERANKER, WHISPER


def test_an_answer_comes_in_an_envelope(cloud: Account) -> None:
    """Result, success, errors and messages, and the id of the request in a header."""
    response = run(cloud, LLAMA, CHAT)
    assert response.status_code == 200
    assert response.headers["cf-ai-req-id"] == cloud.calls()[0].request_id
    assert (response.json()["success"], response.json()["errors"], response.json()["messages"]) == (True, [], [])


def test_texts_become_unit_vectors_of_1024(cloud: Account) -> None:
    """In the order of the texts, the same for the same text, and with their shape beside them."""
    result = run(cloud, BGE_M3, {"text": ["one", "two", "one"]}).json()["result"]
    rows = np.array(result["data"])
    assert result["shape"] == [3, 1024]
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3)
    assert (rows[0] == rows[2]).all()
    assert not np.allclose(rows[0], rows[1])


def test_a_query_with_contexts_is_scored(cloud: Account) -> None:
    """The second shape: an id and a score for every context."""
    body = {"query": "slow trip hop", "contexts": [{"text": "a polka"}, {"text": "slow and dark trip hop"}]}
    scored = run(cloud, BGE_M3, body).json()["result"]["response"]
    assert [one["id"] for one in scored] == [1, 0]


def test_contexts_alone_become_vectors_under_response(cloud: Account) -> None:
    """The third shape has its vectors elsewhere."""
    result = run(cloud, BGE_M3, {"contexts": [{"text": "one"}, {"text": "two"}]}).json()["result"]
    assert "data" not in result
    assert np.array(result["response"]).shape == (2, 1024)


def test_the_reranker_gives_the_best_first_and_no_more_than_asked(cloud: Account) -> None:
    """`top_k` bounds the answer."""
    contexts = [{"text": "rain"}, {"text": "night drive"}, {"text": "a drive in the night rain"}]
    result = run(cloud, RERANKER, {"query": "night rain drive", "contexts": contexts, "top_k": 2}).json()["result"]
    assert [one["id"] for one in result["response"]] == [2, 1]


def test_llama_guard_says_it_in_words_or_in_json(cloud: Account) -> None:
    """``unsafe`` and a line of categories, or an object."""
    asked = {"messages": [{"role": "user", "content": "I will kill you"}]}
    assert run(cloud, LLAMA_GUARD, asked).json()["result"]["response"] == "unsafe\nS1"
    as_json = run(cloud, LLAMA_GUARD, asked | {"response_format": {"type": "json_object"}}).json()["result"]
    assert as_json["response"] == {"safe": False, "categories": ["S1"]}
    assert as_json["usage"]["prompt_tokens"] == 4 + 4
    harmless = {"messages": [{"role": "user", "content": "What a song"}]}
    assert run(cloud, LLAMA_GUARD, harmless).json()["result"]["response"] == "safe"


def test_llava_takes_the_picture_itself_or_its_bytes_as_numbers(cloud: Account) -> None:
    """Both forms see the same picture."""
    picture = media.jpeg("cover")
    url = f"{cloud.api_url}/accounts/{cloud.id}/ai/run/{LLAVA}"
    raw = http().post(url, content=picture, headers={"authorization": f"Bearer {cloud.token}"})
    numbers = run(cloud, LLAVA, {"image": list(picture), "prompt": "Describe it."})
    assert raw.json()["result"]["description"] == numbers.json()["result"]["description"] != ""


def test_m2m100_translates_into_the_language_asked_for(cloud: Account) -> None:
    """The simulator only names the language."""
    result = run(cloud, M2M100, {"text": "bonjour", "source_lang": "fr", "target_lang": "en"}).json()["result"]
    assert result == {"translated_text": "[en] bonjour"}


def test_whisper_hears_base64_and_tells_how_long_it_was(cloud: Account) -> None:
    """A recording of two seconds has its words spread over them."""
    recording = media.wav("x" * 30)
    result = run(cloud, WHISPER, {"audio": base64.b64encode(recording).decode(), "language": "de"}).json()["result"]
    assert result["transcription_info"]["duration"] == 2.0
    assert result["transcription_info"]["language"] == "de"
    assert result["word_count"] == len(result["segments"][0]["words"]) == len(result["text"].split())
    assert result["segments"][0]["words"][-1]["end"] == 2.0
    assert result["vtt"].startswith("WEBVTT")
    assert cloud.charged(WHISPER).audio_milliseconds == 2000


def test_flux_gives_a_picture_in_base64_that_depends_on_the_prompt_alone(cloud: Account) -> None:
    """A JPEG of 1024 by 1024: four tiles and four steps."""
    first, again, other = (
        run(cloud, FLUX, {"prompt": prompt}).json()["result"]["image"] for prompt in ("sea", "sea", "wood")
    )
    with Image.open(io.BytesIO(base64.b64decode(first))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1024, 1024))
    assert first == again != other
    assert cloud.calls(FLUX)[0].charged.micro_neurons == 57_600_000


def test_aura_answers_with_the_recording_itself(cloud: Account) -> None:
    """No envelope: MP3 unless linear16 was asked for, charged by the character."""
    mp3 = run(cloud, AURA, {"text": "Good evening."})
    wav = run(cloud, AURA, {"text": "Good evening.", "encoding": "linear16", "container": "wav"})
    assert (mp3.headers["content-type"], mp3.content[:2]) == ("audio/mpeg", b"\xff\xf3")
    assert (wav.headers["content-type"], wav.content[:4]) == ("audio/wav", b"RIFF")
    assert cloud.charged(AURA).characters == 26


def test_a_chat_is_cut_after_256_tokens_unless_more_are_asked_for(cloud: Account) -> None:
    """Without an error: only the length tells."""
    cloud.plan(LLAMA, "word " * 1000)
    short = run(cloud, LLAMA, CHAT).json()["result"]
    long = run(cloud, LLAMA, CHAT | {"max_tokens": 2000}).json()["result"]
    assert (short["usage"]["completion_tokens"], long["usage"]["completion_tokens"]) == (256, 1250)


def test_a_native_stream_ends_with_its_usage_and_done(cloud: Account) -> None:
    """Each chunk is padded by a length without meaning."""
    response = run(cloud, LLAMA, CHAT | {"stream": True})
    *chunks, usage, done = events(response.text)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert done == "[DONE]"
    assert all(chunk["p"] for chunk in chunks)
    assert len({len(chunk["p"]) for chunk in chunks}) > 1
    said = "".join(chunk["response"] for chunk in chunks)
    assert said == run(cloud, LLAMA, CHAT).json()["result"]["response"]
    assert usage["usage"]["total_tokens"] == cloud.calls()[0].charged.prompt_tokens + -(-len(said) // 4)


def test_a_token_of_a_stream_may_be_a_number(cloud: Account) -> None:
    """What looks like JSON is sent as JSON; together it is the text all the same."""
    cloud.plan(LLAMA, "In 1994, on 2 discs, 007.")
    said = [one["response"] for one in events(run(cloud, LLAMA, CHAT | {"stream": True}).text)[:-2]]
    assert [one for one in said if isinstance(one, int)] == [1994, 2]
    assert "".join(map(str, said)) == "In 1994, on 2 discs, 007."


def test_json_mode_wants_the_bare_schema_and_gives_an_object(cloud: Account) -> None:
    """`response` is no text then."""
    schema = {"type": "object", "properties": {"mood": {"enum": ["calm", "wild"]}}, "required": ["mood"]}
    asked = CHAT | {"response_format": {"type": "json_schema", "json_schema": schema}}
    assert run(cloud, LLAMA, asked).json()["result"]["response"] == {"mood": "calm"}


def test_a_session_reads_its_prefix_from_the_cache(cloud: Account) -> None:
    """Only with the header, and only what is whole steps of 128 tokens."""
    asked = {"messages": [{"role": "system", "content": "f" * 4000}, *CHAT["messages"]]}
    without = run(cloud, LLAMA, asked).json()["result"]["usage"]
    cold, warm = (
        run(cloud, LLAMA, asked, **{"x-session-affinity": "artist-1"}).json()["result"]["usage"] for _ in range(2)
    )
    other = run(cloud, LLAMA, asked, **{"x-session-affinity": "artist-2"}).json()["result"]["usage"]
    assert "prompt_tokens_details" not in without
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in (cold, warm, other)]
    assert cached == [0, 896, 0]


def test_the_openai_endpoints_answer_without_an_envelope(cloud: Account) -> None:
    """Chat and embeddings in OpenAI's form."""
    chat = cloudflare(cloud, "v1/chat/completions", {"model": LLAMA, **CHAT}).json()
    embedded = cloudflare(cloud, "v1/embeddings", {"model": BGE_M3, "input": ["one", "two"]}).json()
    assert chat["choices"][0]["message"]["content"] == run(cloud, LLAMA, CHAT).json()["result"]["response"]
    assert chat["usage"]["prompt_tokens"] == cloud.calls(LLAMA)[0].charged.prompt_tokens
    assert [one["index"] for one in embedded["data"]] == [0, 1]
    assert embedded["data"][0]["embedding"] == run(cloud, BGE_M3, {"text": "one"}).json()["result"]["data"][0]


def test_model_and_input_may_stand_in_the_body(cloud: Account) -> None:
    """The newer form gives the same answer."""
    enveloped = cloudflare(cloud, "run", {"model": LLAMA, "input": CHAT}).json()
    assert enveloped["result"]["response"] == run(cloud, LLAMA, CHAT).json()["result"]["response"]


def test_messages_in_anthropics_form_are_paid_with_the_accounts_credit(cloud: Account) -> None:
    """No key of Anthropic's is needed on Cloudflare's host."""
    body = {"model": "anthropic/claude-sonnet-5", "max_tokens": 20, "messages": CHAT["messages"]}
    answer = cloudflare(cloud, "v1/messages", body).json()
    assert (answer["type"], answer["model"]) == ("message", "claude-sonnet-5")
