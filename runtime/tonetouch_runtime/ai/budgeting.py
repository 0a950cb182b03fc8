"""Keeping to budgets: what a call may cost is held before it is made, and what it did cost is settled after.

Budgets are the ledger's. Each process asks for them every few seconds, and a call that comes under none takes no round
trip. What is left of one is known to all processes: a message for each budget and day, changed by comparing and
setting, holds what was spent and what is held. It starts from the ledger's sum, and the ledger's sum is believed
whenever it is larger: a price that was corrected, or a process that was killed before it could settle.
"""

import asyncio
import math
import os
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from tonetouch_contracts.job import BudgetExhausted
from tonetouch_contracts.ledger import BudgetView, ListBudgets, ShowSpent
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.accounting import Job
from tonetouch_runtime.ai.errors import AIBudgetSpent
from tonetouch_runtime.ai.shares import Shares
from tonetouch_runtime.errors import TonetouchError, Unavailable

REFRESH_SECONDS = 5.0
"""How old what a process knows of the budgets may be before it asks again."""

HELD_MINUTES = 15
"""How long money is held for a call that nobody settles; longer than any call takes."""

MOST_BUDGETS = 2_000
_PAGE = 200
_ASK_SECONDS = 2.0
_USD = 10**12

log = structlog.get_logger()


class BudgetSpent(AIBudgetSpent):
    """A budget has not enough left for a call. `may_fall_back` says whether a cheaper target may be asked instead."""

    def __init__(self, budget: BudgetView, *, left: int, needed: int | None) -> None:
        whose = " and ".join(
            words
            for words, name in ((f"feature {budget.feature}", budget.feature), (f"user {budget.user}", budget.user))
            if name
        )
        wants = "the price of the call is not known" if needed is None else f"the call may cost {_usd(needed)}"
        limit = budget.limit_pico_usd or 0
        super().__init__(f"Of the day's {_usd(limit)} of {whose} {_usd(max(left, 0))} are left, and {wants}.")
        self.budget = budget
        self.may_fall_back = budget.when_exhausted == "fall_back"


class Till(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What processes share of a budget on one day, in pico-dollars.

    `before` is what the ledger had when the state began, `spent` was settled since. `held` is by who holds it and the
    minute since 1970 until which: ``<minute>.<owner>``. `told` are the limits at which it was said to be exhausted.
    """

    before: int = 0
    spent: int = 0
    held: Mapping[str, int] = msgspec.field(default_factory=dict)
    told: tuple[int, ...] = ()

    def held_in(self, minute: int) -> int:
        """What is held in this minute; what nobody settled in time is not held any more."""
        return sum(amount for mark, amount in self.held.items() if _minute_of(mark) >= minute)

    def left(self, limit: int, recorded: int, minute: int) -> int:
        """What is left of a limit, when the ledger has so much recorded."""
        return limit - max(self.before + self.spent, recorded) - self.held_in(minute)

    def hold(self, mark: str, amount: int, minute: int) -> "Till":
        """With so much more held."""
        held = {one: much for one, much in self.held.items() if _minute_of(one) >= minute}
        return msgspec.structs.replace(self, held={**held, mark: held.get(mark, 0) + amount})

    def settle(self, mark: str, amount: int, cost: int) -> "Till":
        """With `amount` of what was held given back, and `cost` spent."""
        rest = {**self.held, mark: self.held.get(mark, 0) - amount}
        held = {one: much for one, much in rest.items() if much > 0}
        return msgspec.structs.replace(self, held=held, spent=self.spent + cost)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Money held of one budget."""

    key: str
    budget: BudgetView
    day: str
    mark: str
    amount: int


class Reservation:
    """Money held for one call, of every budget it comes under. It is settled once; whatever comes after is nothing."""

    def __init__(self, budgets: "Budgets", holds: Sequence[Hold] = ()) -> None:
        self._budgets = budgets
        self._holds = tuple(holds)

    async def settle(self, cost_pico_usd: int | None) -> None:
        """What the call has cost. Where that is not known, what was held counts as spent.

        Never raises Unavailable: what cannot be settled stays held for a while, and the ledger knows the cost.
        """
        holds, self._holds = self._holds, ()
        for hold in holds:
            await self._budgets._settle(hold, hold.amount if cost_pico_usd is None else cost_pico_usd)

    async def release(self) -> None:
        """The call was not made."""
        await self.settle(0)


class Budgets:
    """The budgets as one process keeps to them.

    As long as the ledger has never answered nothing is known of any budget, and calls are made: a ledger that is down
    stops nobody. Where the bus does not answer `spent` and `reserve` raise Unavailable.
    """

    def __init__(self, bus: Bus, log: Log, clock: Clock, *, refresh_seconds: float = REFRESH_SECONDS) -> None:
        self._bus = bus
        self._log = log
        self._clock = clock
        self._shares = Shares(bus)
        self._refresh_seconds = refresh_seconds
        self._owner = os.urandom(6).hex()
        self._known: dict[tuple[str | None, str | None], BudgetView] | None = None
        self._asked_at = -math.inf
        self._asking: asyncio.Task[None] | None = None
        self._tills: dict[str, tuple[Till, int]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def spent(self, job: Job, needed_pico_usd: int | None = None) -> BudgetSpent | None:
        """The budget that has not enough left for a call that costs so much, or nothing at all; None where all have.

        It holds nothing, and takes no round trip unless the answer is no.
        """
        for budget in await self._covering(job.feature, job.user) if needed_pico_usd != 0 else ():
            hold = self._held_of(budget, needed_pico_usd)
            async with self._locks[hold.key]:
                if (spent := await self._refusal(hold, needed_pico_usd, job)) is not None:
                    return spent
        return None

    async def reserve(self, job: Job, needed_pico_usd: int | None) -> Reservation:
        """Hold what a call is expected to cost at most; nothing where it is free or comes under no budget.

        A call without a known price passes as long as anything is left. Raises BudgetSpent where one of its budgets
        has not enough; nothing is held then.
        """
        budgets = await self._covering(job.feature, job.user) if needed_pico_usd != 0 else ()
        holds: list[Hold] = []
        try:
            for budget in budgets:
                holds.append(await self._hold(budget, needed_pico_usd, job))  # noqa: PERF401 (kept if one fails)
        except BaseException:
            await Reservation(self, holds).release()
            raise
        return Reservation(self, holds)

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _covering(self, feature: str, user: str | None) -> list[BudgetView]:
        """The budgets a call comes under, as last heard of."""
        if self._asking is None and time.monotonic() - self._asked_at > self._refresh_seconds:
            self._asking = asyncio.create_task(self._refresh())
        if self._known is None and self._asking is not None:
            await asyncio.wait([self._asking])
        known = self._known or {}
        names = dict.fromkeys(((feature, None), (None, user), (feature, user)))
        return [known[name] for name in names if name in known]

    async def _refresh(self) -> None:
        known: dict[tuple[str | None, str | None], BudgetView] = {}
        cursor: str | None = None
        try:
            while len(known) < MOST_BUDGETS:
                question = ListBudgets(limit=_PAGE, cursor=cursor)
                page = (await self._bus.ask(question, timeout=_ASK_SECONDS)).value
                known |= {(one.feature, one.user): one for one in page.items if one.limit_pico_usd is not None}
                if (cursor := page.next_cursor) is None:
                    break
            self._known = known
        except TonetouchError as error:
            log.warning("budgets_not_heard", known=self._known is not None, error=str(error))
        finally:
            self._asked_at, self._asking = time.monotonic(), None

    async def _hold(self, budget: BudgetView, needed: int | None, job: Job) -> Hold:
        hold = self._held_of(budget, needed)
        async with self._locks[hold.key]:
            while True:
                if (spent := await self._refusal(hold, needed, job)) is not None:
                    raise spent
                if await self._change(hold.key, self._tills[hold.key][0].hold(hold.mark, hold.amount, self._minute())):
                    return hold
                await self._look_again(hold)

    def _held_of(self, budget: BudgetView, needed: int | None) -> Hold:
        day = self._day()
        mark = f"{self._minute() + HELD_MINUTES}.{self._owner}"
        return Hold(key=f"budget-{budget.budget_id}-{day}", budget=budget, day=day, mark=mark, amount=needed or 0)

    async def _refusal(self, hold: Hold, needed: int | None, job: Job) -> BudgetSpent | None:
        """Why a budget lets no call pass, after looking at what others have made of it; None if it does."""
        if hold.key in self._tills and self._left(hold) >= (needed or 1):
            return None
        # Others may have settled since: nobody is refused on old news.
        await self._look(hold)
        if (left := self._left(hold)) >= (needed or 1):
            return None
        await self._tell(hold, left, needed or 0, job)
        return BudgetSpent(hold.budget, left=left, needed=needed)

    def _left(self, hold: Hold) -> int:
        budget, (till, _) = hold.budget, self._tills[hold.key]
        recorded = budget.spent_pico_usd if budget.day == hold.day else 0
        return till.left(budget.limit_pico_usd or 0, recorded, self._minute())

    async def _settle(self, hold: Hold, cost: int) -> None:
        try:
            async with self._locks[hold.key]:
                if hold.key not in self._tills:
                    await self._look(hold)
                while not await self._change(hold.key, self._tills[hold.key][0].settle(hold.mark, hold.amount, cost)):
                    await self._look_again(hold)
        except Unavailable as error:
            self._tills.pop(hold.key, None)
            log.warning("budget_not_settled", budget=hold.budget.budget_id, error=str(error))

    async def _tell(self, hold: Hold, left: int, needed: int, job: Job) -> None:
        """Say that a budget is exhausted: once for a day and a limit, whoever meets it."""
        limit = hold.budget.limit_pico_usd or 0
        if limit in self._tills[hold.key][0].told:
            return
        said = BudgetExhausted(
            budget_id=hold.budget.budget_id,
            feature=hold.budget.feature,
            user=hold.budget.user,
            day=hold.day,
            limit_pico_usd=limit,
            spent_pico_usd=limit - left,
            needed_pico_usd=needed,
            job_id=job.job_id,
            exhausted_at=stamp(self._clock.now()),
        )
        await self._log.pour(said)
        while limit not in (till := self._tills[hold.key][0]).told:
            if not await self._change(hold.key, msgspec.structs.replace(till, told=(*till.told, limit))):
                await self._look_again(hold)

    async def _look_again(self, hold: Hold) -> None:
        # Two who met over one state are not to meet over the next one.
        await asyncio.sleep(random.uniform(0, 0.002))  # noqa: S311 (no secret)
        await self._look(hold)

    async def _look(self, hold: Hold) -> None:
        """See what others have made of it; where there is nothing, begin with what the ledger has recorded."""
        body, sequence = await self._shares.read(hold.key)
        if body is not None:
            try:
                self._tills[hold.key] = msgspec.json.decode(body, type=Till), sequence
                return
            except msgspec.DecodeError:
                log.warning("budget_state_unreadable", key=hold.key)
        self._forget_other_days(hold.day)
        self._tills[hold.key] = Till(before=await self._recorded(hold)), sequence

    async def _recorded(self, hold: Hold) -> int:
        budget = hold.budget
        try:
            question = ShowSpent(feature=budget.feature, user=budget.user, day=hold.day)
            return (await self._bus.ask(question, timeout=_ASK_SECONDS)).value.spent_pico_usd
        except TonetouchError as error:
            log.warning("budget_sum_not_heard", budget=budget.budget_id, error=str(error))
            return budget.spent_pico_usd if budget.day == hold.day else 0

    async def _change(self, key: str, till: Till) -> bool:
        now = self._clock.now()
        lives = 86_400 - (now.hour * 60 + now.minute) * 60 - now.second + HELD_MINUTES * 60
        _, expected = self._tills[key]
        sequence = await self._shares.swap(key, msgspec.json.encode(till), expected=expected, seconds=lives)
        if sequence is None:
            return False
        self._tills[key] = till, sequence
        return True

    def _forget_other_days(self, day: str) -> None:
        self._tills = {key: till for key, till in self._tills.items() if key.endswith(day)}

    def _day(self) -> str:
        return self._clock.now().date().isoformat()

    def _minute(self) -> int:
        return int(self._clock.now().timestamp() // 60)


def _minute_of(mark: str) -> int:
    return int(mark.partition(".")[0])


def _usd(pico: int) -> str:
    return f"{pico / _USD:.6g} USD"
