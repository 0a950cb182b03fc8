"""The AI client: a library in every service, no proxy hop.

Every call is one attempt with one row in the ledger. What was asked before is answered from the object store; what is
being asked right now, here or in another process, is waited for; only the rest reaches a model.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock
from tonetouch_runtime._log import Log
from tonetouch_runtime._objects import Objects
from tonetouch_runtime.ai.accounting import Job, Step, accounted
from tonetouch_runtime.ai.asking import (
    MOST_TEXTS,
    TYPES,
    AITask,
    Embedded,
    Generated,
    Question,
    TextToEmbed,
    canonical,
    digest,
)
from tonetouch_runtime.ai.caching import Answers, input_key
from tonetouch_runtime.ai.calling import Ask, Calls, Landed
from tonetouch_runtime.ai.errors import AIInputRefused
from tonetouch_runtime.ai.flight import LEASE_SECONDS, Leases
from tonetouch_runtime.ai.local import Fact, Template
from tonetouch_runtime.ai.providers import Answer, LocalProvider, Provider


class AIClient:
    """Every call to a model goes through here, and every call is accounted for.

    `share` keeps the answer for everybody who asks the same. What a person wrote or said is never shared: there is no
    object and no lease then, and not even the hash in the ledger tells what was asked. `keep_input` keeps a shared
    input beside its answer. Without a `job_id` a call is a job of its own.

    All calls raise AIUnavailable where a setting must change, AIInputRefused where this input will never be answered,
    Unavailable where the log or the store does not answer. A caller that leaves early cancels nothing: the answer is
    kept for the next one.
    """

    def __init__(
        self,
        *,
        service: str,
        bus: Bus,
        log: Log,
        objects: Objects,
        clock: Clock,
        provider: Provider | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._log = log
        self._clock = clock
        self._provider = provider or LocalProvider()
        leases = Leases(bus, owner=service, seconds=lease_seconds)
        self._calls = Calls(log=log, clock=clock, answers=Answers(objects), leases=leases)

    async def embed(
        self, texts: Sequence[TextToEmbed], *, feature: str, share: bool = True, keep_input: bool = True
    ) -> list[Embedded]:
        """The vectors of texts, in their order. Each text is a job; those not known yet go to the model 25 at a time.

        Where one text fails the call raises; the others are kept and need not be paid for again.
        """
        provider, words = self._provider, [one.text for one in texts]
        asks = [
            self._ask(
                self._question("embed", [digest(_utf8(one.text))], private=not share),
                _Whose(feature=feature, subject=one.subject, job_id=one.job_id, attempt=one.attempt),
                share=share,
                readable={"text": one.text} if keep_input else None,
            )
            for one in texts
        ]
        landed = await self._calls.make(
            asks, lambda wanted: provider.embed([words[number] for number in wanted]), at_most=MOST_TEXTS
        )
        return [_embedded(ask, one) for ask, one in zip(asks, landed, strict=True)]

    async def describe_image(
        self,
        image: bytes,
        facts: Mapping[str, str],
        *,
        feature: str,
        subject: str,
        job_id: str | None = None,
        attempt: int = 1,
        share: bool = True,
        keep_input: bool = True,
    ) -> Generated:
        """Alt text for an image. Of its input the facts are kept and the image's hash, not the image."""
        contents = [await asyncio.to_thread(digest, image), digest(canonical(facts))]
        ask = self._ask(
            self._question("describe_image", contents, private=not share),
            _Whose(feature=feature, subject=subject, job_id=job_id, attempt=attempt),
            share=share,
            readable={"facts": facts} if keep_input else None,
        )
        return await self._generated(ask, lambda: self._provider.describe_image(image, facts))

    async def write(
        self,
        facts: Sequence[Fact],
        template: Template,
        *,
        prompt: str,
        feature: str,
        subject: str,
        job_id: str | None = None,
        attempt: int = 1,
        share: bool = True,
        keep_input: bool = True,
    ) -> Generated:
        """A text from these facts and nothing else. `prompt` names the template as ``name@version``."""
        # A template that was changed without a new version is another question all the same.
        contents = [digest(canonical(facts)), digest(canonical(template))]
        ask = self._ask(
            self._question("write", contents, prompt=prompt, private=not share),
            _Whose(feature=feature, subject=subject, job_id=job_id, attempt=attempt),
            share=share,
            readable={"facts": facts, "template": template} if keep_input else None,
        )
        return await self._generated(ask, lambda: self._provider.write(facts, template))

    def step(
        self,
        *,
        type: str,  # noqa: A002 (the ledger's word)
        feature: str,
        subject: str,
        model: str,
        input_hash: str,
        job_id: str | None = None,
        attempt: int = 1,
    ) -> AbstractAsyncContextManager[Step]:
        """Account a step of work that calls no model as if it were a call; `accounted` says what it promises."""
        whose = _Whose(feature=feature, subject=subject, job_id=job_id, attempt=attempt)
        job = self._job(whose, type=type, provider="local", model=model, gateway=None, input_hash=input_hash)
        return accounted(self._log, self._clock, job)

    def _question(self, task: AITask, contents: list[str], *, prompt: str = "", private: bool) -> Question:
        # A short question can be guessed from its hash, and the ledger is for ever: bytes that nobody keeps prevent it.
        salt = [os.urandom(32).hex()] if private else []
        return Question(task=task, model=self._provider.model(task), prompt=prompt, contents=contents + salt)

    def _ask(self, question: Question, whose: "_Whose", *, share: bool, readable: object) -> Ask:
        provider, input_hash = self._provider, question.input_hash
        keeps_input = share and readable is not None
        job = self._job(
            whose,
            type=TYPES[question.task],
            provider=provider.name,
            model=question.model,
            gateway=provider.gateway,
            input_hash=input_hash,
            input_ref=input_key(input_hash) if keeps_input else None,
        )
        return Ask(job=job, share=share, input_body=question.to_keep(readable) if keeps_input else None)

    def _job(self, whose: "_Whose", **what: Any) -> Job:
        job_id = JobId(whose.job_id or self._clock.new_id())
        return Job(
            job_id=job_id,
            attempt=whose.attempt,
            feature=whose.feature,
            subject=whose.subject,
            **{"input_ref": None, **what},
        )

    async def _generated(self, ask: Ask, call: Callable[[], Answer]) -> Generated:
        [landed] = await self._calls.make([ask], lambda _: [call()])
        return Generated(
            text=landed.answer.text or "", job_id=ask.job.job_id, model=landed.answer.model, cache=landed.cache
        )


class _Whose(msgspec.Struct, frozen=True, kw_only=True):
    """What a call is made for; a job of its own without a `job_id`."""

    feature: str
    subject: str
    job_id: str | None
    attempt: int


def _embedded(ask: Ask, landed: Landed) -> Embedded:
    # NumPy comes with the engines' extra; whoever asks for vectors has it.
    import numpy as np

    vector = np.frombuffer(landed.answer.vector or b"", dtype="<f4")
    return Embedded(
        vector=vector,
        model=landed.answer.model,
        dimension=len(vector),
        job_id=ask.job.job_id,
        cache=landed.cache,
    )


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise AIInputRefused("The text is not valid Unicode.") from None
