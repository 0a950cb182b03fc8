"""The AI client: a library in every service, no proxy hop.

Every call is one attempt with one row in the ledger. What was asked before is answered from the object store; what is
being asked right now, here or in another process, is waited for; only the rest reaches a model.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, TypeVar, cast

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock
from tonetouch_runtime._log import Log
from tonetouch_runtime._objects import Objects
from tonetouch_runtime.ai.accounting import Job, Step, accounted
from tonetouch_runtime.ai.asking import MOST_TEXTS, Answered, Embedded, Question, TextToEmbed, Whose, digest
from tonetouch_runtime.ai.caching import Answers, KeptAnswer, input_key
from tonetouch_runtime.ai.calling import Calls
from tonetouch_runtime.ai.errors import AIInputRefused
from tonetouch_runtime.ai.flights import Ask, Landed
from tonetouch_runtime.ai.leases import LEASE_SECONDS, Leases
from tonetouch_runtime.ai.replaying import WouldBill, is_only_kept
from tonetouch_runtime.ai.streaming import Live, Streamed
from tonetouch_runtime.ai.tasks import AnyRequest, Chat, Embeddings, EmbeddingsResult, Request, Result
from tonetouch_runtime.ai.upstream import Upstream

R = TypeVar("R", bound=Result)

CLOSING_SECONDS = 5.0
"""How long the end of a process waits for calls under way. What they leave open the sweeper closes."""

NOBODY = "none"
"""Provider and model of an attempt that ended before it had one."""


class AIClient:
    """Every call to a model goes through here, and every call is accounted for.

    `Whose` says what a call is for. What a person wrote or said is never shared (``share=False``): there is no object
    and no lease then, and not even the hash in the ledger tells what was asked.

    All calls raise AIUnavailable where a setting must change, AIInputRefused where this input will never be answered,
    AIBudgetSpent where there is no money left, ProviderFailed where every provider failed, Unavailable where the log or
    the store does not answer. A caller that leaves early cancels nothing: the answer is kept for the next one.
    """

    def __init__(
        self,
        *,
        service: str,
        bus: Bus,
        log: Log,
        objects: Objects,
        clock: Clock,
        upstream: Upstream,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._log = log
        self._clock = clock
        self._upstream = upstream
        self._answers = Answers(objects)
        leases = Leases(bus, owner=service, seconds=lease_seconds)
        self._calls = Calls(log=log, clock=clock, answers=self._answers, leases=leases, upstream=upstream)
        self._reading: set[asyncio.Task[Any]] = set()

    async def ask(self, request: Request[R], whose: Whose) -> Answered[R]:
        """Ask one question of any task."""
        ask = await self._asked(request, whose)
        await self._refuse_to_bill([ask])
        [landed] = await self._calls.make([ask])
        return _answered(ask, landed)

    async def stream(self, request: Request[R], whose: Whose) -> Streamed[R]:
        """Ask a question whose answer is read while it comes. Only `Chat` and `Speech` come in pieces."""
        ask = await self._asked(request, whose, live=Live())
        await self._refuse_to_bill([ask])
        live, landing = self._calls.stream(ask)
        task = asyncio.create_task(_only(ask, landing))
        self._reading.add(task)
        task.add_done_callback(self._read)
        return Streamed(live, asyncio.shield(task))

    async def embed(self, texts: Sequence[TextToEmbed], whose: Whose, *, model: str | None = None) -> list[Embedded]:
        """The vectors of texts, in their order. Each text is a job; those not known yet go to the model 25 at a time.

        Where one text fails the call raises; the others are kept and need not be paid for again. Subject, job and
        attempt are those of each text. With `model` only that one is asked, whatever the route of the feature names:
        what is to be compared with vectors that are there has to be of their model.
        """
        asks = [self._ask(_one_text(one.text), _of_the_text(whose, one), model=model) for one in texts]
        await self._refuse_to_bill(asks)
        landed = await self._calls.make(asks, at_most=MOST_TEXTS)
        return [_embedded(ask, one) for ask, one in zip(asks, landed, strict=True)]

    async def kept(self, request: Request[R], whose: Whose) -> Answered[R] | None:
        """The answer that is kept of a question, if it is. Nobody is asked, and nothing is accounted for."""
        ask = await self._asked(request, whose)
        found = await self._kept(ask)
        return None if found is None else _answered(ask, Landed(answer=found, cache="exact_hit"))

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
        job = Job(
            job_id=JobId(job_id or self._clock.new_id()),
            attempt=attempt,
            type=type,
            feature=feature,
            subject=subject,
            purpose="serve",
            priority="ingest",
            provider="local",
            gateway=None,
            model=model,
            input_hash=input_hash,
            input_ref=None,
        )
        return accounted(self._log, self._clock, job)

    def embedding_model(self, feature: str, model: str | None = None) -> str:
        """The model that gives a feature its vectors, as the accounts and the routing table are set.

        With `model` it is that one or none. Raises AIUnavailable where there is none.
        """
        return self._upstream.embedding_model(feature, model)

    async def settled(self) -> None:
        """Return when no call is under way any more, and every attempt that was answered has its row in the log.

        An answer does not wait for its row: it is given once it is kept, and what is kept tells how the attempt ended.
        """
        await self._calls.settled()

    async def close(self) -> None:
        """Give the log what it is still to be told, for a moment at the most, and let go of connections."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._calls.settled()
        await self._upstream.close()

    async def _kept(self, ask: Ask) -> KeptAnswer | None:
        return await self._answers.find(ask.job.input_hash) if ask.share else None

    async def _refuse_to_bill(self, asks: Sequence[Ask]) -> None:
        if not is_only_kept():
            return
        for ask in asks:
            if await self._kept(ask) is None:
                raise WouldBill(f"{ask.job.type} for {ask.job.feature} of {ask.job.subject}: its answer is not kept")

    async def _asked(self, request: Request[R], whose: Whose, live: Live | None = None) -> Ask:
        # Hashing a picture or a recording takes a while.
        return (
            await asyncio.to_thread(self._ask, request, whose, live)
            if _is_large(request)
            else self._ask(request, whose, live)
        )

    def _ask(self, request: Request[R], whose: Whose, live: Live | None = None, *, model: str | None = None) -> Ask:
        asked = cast(AnyRequest, request)
        policy = self._upstream.policy(asked.task(), whose.feature, model)
        make = Question if whose.share else Question.private
        question = make(request=asked, policy=policy, prompt=whose.prompt or "")
        input_hash, keeps_input = question.input_hash, whose.share and whose.keep_input
        job = Job(
            job_id=JobId(whose.job_id or self._clock.new_id()),
            attempt=whose.attempt,
            type=asked.task(),
            feature=whose.feature,
            subject=whose.subject,
            user=whose.user,
            purpose=whose.purpose,
            priority=whose.priority,
            provider=NOBODY,
            gateway=None,
            model=NOBODY,
            prompt=whose.prompt,
            input_hash=input_hash,
            context_hash=digest(asked.context.encode()) if isinstance(asked, Chat) and asked.context else None,
            input_ref=input_key(input_hash) if keeps_input else None,
        )
        return Ask(
            request=asked,
            job=job,
            share=whose.share,
            input_body=question.to_keep() if keeps_input else None,
            live=live,
            model=model,
        )

    def _read(self, task: asyncio.Task[Any]) -> None:
        self._reading.discard(task)
        # Whoever read along may have left: then nobody else takes note of a failure.
        if not task.cancelled():
            task.exception()


_LARGE_BYTES = 64 << 10


def _is_large(request: Any) -> bool:
    media = getattr(request, "image", None) or getattr(request, "audio", None) or b""
    return len(media) > _LARGE_BYTES


def _one_text(text: str) -> Embeddings:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AIInputRefused("The text is not valid Unicode.") from None
    return Embeddings(texts=(text,))


def _of_the_text(whose: Whose, text: TextToEmbed) -> Whose:
    return msgspec.structs.replace(whose, subject=text.subject, job_id=text.job_id, attempt=text.attempt)


async def _only(ask: Ask, landing: Coroutine[Any, Any, list[Landed]]) -> Answered[Any]:
    [landed] = await landing
    return _answered(ask, landed)


def _answered(ask: Ask, landed: Landed) -> Answered[Any]:
    return Answered(
        result=landed.answer.result,
        job_id=ask.job.job_id,
        provider=landed.answer.job.provider,
        model=landed.answer.job.model,
        cache=landed.cache,
    )


def _embedded(ask: Ask, landed: Landed) -> Embedded:
    # NumPy comes with the engines' extra; whoever asks for vectors has it.
    import numpy as np

    assert isinstance(landed.answer.result, EmbeddingsResult)
    vector = np.frombuffer(landed.answer.result.vectors[0], dtype="<f4")
    return Embedded(
        vector=vector,
        model=landed.answer.job.model,
        dimension=len(vector),
        job_id=ask.job.job_id,
        cache=landed.cache,
    )
