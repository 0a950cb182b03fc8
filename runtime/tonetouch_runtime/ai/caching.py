"""Answers that are kept: one object under the input's hash holds what came back and what it used.

The object is written before the ledger is told, so whoever finds a start without an end can look here for the end.
"""

import re

import msgspec
import structlog

from tonetouch_contracts.job import Attempt, JobRecorded, JobStarted
from tonetouch_runtime._object_store import ObjectTooLarge
from tonetouch_runtime._objects import Objects
from tonetouch_runtime.ai.accounting import Ending, Job
from tonetouch_runtime.ai.asking import canonical, digest
from tonetouch_runtime.ai.tasks import AnyResult

MOST_BYTES = 32 << 20
_HASH = re.compile(r"[0-9a-f]{64}")

log = structlog.get_logger()


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answered, and the attempt that was paid for it."""

    job: Job
    result: AnyResult
    ending: Ending
    started_at: str

    def is_of(self, job: Attempt) -> bool:
        """Whether this very attempt was answered so: it may have been killed before it could say so."""
        return (self.job.job_id, self.job.attempt) == (job.job_id, job.attempt)

    def recorded(self, *, output_ref: str | None, recorded_at: str) -> JobRecorded:
        """The row of the attempt that was answered so; it is the same whoever writes it."""
        return self.job.recorded(
            ending=self.ending,
            output_ref=output_ref,
            output_hash=self.output_hash,
            started_at=self.started_at,
            recorded_at=recorded_at,
        )

    @property
    def output_hash(self) -> str:
        """The hash of the result: two attempts with the same one said the same."""
        return digest(canonical(self.result))


class Answers:
    """The answers in the object store, by the hash of what was asked."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def find(self, input_hash: str) -> KeptAnswer | None:
        """The answer to the same question. One that cannot be read is as good as none: it will be written over."""
        key = answer_key(input_hash)
        try:
            body = await self._objects.find(key, max_bytes=MOST_BYTES)
            return None if body is None else msgspec.json.decode(body, type=KeptAnswer)
        except (ObjectTooLarge, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("kept_answer_unreadable", key=key, error=str(error))
            return None

    async def keep(self, input_hash: str, answer: KeptAnswer) -> str:
        """Keep an answer, and say under which key."""
        key = answer_key(input_hash)
        await self._objects.put(key, msgspec.json.encode(answer), "application/json")
        return key

    async def keep_input(self, input_hash: str, body: bytes) -> None:
        """Keep what was asked beside where its answer will be."""
        await self._objects.put(input_key(input_hash), body, "application/json")


def answer_key(input_hash: str) -> str:
    """Where the answer to a question lies."""
    return f"ai/{input_hash}"


def input_key(input_hash: str) -> str:
    """Where the question lies, if it was kept."""
    return f"ai/{input_hash}.input"


async def closing(objects: Objects, started: JobStarted, recorded_at: str) -> JobRecorded:
    """The end of an attempt that was started and never recorded.

    Where its answer was kept, that is how it ended. Anything else is `unknown`, and so is what it used: the provider
    may have been reached. An answer that another attempt was paid for does not count.
    """
    job = Job.of(started)
    kept = await Answers(objects).find(started.input_hash) if _HASH.fullmatch(started.input_hash) else None
    if kept is not None and kept.is_of(job):
        return kept.recorded(output_ref=answer_key(job.input_hash), recorded_at=recorded_at)
    return job.recorded(
        outcome="unknown",
        error_type="Lost",
        error="it was started and its end was never recorded",
        started_at=started.started_at,
        recorded_at=recorded_at,
    )
