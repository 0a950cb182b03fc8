"""The way of a call: known already, being asked right now, or to be asked; and a row in the ledger whichever it was.

The call belongs to a task of its own, not to whoever waits for it: a caller that leaves does not waste it. A target
that fails is a row of its own; then the next one is asked, or the same one a little later.
"""

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog

from tonetouch_contracts.job import CacheClass, JobRecorded
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.accounting import NOTHING, Ending, Job, in_words, milliseconds_since
from tonetouch_runtime.ai.budgeting import BudgetSpent
from tonetouch_runtime.ai.caching import Answers, KeptAnswer, answer_key
from tonetouch_runtime.ai.errors import AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.flights import Ask, Departed, Flight, Landed
from tonetouch_runtime.ai.leases import Lease, Leases
from tonetouch_runtime.ai.sharing import merged, parted
from tonetouch_runtime.ai.streaming import Live, whole
from tonetouch_runtime.ai.tasks import AnyRequest
from tonetouch_runtime.ai.upstream import Upstream, Way
from tonetouch_runtime.errors import TonetouchError, Unavailable
from tonetouch_runtime.telemetry.models import answered

FIRST_LOOK_SECONDS = 0.02
LONGEST_WAIT_SECONDS = 0.5
MOST_TRIES = 4

_TURNS_TO_LAND = 3
"""Turns of the event loop until whoever waits for an answer has it: they go first, its row is made after."""

log = structlog.get_logger()

T = TypeVar("T")


class Calls:
    """All calls of one process. Questions that are the same fly together."""

    def __init__(self, *, log: Log, clock: Clock, answers: Answers, leases: Leases, upstream: Upstream) -> None:
        self._log = log
        self._clock = clock
        self._answers = answers
        self._leases = leases
        self._upstream = upstream
        self._flying: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def make(self, asks: Sequence[Ask], *, at_most: int = 1) -> list[Landed]:
        """Answer all of them, asking the model for `at_most` at a time. Raises what the first failure among them was.

        Every one of them gets its row in the ledger, those that failed too.
        """
        return await self._land(self._depart(asks, at_most))

    def stream(self, ask: Ask) -> tuple[Live, Coroutine[Any, Any, list[Landed]]]:
        """Answer a question that can be read while its answer comes: what to read, and what to wait for."""
        assert ask.live is not None, "only an ask with a live answer can be read"
        departed = self._depart([ask], at_most=1)
        flight = departed.boarded[0][1]
        if flight.ask.live is None:
            # Somebody who does not read along has asked already: all of it comes at once.
            flight.landing.add_done_callback(partial(_tell, ask.live))
        return flight.ask.live or ask.live, self._land(departed)

    async def settled(self) -> None:
        """Return when no call is under way: each has its row in the ledger, or has failed to get it there."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _depart(self, asks: Sequence[Ask], at_most: int) -> Departed:
        boarded = [(ask, *self._board(ask)) for ask in asks]
        if leading := [flight for _, flight, leads in boarded if leads]:
            task = asyncio.create_task(self._lead(leading, at_most))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return Departed(boarded=boarded, began=time.perf_counter(), at=self._now())

    async def _land(self, departed: Departed) -> list[Landed]:
        boarded = departed.boarded
        for _, flight, _ in boarded:
            if not flight.landing.done():
                with suppress(Exception):  # it is raised below, when everybody has landed and has a row
                    await asyncio.shield(flight.landing)
        joined = [(ask, flight) for ask, flight, leads in boarded if not leads and not _same(flight.ask.job, ask.job)]
        if joined:
            rows = (self._joined(ask, flight, departed.began, departed.at) for ask, flight in joined)
            await self._log.pour(*rows)
        landed = [_seen_by(flight.landing.result(), leads) for _, flight, leads in boarded]
        for (ask, _, _), one in zip(boarded, landed, strict=True):
            answered(ask.job.type, ask.job.feature, one.cache)
        return landed

    def _board(self, ask: Ask) -> tuple[Flight, bool]:
        """The flight that answers a question, and whether it was made for it."""
        if ask.share and (flying := self._flying.get(ask.job.input_hash)):
            return flying, False
        landing: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        flight = Flight(ask=ask, job=ask.job, landing=landing)
        if ask.share:
            self._flying[flight.input_hash] = flight
        landing.add_done_callback(lambda done: self._landed(flight, done))
        return flight, True

    def _landed(self, flight: Flight, landing: asyncio.Future[Landed]) -> None:
        if self._flying.get(flight.input_hash) is flight:
            del self._flying[flight.input_hash]
        if not landing.cancelled():
            # All who waited may have left: then nobody else takes note of a failure.
            landing.exception()
        if flight.ask.live is not None:
            _tell(flight.ask.live, landing)

    async def _lead(self, flights: Sequence[Flight], at_most: int) -> None:
        await _together(*(self._go([flight], self._look(flight)) for flight in flights))
        flying = [flight for flight in flights if not flight.landing.done()]
        asking = [flight for flight in flying if flight.lease or not flight.ask.share]
        waiting = [flight for flight in flying if flight.ask.share and not flight.lease]
        groups = [asking[start : start + at_most] for start in range(0, len(asking), at_most)]
        # Nobody waits for others before asking what is theirs to ask: two processes would wait for each other.
        await _together(
            *(self._go(group, self._ask(group)) for group in groups),
            *(self._go([flight], self._wait(flight)) for flight in waiting),
        )

    async def _go(self, flights: Sequence[Flight], way: Coroutine[Any, Any, None]) -> None:
        """Go a way that ends in landings. What goes wrong on it is recorded, and told to those who wait."""
        try:
            await way
        except Exception as error:
            flying = [flight for flight in flights if not flight.landing.done()]
            if len(flying) < len(flights):
                # They have their answers, which say how the attempts ended: the sweeper tells the ledger.
                log.warning("end_not_recorded", jobs=[flight.job.job_id for flight in flights], error=in_words(error))
            await self._record_failure(flying, error)
            await asyncio.gather(*(flight.lease.release() for flight in flying if flight.lease))
            for flight in flying:
                flight.landing.set_exception(error)
        except asyncio.CancelledError:
            # The process is ending: whoever still waits must not wait for ever.
            for flight in flights:
                flight.landing.cancel()
            raise

    async def _look(self, flight: Flight) -> None:
        """Find the answer, or take the lease to ask for it, or neither: somebody else is asking."""
        if not flight.ask.share:
            return
        # Mostly there is no answer yet: the lease is asked for meanwhile.
        taking = asyncio.create_task(self._leases.take(flight.input_hash))
        try:
            found = await self._found(flight, "exact_hit")
        except BaseException:
            self._spare(taking)
            raise
        if found:
            self._spare(taking)
        else:
            flight.lease = await taking

    def _spare(self, taking: "asyncio.Task[Lease | None]") -> None:
        """Give a lease back that is not needed, without anybody waiting for it."""

        async def give_back() -> None:
            with suppress(TonetouchError):
                if (lease := await taking) is not None:
                    await lease.release()

        task = asyncio.create_task(give_back())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(self, flight: Flight) -> None:
        """Until another process has the answer, or has given up or died: then it is ours to ask."""
        delay = FIRST_LOOK_SECONDS
        while flight.lease is None:
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, LONGEST_WAIT_SECONDS)
            if await self._found(flight, "coalesced"):
                return
            flight.lease = await self._leases.take(flight.input_hash)
        await self._ask([flight])

    async def _found(self, flight: Flight, cache: CacheClass) -> bool:
        kept = await self._answers.find(flight.input_hash)
        if kept is None:
            return False
        if kept.is_of(flight.ask.job):
            # Ours from before a kill: it was paid for, and that is what the ledger has to say.
            cache = "miss"
            row = kept.recorded(output_ref=answer_key(flight.input_hash), recorded_at=self._now())
        else:
            row = self._reused(flight.ask, kept, cache, flight.began, self._now())
        await self._record([flight], [row])
        flight.landing.set_result(Landed(answer=kept, cache=cache))
        return True

    async def _ask(self, group: Sequence[Flight]) -> None:
        """Ask for a group of questions in one call, of one target after the other until one answers."""
        request, asked = merged([flight.ask.request for flight in group]), group[0].ask
        failed: dict[str, str] = {}
        last: AIUnavailable | ProviderFailed | None = None
        for number in range(MOST_TRIES):
            way = await self._next_way(request, asked, failed, last)
            for flight in group:
                flight.take(way, number)
            try:
                return await self._attempt(group, request, way)
            except (AIUnavailable, ProviderFailed) as error:
                if (asked.live is not None and asked.live.pieces) or number + 1 == MOST_TRIES:
                    raise  # somebody has read the beginning: another model would tell another story
                await self._record_failure(group, error)
                failed[way.target.name] = f"it failed for this call: {_kind(error)}"
                last = error
            except BudgetSpent as error:
                # Others took the last of it since the way was chosen: what is left is looked at once more.
                if not error.may_fall_back or number + 1 == MOST_TRIES:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _next_way(
        self, request: AnyRequest, ask: Ask, failed: dict[str, str], last: AIUnavailable | ProviderFailed | None
    ) -> Way:
        try:
            return await self._upstream.choose(request, ask.job, failed=failed, model=ask.model)
        except (AIUnavailable, ProviderFailed):
            if last is None:
                raise
            if not self._upstream.will_pass(last):
                raise last from None
        failed.clear()  # nobody else can: the same ones once more, at the pace they asked for
        return await self._upstream.choose(request, ask.job, model=ask.model)

    async def _attempt(self, group: Sequence[Flight], request: AnyRequest, way: Way) -> None:
        """One call upstream: started before, kept and recorded after."""
        asked = group[0]
        async with self._upstream.turn(way, asked.job, request) as turn:
            started_at = self._now()
            keeping_inputs = [asyncio.create_task(self._keep_input(ask)) for ask in _with_inputs(group)]
            starting = await self._log.append_ahead(*(flight.job.started(started_at) for flight in group))
            for flight in group:
                flight.started_at, flight.began = started_at, time.perf_counter()
            try:
                given = await turn.call(asked.ask.live)
            except BaseException:
                await asyncio.gather(starting, *keeping_inputs, return_exceptions=True)
                raise
        shares = parted(given.reply, [flight.ask.request for flight in group])
        endings = [self._upstream.priced(way, share, given, started_at) for share in shares]
        answers = [
            _kept(flight, share.result, ending, started_at)
            for flight, share, ending in zip(group, shares, endings, strict=True)
        ]
        ways = (self._keep(flight, answer) for flight, answer in zip(group, answers, strict=True))
        output_refs = await _together(*ways)
        # Only now, when what was paid for is kept, may the log's or the store's troubles be ours.
        for task in (starting, *keeping_inputs):
            await task
        if all(output_refs):
            # Its start is on the disk and its end lies beside the answer: killed now, the sweeper would say the rest.
            _hand_over(group, answers)
            for _ in range(_TURNS_TO_LAND):
                await asyncio.sleep(0)
        rows = [
            answer.recorded(output_ref=output_ref, recorded_at=self._now())
            for answer, output_ref in zip(answers, output_refs, strict=True)
        ]
        try:
            await self._record(group, rows)
            _hand_over(group, answers)
        finally:
            # It was spent, whether the ledger could be told or not.
            await turn.settle(endings)

    async def _keep(self, flight: Flight, answer: KeptAnswer) -> str | None:
        """Keep an answer for the next one who asks, if it may be."""
        output_ref = None
        if flight.ask.share:
            try:
                output_ref = await self._answers.keep(flight.input_hash, answer)
            except Unavailable as error:
                # It was paid for and its caller waits for it: not being kept is no reason to lose it.
                log.warning("answer_not_kept", key=answer_key(flight.input_hash), error=str(error))
        if flight.lease:
            flight.lease.leave() if output_ref else await flight.lease.release()
        return output_ref

    async def _keep_input(self, ask: Ask) -> None:
        try:
            await self._answers.keep_input(ask.job.input_hash, ask.input_body or b"")
        except Unavailable as error:
            # The model is being asked meanwhile: its answer is worth more than a copy of the question.
            log.warning("input_not_kept", key=ask.job.input_ref, error=str(error))

    async def _record(self, flights: Sequence[Flight], rows: Sequence[JobRecorded]) -> None:
        """Give the ends of attempts to the log. Where its answer is lost they may be there: nobody says them again."""
        for flight in flights:
            flight.accounted = True
        await self._log.pour(*rows)

    async def _record_failure(self, flights: Sequence[Flight], error: Exception) -> None:
        open_ = [flight for flight in flights if not flight.accounted]
        # What cannot be recorded either is closed by the sweeper; the caller is told the first error, not this one.
        with suppress(TonetouchError):
            await self._record(open_, [self._failed(flight, error) for flight in open_])

    def _failed(self, flight: Flight, error: Exception) -> JobRecorded:
        now = self._now()
        latency_ms = milliseconds_since(flight.began)
        if flight.started_at is None:
            # Before its start an attempt has used nothing.
            ending = msgspec.structs.replace(NOTHING, latency_ms=latency_ms)
        else:
            ending = self._upstream.failed(flight.job, error, flight.started_at, latency_ms)
        return flight.job.recorded(
            outcome="failed",
            ending=ending,
            error_type=_kind(error),
            error=in_words(error, private=not flight.ask.share),
            started_at=flight.started_at or now,
            recorded_at=now,
        )

    def _joined(self, ask: Ask, flight: Flight, began: float, started_at: str) -> JobRecorded:
        """The row of one who waited for another's flight."""
        if (error := flight.landing.exception()) is None:
            landed = flight.landing.result()
            return self._reused(ask, landed.answer, _joining(landed.cache), began, started_at)
        return ask.job.recorded(
            outcome="failed",
            cache="coalesced",
            ending=msgspec.structs.replace(NOTHING, latency_ms=milliseconds_since(began)),
            error_type=type(error).__name__,
            error=in_words(error),
            started_at=started_at,
            recorded_at=self._now(),
        )

    def _reused(self, ask: Ask, answer: KeptAnswer, cache: CacheClass, began: float, started_at: str) -> JobRecorded:
        paid = answer.job
        of_it = {"provider": paid.provider, "model": paid.model, "gateway": paid.gateway, "input_ref": paid.input_ref}
        saved = {"avoided_pico_usd": answer.ending.cost_pico_usd, "price_revision": answer.ending.price_revision}
        return msgspec.structs.replace(ask.job, **of_it).recorded(
            cache=cache,
            ending=msgspec.structs.replace(NOTHING, latency_ms=milliseconds_since(began), **saved),
            output_ref=answer_key(ask.job.input_hash),
            output_hash=answer.output_hash,
            started_at=started_at,
            recorded_at=self._now(),
        )

    def _now(self) -> str:
        return stamp(self._clock.now())


async def _together(*ways: Awaitable[T]) -> list[T]:
    """Go several ways at once; a single one is simply gone, for most calls are single and a task takes its time."""
    return [await ways[0]] if len(ways) == 1 else await asyncio.gather(*ways)


def _hand_over(group: Sequence[Flight], answers: Sequence[KeptAnswer]) -> None:
    """Give the answers to those who wait, unless they have them."""
    for flight, answer in zip(group, answers, strict=True):
        if not flight.landing.done():
            flight.landing.set_result(Landed(answer=answer, cache="miss"))


def _with_inputs(group: Sequence[Flight]) -> list[Ask]:
    return [flight.ask for flight in group if flight.ask.input_body is not None]


def _tell(live: Live, landing: asyncio.Future[Landed]) -> None:
    """Tell readers the end, and all of it at once where nothing has been told yet."""
    failed = landing.cancelled() or landing.exception() is not None
    if not failed and not live.pieces and (piece := whole(landing.result().answer.result)):
        live.put(piece)
    live.end()


def _kept(flight: Flight, result: Any, ending: Ending, started_at: str) -> KeptAnswer:
    return KeptAnswer(job=flight.job, result=result, ending=ending, started_at=started_at)


def _kind(error: Exception) -> str:
    return error.failure if isinstance(error, ProviderFailed) else type(error).__name__


def _same(one: Job, other: Job) -> bool:
    return (one.job_id, one.attempt) == (other.job_id, other.attempt)


def _joining(cache: CacheClass) -> CacheClass:
    return "exact_hit" if cache == "exact_hit" else "coalesced"


def _seen_by(landed: Landed, leads: bool) -> Landed:
    return landed if leads else Landed(answer=landed.answer, cache=_joining(landed.cache))
