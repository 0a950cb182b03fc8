"""Everything beyond this process: who could answer, who does, at what pace, for how much.

A way is chosen from the routing table; a turn on it waits for its pace and its budget, makes one call and learns from
how that went.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any

import msgspec

from tonetouch_contracts.job import JobThrottled
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.accounting import Ending, Job, milliseconds_since
from tonetouch_runtime.ai.breaking import Breakers
from tonetouch_runtime.ai.budgeting import Budgets, Reservation
from tonetouch_runtime.ai.errors import AIBudgetSpent, AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.expecting import expected
from tonetouch_runtime.ai.pacing import Pacer, Waited
from tonetouch_runtime.ai.pricing import PriceBook
from tonetouch_runtime.ai.providers import Ended, Provider, Reply, Target
from tonetouch_runtime.ai.routing import Choice, Routes, Size
from tonetouch_runtime.ai.streaming import Live
from tonetouch_runtime.ai.tasks import AITask, AnyRequest, Chat, Embeddings, Speech
from tonetouch_runtime.ai.usage import Usage
from tonetouch_runtime.errors import TonetouchError
from tonetouch_runtime.telemetry.models import calling

WORTH_TELLING_MS = 20.0
"""A wait that is longer stands in the log as `job.throttled`."""

LOCAL = "local"

MEASURED_OVER = 20
"""Calls that the measured share of cached prefixes forgets in."""

LONGEST_PAUSE_SECONDS = 30.0
"""What a provider may ask us to wait before a call gives up instead."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A target, who serves it, and what else was looked at."""

    choice: Choice
    provider: Provider

    @property
    def target(self) -> Target:
        return self.choice.target

    def of_the_job(self) -> dict[str, Any]:
        """What the row of an attempt says of the way it went."""
        return {
            "provider": self.target.provider,
            "gateway": self.provider.gateway,
            "target": self.target.name,
            "model": self.target.model,
            "considered": self.choice.considered,
        }


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, and how long it took to come."""

    reply: Reply
    latency_ms: float
    first_token_ms: float | None
    queue_ms: float


class Upstream:
    """All targets of one process."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        routes: Routes,
        breakers: Breakers,
        pacer: Pacer,
        budgets: Budgets,
        prices: PriceBook,
        log: Log,
        clock: Clock,
    ) -> None:
        self._providers = providers
        self._routes = routes
        self._breakers = breakers
        self._pacer = pacer
        self._budgets = budgets
        self._prices = prices
        self._log = log
        self._clock = clock
        self._hit_ratios: dict[str, float] = {}

    def policy(self, task: AITask, feature: str, model: str | None = None) -> tuple[str, ...]:
        """The models that may answer, in their order: part of what was asked, for another model is another question."""
        route = self._routes.route(task, feature)
        candidates = self._routes.candidates(route, model)
        able = [target for target in candidates if target.provider in self._providers]
        models = tuple(f"{target.provider}/{target.model}" for target in able)
        return models[:1] if route.one_model or model is not None else models

    def embedding_model(self, feature: str, model: str | None = None) -> str:
        """The model that gives a feature its vectors, or `model` itself. Raises AIUnavailable where there is none."""
        anything, available = Embeddings(texts=("",)), self._providers.keys()
        return self._routes.choose(anything, feature=feature, available=available, model=model).target.model

    async def choose(
        self, request: AnyRequest, job: Job, *, failed: Mapping[str, str] | None = None, model: str | None = None
    ) -> Way:
        """The way to go now; `failed` are the targets that have failed for this call, and why.

        A target that pauses is passed over for one that does not, one that no budget has money for if the budget says
        so. Raises as `Routes.choose` where no target is left.
        """
        unaffordable: dict[str, AIBudgetSpent] = {}
        while True:
            way = self._choose_awake(request, job, failed or {}, unaffordable, model)
            spent = (
                await self._budgets.spent(job, way.choice.expected_pico_usd) if way.target.provider != LOCAL else None
            )
            if spent is None:
                return way
            if not spent.may_fall_back:
                raise spent
            unaffordable[way.target.name] = spent

    def _choose_awake(
        self,
        request: AnyRequest,
        job: Job,
        failed: Mapping[str, str],
        unaffordable: Mapping[str, AIBudgetSpent],
        model: str | None,
    ) -> Way:
        pausing = {name: words for name, target in self._routes.targets.items() if (words := self._pacer.pause(target))}
        try:
            return self._choose(request, job, {**pausing, **failed}, unaffordable, model)
        except (AIUnavailable, ProviderFailed):
            if not pausing:
                raise
            return self._choose(request, job, failed, unaffordable, model)

    def _choose(
        self,
        request: AnyRequest,
        job: Job,
        excluded: Mapping[str, str],
        unaffordable: Mapping[str, AIBudgetSpent],
        model: str | None,
    ) -> Way:
        choice = self._routes.choose(
            request,
            feature=job.feature,
            available=self._providers.keys(),
            breakers=self._breakers,
            estimate=partial(self._estimate, stamp(self._clock.now())),
            hit_ratios=self._hit_ratios,
            excluded=excluded,
            unaffordable=unaffordable,
            model=model,
        )
        return Way(choice=choice, provider=self._providers[choice.target.provider])

    def will_pass(self, failure: Exception) -> bool:
        """Whether it is worth asking the same targets once more after a pause."""
        if not isinstance(failure, ProviderFailed) or failure.failure not in ("rate_limited", "out_of_capacity"):
            return False
        return (failure.retry_after_seconds or 0.0) <= LONGEST_PAUSE_SECONDS

    @asynccontextmanager
    async def turn(self, way: Way, job: Job, request: AnyRequest) -> "AsyncIterator[Turn]":
        """One turn on a way: money is set aside, the pace is kept, and what goes wrong inside is remembered."""
        target = way.target
        reservation = await self._budgets.reserve(job, way.choice.expected_pico_usd)
        attempt, telling = None, None
        try:
            waited = await self._pacer.wait(target, job.priority)
            if waited.ms >= WORTH_TELLING_MS:
                # Told meanwhile: between its turn and its call nothing may hold a call up.
                telling = asyncio.create_task(self._log.pour(self._throttled(job, target, waited)))
            attempt = self._breakers.begin(target.name)
            if attempt is None:
                raise ProviderFailed("overloaded", f"{target.name} is being left alone", reached=False)
            yield Turn(way, job, request, reservation, waited)
        except BaseException as error:
            await asyncio.shield(reservation.settle(self._owed(target, error)))
            if isinstance(error, ProviderFailed):
                if attempt:
                    attempt.failed(error)
                if error.reached or attempt:
                    # The failure is what the caller has to know, not that nobody else could be told of it.
                    with suppress(TonetouchError):
                        await self._note_failure(job, target, error)
            elif attempt:
                attempt.left()
            raise
        else:
            attempt.succeeded()
        finally:
            if telling:
                with suppress(TonetouchError):
                    await telling

    def _owed(self, target: Target, error: BaseException) -> int | None:
        """What a failed call has to be taken for: nothing before it was made, all that was held where nobody knows."""
        if not (isinstance(error, ProviderFailed) and error.reached):
            return 0
        at, usage = stamp(self._clock.now()), error.usage or Usage()
        return self._prices.cost(provider=target.provider, model=target.model, usage=usage, at=at).pico_usd

    async def _note_failure(self, job: Job, target: Target, error: ProviderFailed) -> None:
        seconds = await self._pacer.refused(target, error)
        if error.failure in ("rate_limited", "out_of_capacity", "daily_quota"):
            await self._log.pour(self._refused(job, target, error, seconds))

    def priced(self, way: Way, share: Reply, given: Given, at: str) -> Ending:
        """How an answered attempt ended: what it used and what that costs by the prices of its moment."""
        cost = self._prices.cost(provider=way.target.provider, model=way.target.model, usage=share.usage, at=at)
        self._measure(way, share.usage)
        return Ending(
            usage=share.usage,
            cost_pico_usd=cost.pico_usd,
            price_revision=cost.revision,
            model_answered=share.model,
            provider_request_id=share.request_id,
            gateway_log_id=share.gateway_log_id,
            http_status=share.http_status,
            finish_reason=share.finish_reason,
            latency_ms=given.latency_ms,
            first_token_ms=given.first_token_ms,
            queue_ms=given.queue_ms,
        )

    def failed(self, job: Job, error: Exception, at: str, latency_ms: float) -> Ending:
        """How a failed attempt ended. What a provider did not tell stays unknown, unless it was never reached."""
        if isinstance(error, ProviderFailed):
            usage = error.usage or (Usage() if error.reached else Usage(source="reported"))
            cost = self._prices.cost(provider=job.provider, model=job.model, usage=usage, at=at)
            return Ending(
                usage=usage,
                cost_pico_usd=cost.pico_usd,
                price_revision=cost.revision,
                provider_request_id=error.request_id,
                http_status=error.http_status,
                latency_ms=latency_ms,
            )
        if isinstance(error, AIInputRefused | AIUnavailable) or job.provider == "local":
            # Refused before any work, or done on this machine: either costs nothing.
            return Ending(cost_pico_usd=0, latency_ms=latency_ms)
        return Ending(latency_ms=latency_ms)

    def _measure(self, way: Way, usage: Usage) -> None:
        """Follow how much of its prefixes a target reads from its prompt cache; the last calls count most."""
        prefix, cached = way.choice.size.prefix_tokens, usage.cached_tokens
        if prefix and cached is not None:
            before = self._hit_ratios.get(way.target.name, 0.0)
            self._hit_ratios[way.target.name] = before + (min(1.0, cached / prefix) - before) / MEASURED_OVER

    async def close(self) -> None:
        """Let go of every provider's connections."""
        await self._budgets.close()
        await self._pacer.close()
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))

    def _estimate(self, at: str, target: Target, request: AnyRequest, size: Size, hit_ratio: float) -> int | None:
        if (usage := expected(request)) is not None:
            return self._prices.cost(provider=target.provider, model=target.model, usage=usage, at=at).pico_usd
        return self._prices.estimate(
            target.provider,
            target.model,
            prompt_tokens=size.prompt_tokens,
            cached_tokens=round(size.prefix_tokens * hit_ratio),
            completion_tokens=size.answer_tokens,
            at=at,
        )

    def _throttled(self, job: Job, target: Target, waited: Waited) -> JobThrottled:
        return JobThrottled(
            job_id=job.job_id,
            attempt=job.attempt,
            type=job.type,
            feature=job.feature,
            provider=target.provider,
            model=target.model,
            target=target.name,
            reason=waited.reason or "paced",
            limit_per_minute=target.per_minute,
            waited_ms=waited.ms,
            throttled_at=stamp(self._clock.now()),
        )

    def _refused(self, job: Job, target: Target, error: ProviderFailed, seconds: float) -> JobThrottled:
        return JobThrottled(
            job_id=job.job_id,
            attempt=job.attempt,
            type=job.type,
            feature=job.feature,
            provider=target.provider,
            model=target.model,
            target=target.name,
            reason=error.failure,  # type: ignore[arg-type]
            limit_per_minute=target.per_minute,
            waited_ms=0.0,
            retry_after_ms=seconds * 1000,
            throttled_at=stamp(self._clock.now()),
        )


class Turn:
    """The right to make one call now."""

    def __init__(self, way: Way, job: Job, request: AnyRequest, reservation: Reservation, waited: Waited) -> None:
        self._way = way
        self._about = {"feature": job.feature, "subject": job.subject, "job": job.job_id, "attempt": str(job.attempt)}
        self._request = request
        self._reservation = reservation
        self._waited = waited

    async def call(self, live: Live | None) -> Given:
        """Make the call; with `live` the pieces go there as they come. Raises as `Provider.call` does."""
        with calling(self._way.target, self._about) as hop:
            given = await self._call(live)
            hop.answered(given.reply, waited_ms=given.queue_ms, first_piece_ms=given.first_token_ms)
            return given

    async def _call(self, live: Live | None) -> Given:
        began = time.perf_counter()
        provider, target = self._way.provider, self._way.target
        if live is None or not isinstance(self._request, Chat | Speech):
            reply = await provider.call(target, self._request, about=self._about)
            return self._given(reply, began, None)
        first: float | None = None
        async with aclosing(provider.stream(target, self._request, about=self._about)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Ended):
                    return self._given(piece.reply, began, first)
                first = milliseconds_since(began) if first is None else first
                live.put(piece)
        raise ProviderFailed("cut", "the stream ended without its end")

    async def settle(self, endings: Sequence[Ending]) -> None:
        """Tell the budget what it cost after all."""
        known = [ending.cost_pico_usd for ending in endings if ending.cost_pico_usd is not None]
        await self._reservation.settle(sum(known) if len(known) == len(endings) else None)

    def _given(self, reply: Reply, began: float, first_token_ms: float | None) -> Given:
        return Given(
            reply=reply,
            latency_ms=milliseconds_since(began),
            first_token_ms=first_token_ms,
            queue_ms=self._waited.ms,
        )
