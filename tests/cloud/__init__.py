"""A strict simulator of Workers AI, AI Gateway, Vectorize and the model providers behind them.

It refuses what the documented schemas refuse, counts what it answers, and does nothing by chance. Everything happens on
loopback.

Fixtures (`tests/cloud/fixtures.py`; `cloud` is known in every tests folder)::

    cloud: Account             an account of its own for this test, on the one simulator of the run
    cloud_simulator: Simulator the simulator itself (session): `cloud_simulator.account()` makes more accounts

Without pytest::

    with simulator() as running:             # a thread of this process; `port=0` takes a free one
        account = running.account()
    with launched(tmp_path) as process:      # `python -m tests.cloud` as a process of its own; ends with the block
        process.counts(); process.charged(); process.calls(); process.advance(300)

Account: where it is and how to get in
    `id`, `token` (Workers AI, gateway and Vectorize), `gateway` ("main": authenticated, cache off)
    `anthropic_key`, `openai_key`, `gemini_key`, `deepseek_key`: both behind the gateway and direct
    `api_url`        -> setting cloudflare_api_url      POST {api_url}/accounts/{id}/ai/run/{model} ...
    `gateway_url`    -> setting cloudflare_gateway_url  POST {gateway_url}/{id}/{gateway}/anthropic/v1/messages ...
    `anthropic_url`  direct: + /v1/messages
    `openai_url`     direct, ends in /v1: + /chat/completions, /embeddings, /audio/speech, /audio/transcriptions
    `gemini_url`     direct, ends in /v1beta: + /models/{model}:generateContent, :streamGenerateContent?alt=sse
    `deepseek_url`   direct: + /chat/completions

Account: what a test can change (models by their name at the provider, "*" for all of them)
    clock            `now()`, `advance(seconds)`, `freeze()`, `resume()`, `set(datetime)`: prompt caches, gateway cache,
                     minute windows and the day of the neurons all go by it
    `limit(model, per_minute, *, window="sliding" | "fixed", says_retry_after=True)`; `unlimit(model="*")`
                     the documented limits of Workers AI hold from the start (text generation 300, embeddings 3,000 ...)
    `slow(model, seconds, *, per_chunk=0.0)`
    `fail(model, Fault(...), *, times=1, after=0)`      the next `times` requests after `after` good ones
    `recover(model)`                        what was planned to fail does not
    `plan(model, answer, *, times=None)`    the exact answer: a str (chat, translation, transcription, description,
                     moderation such as "unsafe\\nS1") or a function of the `Prompt`; None `times` means for ever
    `free_neurons`   None on a paid plan; a number makes 3036 true for the rest of the UTC day
    `body_limit_bytes`, `log_delay_seconds`, `write_delay_seconds` (Vectorize)
    `limit`, `fail` with "vectorize" for the model: `status`, `retry_after`, `html`, `nonsense`, `delay_seconds`; with
                     `abrupt` the work is done and the answer lost
    `indexes.absent_is_unequal`, `indexes.requests` (Vectorize): see `tests/cloud/indexes.py`
    `add_gateway(name, **settings)`, `know(Model(...))` for a model the simulator has not heard of

Fault(status=, code=, message=, retry_after=, without_usage=, cut_after=, abrupt=, content_type=, html=, nonsense=,
      duplicate_ids=, missing=, plain_json=, torn=, delay_seconds=)
    `status` with `code`: 429 with 3040 or 3036, 500, 529 ...; the body is in the form of the provider that was asked.
    `cut_after=n`: a stream ends after n chunks without its end; `abrupt=True`: the connection breaks there, also
    without a stream. `plain_json`: a JSON document although a stream was asked for. `nonsense`: JSON of another shape.
    `torn`: the chunks of a stream end within lines and characters; the bytes are the same.
    `duplicate_ids`: request ids and places in a list come again. `missing=n`: the last n vectors or scores are gone.

Account: what it answered
    `calls(model=None)` -> list[Call]: number, at, provider, model, task, surface, status, error, streamed, texts,
        charged, request_id, log_id, gateway_cache, metadata, fault, outcome ("answered", "refused", "cut", "left"),
        superseded (a failed try that the gateway repeated itself)
    `counts()` -> {model: Counts(calls, answered, refused, texts, charged)}
    `charged(model=None)` -> Charged: prompt_tokens (all input), cached_tokens, cache_write_5m_tokens,
        cache_write_1h_tokens, completion_tokens, characters, audio_milliseconds, images, tiles, steps,
        micro_neurons
    `busiest(model, seconds=60.0)` -> the most requests let in within any window of that length
    `batches(model)` -> texts of each embeddings request

Rules of its own (nobody documents them)
    A token is 4 bytes of UTF-8, rounded up (`tokens_of`); a prompt is its texts joined by one newline, and 4 tokens for
    each message. A stream is charged in full once it has begun, even to a reader who leaves; a cut one up to the cut.
    Embeddings are unit vectors of 1024 numbers from a hash of the text. A chat that finds facts, lines such as
    ``[F1] The album came out in 1994.``, answers one sentence a fact, ``The album came out in 1994. [F1]``; with a JSON
    schema it answers JSON that satisfies it (objects with a text and a list of facts get one item a fact).
    Prompt caches: Anthropic as documented (marks, minimum by model, 20 blocks back, 5 minutes or an hour from the last
    hit). OpenAI 128-token steps from 1,024 on, 5 minutes (a day with `prompt_cache_retention`); Gemini the same, from
    its own minimum on; DeepSeek steps of 64, 4 hours; Workers AI steps of 128 in an `x-session-affinity`, 5 minutes.
    What a request writes can be read from the moment its answer begins.
    Codes that are not documented, so do not rely on the numbers: 971 (429, limit a minute), 5012 (400, window), at the
    gateway 2000 (header), 2001 (no such gateway), 2003 (429), 2008 (provider), in logs 7001 and 7002, Vectorize 40000.
    A request in which no question was found (no JSON, unknown path, the gateway's refusal) is in the record as model
    "unknown".
    A frozen clock stands still for Vectorize too: advance it by `write_delay_seconds` (0.2) to see what was written.

Over HTTP (for other processes; JSON): GET /_simulator/accounts; POST /_simulator/accounts; and below
/_simulator/accounts/{id}: GET counts, charged, calls; POST clock {"advance_seconds"}, limits, latencies, faults, plans,
reset. `python -m tests.cloud --port 0` prints one line of JSON: its URL and an account with all its keys.
"""

from tests.cloud.account import Account
from tests.cloud.faults import Fault
from tests.cloud.models import Model
from tests.cloud.process import CloudProcess, launched
from tests.cloud.record import Call, Charged, Counts
from tests.cloud.serving import Simulator, simulator
from tests.cloud.tokens import tokens_of
from tests.cloud.writing import Prompt

__all__ = [
    "Account",
    "Call",
    "Charged",
    "CloudProcess",
    "Counts",
    "Fault",
    "Model",
    "Prompt",
    "Simulator",
    "launched",
    "simulator",
    "tokens_of",
]
