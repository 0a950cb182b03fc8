"""Keeping a provider's limit together: one pace for each account, provider, model and task, in all processes at once.

The pace is the generic cell rate algorithm (ITU-T I.371): slots follow each other at an even interval, and what has to
be remembered is when the next one is free. That time lies in one message which every process changes by comparing and
setting. A call takes a slot and is sent at its time; an interactive one may be sent earlier, by as much as the burst
allows, and takes slots as far ahead as it must, while the others take none that lie further ahead than their part of
the burst: what is between is the reserve of the interactive ones.

Clocks of machines that share a limit have to agree: as far as they are apart, so much of the limit may be passed once.
"""

import asyncio
import hashlib
import heapq
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import structlog

from tonetouch_contracts.job import Priority
from tonetouch_runtime._bus import Bus
from tonetouch_runtime.ai.errors import ProviderFailed
from tonetouch_runtime.ai.pace import FORGOTTEN_AFTER_SECONDS, Limit, Pace, Reason
from tonetouch_runtime.ai.providers.provider import Target
from tonetouch_runtime.ai.shares import Shares
from tonetouch_runtime.errors import Unavailable

PATIENCE_SECONDS: Mapping[Priority, float] = {"interactive": 10.0, "refresh": 600.0, "ingest": 900.0}
"""How long a call waits before it is given back; a workflow's own retries are for what takes longer."""

WORTH_TELLING_MS = 20.0
"""Less than this is round trips, not waiting."""

_RANKS: Mapping[Priority, int] = {"interactive": 0, "refresh": 1, "ingest": 2}
_REFILL = 1 / 3
"""Who waits takes the next slots when this part of what may be taken ahead is left: several slots for one round trip,
and none is lost as long as the round trip takes less than that."""

log = structlog.get_logger()


class Waited(msgspec.Struct, frozen=True):
    """How long it took until a call could be sent, and what it waited for; null where it was round trips only."""

    ms: float = 0.0
    reason: Reason | None = None


class Pacer:
    """The paces of one process.

    `accounts` names the account of each provider: whoever shares an account shares its limits. Nothing is sent where
    the bus does not answer: `wait` raises Unavailable. Without the bus no call could be accounted for either, and no
    share of a limit that a process gave itself would hold when others do the same.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        accounts: Mapping[str, str] | None = None,
        seconds: float = 60.0,
        clock: Callable[[], float] = time.time,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._shares = Shares(bus)
        self._accounts = accounts or {}
        self._seconds = seconds
        self._clock = clock
        self._luck = luck
        self._lines: dict[str, _Line] = {}
        self._keys: dict[tuple[str, str, str], str] = {}

    async def wait(
        self,
        target: Target,
        priority: Priority,
        *,
        patience_seconds: float | None = None,
        report: Callable[[Waited], None] | None = None,
    ) -> Waited:
        """Wait for the turn of one request, which is to be sent at once then.

        `report` is told of every wait that is worth telling, those that end without a turn too. Raises ProviderFailed,
        with the seconds after which it may be tried again, where it would take longer than `patience_seconds`
        (by default `PATIENCE_SECONDS`), and Unavailable. A target without a limit is not paced, takes no round trip,
        and waits only for pauses that this process was told.
        """
        if (line := self._line(target)) is None:
            return Waited()
        patience = PATIENCE_SECONDS[priority] if patience_seconds is None else patience_seconds
        began = self._clock()
        turn = _Turn(priority=priority, deadline=began + patience)
        try:
            await line.pass_through(turn)
        finally:
            milliseconds = round((self._clock() - began) * 1000, 3)
            waited = Waited(milliseconds, turn.reason if milliseconds >= WORTH_TELLING_MS else None)
            if report is not None and waited.reason is not None:
                report(waited)
        return waited

    async def refused(self, target: Target, error: ProviderFailed) -> float:
        """A provider did not take a call: everybody pauses. Gives the seconds until it may be tried again.

        Failures that say nothing of a limit make no pause, unless the provider asked for one.
        """
        reason: Reason = "out_of_capacity"
        if error.failure in ("rate_limited", "daily_quota"):
            reason = error.failure
        elif error.failure != "out_of_capacity" and error.retry_after_seconds is None:
            return 0.0
        line = self._line(target, pausing=True)
        assert line is not None
        return await line.pause(reason, error.retry_after_seconds, self._luck())

    def pause(self, target: Target) -> str | None:
        """In words for the router, why a target takes nothing now as far as this process was told; None if it does."""
        if (line := self._lines.get(self._key(target))) is None or (left := line.paused_for()) <= 0:
            return None
        return f"it pauses for {left:.0f} s more ({line.pace.because})"

    async def close(self) -> None:
        """Hand out no more turns; who waits is cancelled."""
        for line in self._lines.values():
            await line.close()

    def _line(self, target: Target, *, pausing: bool = False) -> "_Line | None":
        key = self._key(target)
        if (line := self._lines.get(key)) is None and (target.per_minute is not None or pausing):
            limit = Limit(target.per_minute, self._seconds) if target.per_minute is not None else None
            line = self._lines[key] = _Line(self._shares, f"pace-{key}", limit, self._clock)
        return line

    def _key(self, target: Target) -> str:
        parts = (target.provider, target.model, target.task)
        if (key := self._keys.get(parts)) is None:
            named = msgspec.json.encode((self._accounts.get(target.provider, ""), *parts))
            key = self._keys[parts] = hashlib.sha256(named).hexdigest()[:32]
        return key


@dataclass(slots=True, eq=False)
class _Turn:
    """One who waits. `slot` is what it is given; `reason` is what it waited for."""

    priority: Priority
    deadline: float
    reason: Reason = "paced"
    order: tuple[int, int] = (0, 0)
    slot: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Line:
    """Those of one process who wait for the same limit, the most urgent first, and who hands out the slots to them."""

    _arrivals = itertools.count()

    def __init__(self, shares: Shares, key: str, limit: Limit | None, clock: Callable[[], float]) -> None:
        self._shares = shares
        self._key = key
        self._limit = limit
        self._clock = clock
        self.pace = Pace()
        self._sequence = 0
        self._queue: list[tuple[tuple[int, int], _Turn]] = []
        self._spare: deque[float] = deque()
        self._arrived = asyncio.Event()
        self._changing = asyncio.Lock()
        self._serving: asyncio.Task[None] | None = None

    async def pass_through(self, turn: _Turn) -> None:
        """Wait until the turn's time has come."""
        if self._limit is None:
            return await self._outlast_pause(turn)
        turn.order = (_RANKS[turn.priority], next(self._arrivals))
        while True:
            slot = await self._slot_for(turn, self._limit)
            while slot >= self.pace.paused_until and (left := self._seconds_left(turn, slot, self._limit)) > 0:  # noqa: ASYNC110
                await asyncio.sleep(left)
            if slot >= self.pace.paused_until:
                return None
            # A pause has come between: the slot is void, the place in the queue is not.
            turn.slot = asyncio.get_running_loop().create_future()

    async def pause(self, reason: Reason, retry_after: float | None, luck: float) -> float:
        """Pause, and tell all processes where they share the limit."""
        before = self.pace
        self.pace = before.refused(reason, self._clock(), retry_after=retry_after, luck=luck)
        self._spare.clear()
        if self._limit is not None and self.pace != before:
            try:
                await self._tell(reason, retry_after, luck)
            except Unavailable as error:
                log.warning("ai_pause_not_shared", reason=reason, error=str(error))
        self._arrived.set()
        return max(self.paused_for(), 0.0)

    def paused_for(self) -> float:
        """Seconds until the pause is over; not above 0 where there is none."""
        return self.pace.paused_until - self._clock()

    async def close(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
        for _, turn in self._queue:
            turn.slot.cancel()

    async def _outlast_pause(self, turn: _Turn) -> None:
        while (left := self.paused_for()) > 0:
            turn.reason = self.pace.because
            if self.pace.paused_until > turn.deadline:
                raise _too_late(turn, left)
            await asyncio.sleep(left)

    def _seconds_left(self, turn: _Turn, slot: float, limit: Limit) -> float:
        return self.pace.sent_at(slot, limit, turn.priority) - self._clock()

    async def _slot_for(self, turn: _Turn, limit: Limit) -> float:
        """A spare slot, or one that is handed out."""
        now = self._clock()
        if (slot := self._spare_slot(now)) is not None:
            return slot
        heapq.heappush(self._queue, (turn.order, turn))
        self._arrived.set()
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve(limit))
        try:
            async with asyncio.timeout(turn.deadline - now):
                return await turn.slot
        except TimeoutError:
            raise _too_late(turn, self.pace.next_slot(limit, self._clock()) - self._clock()) from None

    def _spare_slot(self, now: float) -> float | None:
        """A slot that was taken with another one for whoever comes next: it is good until its time."""
        if self._queue:
            return None
        while self._spare:
            if (slot := self._spare.popleft()) >= now:
                return slot
        return None

    async def _serve(self, limit: Limit) -> None:
        """Hand out slots until nobody waits."""
        try:
            while self._queue:
                self._arrived.clear()
                seconds = await self._hand_out(limit)
                if self._queue and seconds > 0:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await self._arrived.wait()
        except Exception as error:
            for _, turn in self._queue:
                if not turn.slot.done():
                    turn.slot.set_exception(error)
            self._queue.clear()
        finally:
            self._serving = None

    async def _hand_out(self, limit: Limit) -> float:
        """Take slots for those who may have one now. Gives the seconds until it is worth trying again."""
        async with self._changing:
            now = self._clock()
            self._turn_away(limit, now)
            first = self.pace.next_slot(limit, now)
            turns = self._next_turns(limit, now, first)
            if not turns:
                return self._seconds_to_go(limit, now, first)
            spare = limit.burst // 8 if turns[0].priority == "interactive" and first <= now else 0
            pace, slots = self.pace.take(limit, now, len(turns) + spare)
            try:
                taken = await self._change(pace)
            except BaseException:
                self._put_back(turns)
                raise
            if not taken:
                self._put_back(turns)
                await self._look()
                return 0.0
            for turn, slot in zip(turns, slots, strict=False):
                if not turn.slot.done():
                    turn.slot.set_result(slot)
            self._spare.extend(slots[len(turns) :])
            return 0.0

    def _next_turns(self, limit: Limit, now: float, first: float) -> list[_Turn]:
        """Take from the queue who may have a slot, in order, when the first one is free at `first`."""
        turns: list[_Turn] = []
        while self._queue:
            turn = self._queue[0][1]
            ahead = limit.ahead(turn.priority)
            slot = first + len(turns) * limit.interval
            refill = ahead if turns and turns[-1].priority == turn.priority else ahead * _REFILL
            if not turn.slot.done() and turn.priority != "interactive" and slot > now + refill:
                break
            heapq.heappop(self._queue)
            if not turn.slot.done() and not self._is_late(turn, self.pace.sent_at(slot, limit, turn.priority)):
                turns.append(turn)
        return turns

    def _turn_away(self, limit: Limit, now: float) -> None:
        """Tell those who will not live to see the end of a pause."""
        if self.pace.paused_until > now:
            for _, turn in self._queue:
                turn.reason = self.pace.because
                self._is_late(turn, self.pace.paused_until)

    def _is_late(self, turn: _Turn, sent_at: float) -> bool:
        if sent_at <= turn.deadline or turn.slot.done():
            return False
        turn.slot.set_exception(_too_late(turn, sent_at - self._clock()))
        return True

    def _seconds_to_go(self, limit: Limit, now: float, first: float) -> float:
        if not self._queue:
            return 0.0
        return max(first - limit.ahead(self._queue[0][1].priority) * _REFILL - now, 0.001)

    def _put_back(self, turns: list[_Turn]) -> None:
        for turn in turns:
            heapq.heappush(self._queue, (turn.order, turn))

    async def _tell(self, reason: Reason, retry_after: float | None, luck: float) -> None:
        async with self._changing:
            while not await self._change(self.pace.refused(reason, self._clock(), retry_after=retry_after, luck=luck)):
                await self._look()

    async def _change(self, pace: Pace) -> bool:
        """Compare and set."""
        lives = max(pace.free_at, pace.paused_until) - self._clock() + FORGOTTEN_AFTER_SECONDS
        body = msgspec.json.encode(pace)
        sequence = await self._shares.swap(self._key, body, expected=self._sequence, seconds=lives)
        if sequence is None:
            return False
        self._sequence = sequence
        self.pace = pace
        return True

    async def _look(self) -> None:
        """See what others have made of it."""
        body, self._sequence = await self._shares.read(self._key)
        self.pace = Pace()
        if body:
            with suppress(msgspec.DecodeError):
                self.pace = msgspec.json.decode(body, type=Pace)


def _too_late(turn: _Turn, seconds: float) -> ProviderFailed:
    failure = "rate_limited" if turn.reason == "paced" else turn.reason
    words = f"No turn within the patience of {turn.priority} calls ({turn.reason}); the next one is in {seconds:.0f} s"
    return ProviderFailed(failure, words, retry_after_seconds=max(seconds, 0.0), reached=False)
