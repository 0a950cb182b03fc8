"""The command `tonetouch ai-check`: one small call for each task, through the client that the services use.

It asks what the routing table would ask, is paced and accounted like any call, and costs what it costs. Nothing comes
out of a cache, so that a second check is a check too.
"""

import asyncio
import io
import math
import os
import struct
import wave
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
from PIL import Image, ImageDraw
from rich.table import Table

from tonetouch_contracts.job import JobRecorded
from tonetouch_deploy.composing import service_environment
from tonetouch_deploy.ledger_showing import UNKNOWN, Column, count, dollars, milliseconds, table, text
from tonetouch_deploy.run_record import run_record
from tonetouch_deploy.settings import CannotStartError, read_settings
from tonetouch_runtime import Bus, Log, Objects, SystemClock, TonetouchError
from tonetouch_runtime import Settings as RuntimeSettings
from tonetouch_runtime.ai import AIUnavailable, Whose
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect
from tonetouch_runtime.ai.local.writing import Pattern
from tonetouch_runtime.ai.local.written import Fact
from tonetouch_runtime.ai.tasks import (
    Chat,
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    ImageDescription,
    ImageDescriptionResult,
    ImageGeneration,
    ImageGenerationResult,
    Message,
    Moderation,
    ModerationResult,
    Request,
    Rerank,
    RerankResult,
    Result,
    Speech,
    SpeechResult,
    Transcription,
    TranscriptionResult,
    Translation,
    TranslationResult,
)

FEATURE = "ai-check"
_CONNECT_SECONDS = 5.0
_SPOKEN = "Every track has a story."
_FACT = Fact(id="F1", name="name", value="Tone Touch Music")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How the call for one task ended: with an answer, for want of a setting, or with a failure."""

    task: str
    answer: str = ""
    missing: str = ""
    failure: str = ""
    job: JobRecorded | None = None


class Answers(msgspec.Struct):
    """What came back so far, where a later question is about it."""

    recording: SpeechResult | None = None


async def check_ai(ai: AIClient, log: Log, clock: SystemClock) -> AsyncIterator[Check]:
    """Ask one question of every task, one after the other. What goes wrong with a call is what is told of it."""
    answers = Answers()
    for question in _QUESTIONS:
        yield await _check(ai, log, clock, question(answers), answers)


async def all_checks(settings: RuntimeSettings) -> list[Check]:
    """Check an installation. Raises CannotStartError where it does not run, Misconfigured where a setting is wrong."""
    async with connected(settings) as (ai, log, clock):
        return [check async for check in check_ai(ai, log, clock)]


@asynccontextmanager
async def connected(settings: RuntimeSettings) -> AsyncIterator[tuple[AIClient, Log, SystemClock]]:
    """The client as a service has it. Raises CannotStartError where there is no bus."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        try:
            bus = await asyncio.wait_for(Bus.connect(settings.nats_url, FEATURE), _CONNECT_SECONDS)
        except TimeoutError:
            raise CannotStartError(
                f"There is no bus at {settings.nats_url}; start everything with `uv run just up`."
            ) from None
        stack.push_async_callback(bus.close)
        objects = Objects(settings.object_store)
        stack.push_async_callback(objects.close)
        log = Log(bus, clock, service=FEATURE, settle_seconds=settings.settle_seconds)
        upstream = connect(settings, bus=bus, log=log, clock=clock)
        ai = AIClient(service=FEATURE, bus=bus, log=log, objects=objects, clock=clock, upstream=upstream)
        stack.push_async_callback(ai.close)
        yield ai, log, clock


def installation() -> RuntimeSettings:
    """The settings of the installation that `TONETOUCH_*` names, else of the one that `up` started.

    Raises CannotStartError where nothing was started.
    """
    own = read_settings()
    if any(name in os.environ for name in ("TONETOUCH_NATS_URL", "TONETOUCH_S3_ENDPOINT")):
        return RuntimeSettings()
    environment = service_environment(own, run_record(own.data_folder).ports)
    ours = {name: value for name, value in environment.items() if name.startswith("TONETOUCH_")}
    said: dict[str, Any] = {name.removeprefix("TONETOUCH_").lower(): value for name, value in ours.items()}
    return RuntimeSettings(**{name: value for name, value in said.items() if name in RuntimeSettings.model_fields})


def check_table(checks: Iterable[Check]) -> Table:
    """What came back for each task, from where, what was used and what it cost."""
    rows = [{"check": check, "outcome": "failed" if check.failure else None} for check in checks]
    columns = [
        Column("task", lambda row: row["check"].task, right=False),
        Column("target", lambda row: _target(row["check"]), right=False),
        Column("what came back", lambda row: text(_came_back(row["check"])), right=False),
        Column("used", lambda row: _used(row["check"].job), right=False),
        Column("cost", lambda row: dollars(_cost(row["check"].job))),
        Column("took", lambda row: milliseconds(row["check"].job and row["check"].job.latency_ms)),
    ]
    return table("one small call for each task", columns, rows)


def waiting_for(checks: Iterable[Check]) -> dict[str, list[str]]:
    """What would have to be set for targets that were passed over, and those targets by name."""
    ways: dict[str, list[str]] = {}
    for check in checks:
        for one in check.job.considered if check.job else ():
            if one.passed_over.startswith("set "):
                ways.setdefault(one.passed_over, []).append(one.target)
    return ways


async def _check(ai: AIClient, log: Log, clock: SystemClock, question: Request[Any], answers: Answers) -> Check:
    task, job_id = question.task(), clock.new_id()
    whose = Whose(feature=FEATURE, subject=FEATURE, job_id=job_id, purpose="evaluate", share=False)
    try:
        answered = await ai.ask(question, whose)
    except AIUnavailable as error:
        return Check(task=task, missing=error.setting)
    except TonetouchError as error:
        return Check(task=task, failure=str(error), job=await _recorded(log, job_id))
    if isinstance(answered.result, SpeechResult):
        answers.recording = answered.result
    return Check(task=task, answer=_in_words(answered.result), job=await _recorded(log, job_id))


async def _recorded(log: Log, job_id: str) -> JobRecorded | None:
    """The end of the job, from the log itself: the ledger's table may be a moment behind."""
    facts = [fact.event for fact in await log.history("AI", job_id)]
    return next((event for event in reversed(facts) if isinstance(event, JobRecorded)), None)


def _heard(recording: SpeechResult | None) -> Transcription:
    """The recording that was just made, so that its words are known; else a tone."""
    if recording is not None:
        return Transcription(audio=recording.audio, media_type=recording.media_type, language="en")
    return Transcription(audio=_tone(), media_type="audio/wav", language="en")


def _tone(hertz: float = 440.0, rate: int = 16_000) -> bytes:
    """One second of a sine as WAV."""
    samples = (round(8_000 * math.sin(2 * math.pi * hertz * index / rate)) for index in range(rate))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


def _picture() -> bytes:
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((48, 48, 208, 208), fill="red")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


_QUESTIONS: tuple[Callable[[Answers], Request[Any]], ...] = (
    lambda _: Chat(
        messages=(Message(role="user", content="Greet Tone Touch Music in at most five words."),),
        max_tokens=64,
        # An embedded writer reads no prose: it says what is to be said of facts.
        facts=(_FACT,),
        template=((Pattern("Hello, {name}.", needs=("name",)),),),
    ),
    lambda _: Embeddings(texts=("a slow sad piano piece",)),
    lambda _: Rerank(query="sad piano", passages=("a fast happy march", "a slow sad piano piece")),
    lambda _: Moderation(text="What a lovely song."),
    lambda _: Translation(text="The music is beautiful.", source="en", target="de"),
    lambda _: Speech(text=_SPOKEN, encoding="wav"),
    lambda answers: _heard(answers.recording),
    lambda _: ImageDescription(image=_picture(), facts=(("shows", "a red circle"),)),
    lambda _: ImageGeneration(prompt="A red circle on white ground."),
)


def _in_words(result: Result) -> str:
    """What came back, short enough for one line."""
    match result:
        case ChatResult(text=text) | TranslationResult(text=text) | ImageDescriptionResult(text=text):
            return text or "(nothing)"
        case TranscriptionResult(text=text):
            return f"{text or '(nothing)'} (said: {_SPOKEN})"
        case EmbeddingsResult(vectors=vectors):
            return f"{len(vectors)} vector of {len(vectors[0]) // 4} dimensions"
        case RerankResult(ranked=ranked):
            return ", ".join(f"passage {one.index + 1}: {one.score:.3f}" for one in ranked)
        case ModerationResult(safe=safe, categories=categories):
            return "safe" if safe else f"not safe: {', '.join(categories)}"
        case SpeechResult(audio=body, media_type=kind) | ImageGenerationResult(image=body, media_type=kind):
            return f"{len(body):,} bytes of {kind}"
    return type(result).__name__


def _came_back(check: Check) -> str:
    # Why each target was passed over is in the ledger; here it would be a page.
    return check.answer or check.failure or f"No model answers: {check.missing.partition(' Passed over:')[0]}"


def _target(check: Check) -> str:
    job = check.job
    return UNKNOWN if job is None or job.target is None else text(job.target)


def _used(job: JobRecorded | None) -> str:
    if job is None or not job.quantities:
        return UNKNOWN
    said = (f"{count(one.amount)} {one.unit.replace('_', ' ')} {one.direction}" for one in job.quantities)
    return ", ".join(said) + (f" ({job.usage_source})" if job.usage_source != "reported" else "")


def _cost(job: JobRecorded | None) -> Decimal | None:
    cost = job.cost_pico_usd if job is not None else None
    return None if cost is None else Decimal(cost).scaleb(-12)
