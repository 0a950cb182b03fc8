"""The way of a call: known already, being asked right now, or to be asked; and a row in the ledger whichever it was.

The call belongs to a task of its own, not to whoever waits for it: a caller that leaves does not waste it.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from tonetouch_contracts.job import CacheClass, JobRecorded
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.accounting import NOTHING, Job, in_words, milliseconds_since
from tonetouch_runtime.ai.caching import Answers, KeptAnswer, answer_key
from tonetouch_runtime.ai.flight import Lease, Leases
from tonetouch_runtime.ai.providers import Answer
from tonetouch_runtime.errors import TonetouchError, Unavailable

FIRST_LOOK_SECONDS = 0.02
LONGEST_WAIT_SECONDS = 0.5

log = structlog.get_logger()

Call = Callable[[Sequence[int]], Sequence[Answer]]
"""The upstream call for some of the questions, by their numbers: one answer for each, in their order. It may block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to be answered and accounted for. `input_body` is kept beside the answer unless it is None."""

    job: Job
    share: bool
    input_body: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """An answer, and how it was come by."""

    answer: KeptAnswer
    cache: CacheClass


@dataclass(slots=True, kw_only=True)
class _Flight:
    """One question on its way. `number` is its place among those asked together.

    `started_at` says that the model may have been reached, `accounted` that the log was given the end of the attempt.
    """

    number: int
    ask: Ask
    landing: asyncio.Future[Landed]
    lease: Lease | None = None
    began: float = field(default_factory=time.perf_counter)
    started_at: str | None = None
    accounted: bool = False

    @property
    def input_hash(self) -> str:
        return self.ask.job.input_hash


class Calls:
    """All calls of one process. Questions that are the same fly together."""

    def __init__(self, *, log: Log, clock: Clock, answers: Answers, leases: Leases) -> None:
        self._log = log
        self._clock = clock
        self._answers = answers
        self._leases = leases
        self._flying: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def make(self, asks: Sequence[Ask], call: Call, *, at_most: int = 1) -> list[Landed]:
        """Answer all of them, asking the model for `at_most` at a time. Raises what the first failure among them was.

        Every one of them gets its row in the ledger, those that failed too.
        """
        boarded = [(ask, *self._board(number, ask)) for number, ask in enumerate(asks)]
        if leading := [flight for _, flight, leads in boarded if leads]:
            task = asyncio.create_task(self._lead(leading, call, at_most))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        began, started_at = time.perf_counter(), self._now()
        if boarded:
            await asyncio.wait([flight.landing for _, flight, _ in boarded])
        joined = [(ask, flight) for ask, flight, leads in boarded if not leads and not _same(flight.ask.job, ask.job)]
        if joined:
            await self._log.pour(*(self._joined(ask, flight, began, started_at) for ask, flight in joined))
        return [_seen_by(flight.landing.result(), leads) for _, flight, leads in boarded]

    def _board(self, number: int, ask: Ask) -> tuple[_Flight, bool]:
        """The flight that answers a question, and whether it was made for it."""
        if ask.share and (flying := self._flying.get(ask.job.input_hash)):
            return flying, False
        landing: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        flight = _Flight(number=number, ask=ask, landing=landing)
        if ask.share:
            self._flying[flight.input_hash] = flight
        landing.add_done_callback(lambda done: self._landed(flight, done))
        return flight, True

    def _landed(self, flight: _Flight, landing: asyncio.Future[Landed]) -> None:
        if self._flying.get(flight.input_hash) is flight:
            del self._flying[flight.input_hash]
        # All who waited may have left: then nobody else takes note of a failure.
        if not landing.cancelled():
            landing.exception()

    async def _lead(self, flights: Sequence[_Flight], call: Call, at_most: int) -> None:
        await asyncio.gather(*(self._go([flight], self._look(flight)) for flight in flights))
        flying = [flight for flight in flights if not flight.landing.done()]
        asking = [flight for flight in flying if flight.lease or not flight.ask.share]
        waiting = [flight for flight in flying if flight.ask.share and not flight.lease]
        groups = [asking[start : start + at_most] for start in range(0, len(asking), at_most)]
        # Nobody waits for others before asking what is theirs to ask: two processes would wait for each other.
        await asyncio.gather(
            *(self._go(group, self._ask(group, call)) for group in groups),
            *(self._go([flight], self._wait(flight, call)) for flight in waiting),
        )

    async def _go(self, flights: Sequence[_Flight], way: Coroutine[Any, Any, None]) -> None:
        """Go a way that ends in landings. What goes wrong on it is recorded, and told to those who wait."""
        try:
            await way
        except Exception as error:
            flying = [flight for flight in flights if not flight.landing.done()]
            await self._record_failure(flying, error)
            for flight in flying:
                flight.landing.set_exception(error)
        except asyncio.CancelledError:
            # The process is ending: whoever still waits must not wait for ever.
            for flight in flights:
                flight.landing.cancel()
            raise

    async def _look(self, flight: _Flight) -> None:
        """Find the answer, or take the lease to ask for it, or neither: somebody else is asking."""
        if flight.ask.share and not await self._found(flight, "exact_hit"):
            flight.lease = await self._leases.take(flight.input_hash)

    async def _wait(self, flight: _Flight, call: Call) -> None:
        """Until another process has the answer, or has given up or died: then it is ours to ask."""
        delay = FIRST_LOOK_SECONDS
        while flight.lease is None:
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, LONGEST_WAIT_SECONDS)
            if await self._found(flight, "coalesced"):
                return
            flight.lease = await self._leases.take(flight.input_hash)
        await self._ask([flight], call)

    async def _found(self, flight: _Flight, cache: CacheClass) -> bool:
        kept = await self._answers.find(flight.input_hash)
        if kept is None:
            return False
        if kept.is_of(flight.ask.job):
            # Ours from before a kill: it was paid for, and that is what the ledger has to say.
            cache = "miss"
            row = kept.recorded(flight.ask.job, output_ref=answer_key(flight.input_hash), recorded_at=self._now())
        else:
            row = self._reused(flight.ask, kept, cache, flight.began, self._now())
        await self._record([flight], [row])
        flight.landing.set_result(Landed(answer=kept, cache=cache))
        return True

    async def _ask(self, group: Sequence[_Flight], call: Call) -> None:
        """Ask the model for a group of questions in one call."""
        started_at = self._now()
        starts = (flight.ask.job.started(started_at) for flight in group)
        await asyncio.gather(self._log.pour(*starts), *(self._keep_input(flight.ask) for flight in group))
        began = time.perf_counter()
        for flight in group:
            flight.started_at, flight.began = started_at, began
        given = await asyncio.to_thread(call, [flight.number for flight in group])
        latency_ms = milliseconds_since(began)
        answers = [
            _kept(flight.ask, answer, started_at, latency_ms) for flight, answer in zip(group, given, strict=True)
        ]
        ways = (self._keep(flight, answer) for flight, answer in zip(group, answers, strict=True))
        output_refs = await asyncio.gather(*ways)
        rows = [
            answer.recorded(flight.ask.job, output_ref=output_ref, recorded_at=self._now())
            for flight, answer, output_ref in zip(group, answers, output_refs, strict=True)
        ]
        await self._record(group, rows)
        for flight, answer in zip(group, answers, strict=True):
            flight.landing.set_result(Landed(answer=answer, cache="miss"))

    async def _keep(self, flight: _Flight, answer: KeptAnswer) -> str | None:
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
        if ask.input_body is not None:
            await self._answers.keep_input(ask.job.input_hash, ask.input_body)

    async def _record(self, flights: Sequence[_Flight], rows: Sequence[JobRecorded]) -> None:
        """Give the ends of attempts to the log. Where its answer is lost they may be there: nobody says them again."""
        for flight in flights:
            flight.accounted = True
        await self._log.pour(*rows)

    async def _record_failure(self, flights: Sequence[_Flight], error: Exception) -> None:
        open_ = [flight for flight in flights if not flight.accounted]
        # What cannot be recorded either is closed by the sweeper; the caller is told the first error, not this one.
        with suppress(TonetouchError):
            await self._record(open_, [self._failed(flight, error) for flight in open_])
        await asyncio.gather(*(flight.lease.release() for flight in flights if flight.lease))

    def _failed(self, flight: _Flight, error: Exception) -> JobRecorded:
        now = self._now()
        return flight.ask.job.recorded(
            outcome="failed",
            # Before its start an attempt has used nothing; after it, who knows.
            usage=None if flight.started_at else NOTHING,
            latency_ms=milliseconds_since(flight.began),
            error=in_words(error, private=not flight.ask.share),
            started_at=flight.started_at or now,
            recorded_at=now,
        )

    def _joined(self, ask: Ask, flight: _Flight, began: float, started_at: str) -> JobRecorded:
        """The row of one who waited for another's flight."""
        if (error := flight.landing.exception()) is None:
            landed = flight.landing.result()
            return self._reused(ask, landed.answer, _joining(landed.cache), began, started_at)
        return ask.job.recorded(
            outcome="failed",
            cache="coalesced",
            usage=NOTHING,
            latency_ms=milliseconds_since(began),
            error=in_words(error),
            started_at=started_at,
            recorded_at=self._now(),
        )

    def _reused(self, ask: Ask, answer: KeptAnswer, cache: CacheClass, began: float, started_at: str) -> JobRecorded:
        return msgspec.structs.replace(ask.job, input_ref=answer.input_ref).recorded(
            cache=cache,
            usage=NOTHING,
            latency_ms=milliseconds_since(began),
            output_ref=answer_key(ask.job.input_hash),
            started_at=started_at,
            recorded_at=self._now(),
        )

    def _now(self) -> str:
        return stamp(self._clock.now())


def _kept(ask: Ask, answer: Answer, started_at: str, latency_ms: float) -> KeptAnswer:
    return KeptAnswer(
        job_id=ask.job.job_id,
        attempt=ask.job.attempt,
        provider=ask.job.provider,
        model=ask.job.model,
        text=answer.text,
        vector=answer.vector,
        usage=answer.usage,
        started_at=started_at,
        latency_ms=latency_ms,
        input_ref=ask.job.input_ref,
    )


def _same(one: Job, other: Job) -> bool:
    return (one.job_id, one.attempt) == (other.job_id, other.attempt)


def _joining(cache: CacheClass) -> CacheClass:
    return "exact_hit" if cache == "exact_hit" else "coalesced"


def _seen_by(landed: Landed, leads: bool) -> Landed:
    return landed if leads else Landed(answer=landed.answer, cache=_joining(landed.cache))
