"""Budgets are kept by all processes together, before the money is spent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.msg import Msg

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import BudgetExhausted, JobStarted
from tonetouch_contracts.ledger import BudgetView, ListBudgets, ShowSpent, Spent, WhenExhausted, budget_id
from tonetouch_contracts.manifest import AI_SHARES, stream_of
from tonetouch_contracts.message import Page
from tonetouch_contracts.subjects import command_subject
from tonetouch_runtime import Bus, Log, Settings, Unavailable
from tonetouch_runtime.ai.accounting import Job
from tonetouch_runtime.ai.budgeting import HELD_MINUTES, Budgets, BudgetSpent, Reservation, Till
from tonetouch_runtime.ai.errors import AIBudgetSpent
from tonetouch_runtime.provisioning import apply
from tonetouch_runtime.testing import HandClock

DAY = "2026-11-22"
JOB = "019aaaca-d1a0-7c1e-8f3b-2b6a4d1f9e70"
FEATURE = "copy.bio"


class Ledger:
    """What the ledger answers in these tests: budgets, sums, and how often it was asked."""

    def __init__(self) -> None:
        self.budgets: list[BudgetView] = []
        self.spent: dict[tuple[str | None, str | None, str | None], int] = {}
        self.asked = 0

    def set(
        self,
        limit: int,
        *,
        feature: str | None = FEATURE,
        user: str | None = None,
        spent: int = 0,
        when_exhausted: WhenExhausted = "fall_back",
    ) -> None:
        self.budgets.append(
            BudgetView(
                budget_id=budget_id(feature, user),
                feature=feature,
                user=user,
                limit_pico_usd=limit,
                when_exhausted=when_exhausted,
                set_at=f"{DAY}T00:00:00.000000Z",
                day=DAY,
                spent_pico_usd=spent,
                refused=0,
            )
        )

    def list_budgets(self, command: ListBudgets) -> Page[BudgetView]:
        """One on each page."""
        self.asked += 1
        start = int(command.cursor or 0)
        more = str(start + 1) if start + 1 < len(self.budgets) else None
        return Page(items=tuple(self.budgets[start : start + 1]), next_cursor=more)

    def show_spent(self, command: ShowSpent) -> Spent:
        spent = self.spent.get((command.feature, command.user, command.day), 0)
        return Spent(day=command.day or "", spent_pico_usd=spent, calls=0, unpriced=0, running=0, budgets=())


class House:
    """A ledger, and processes that keep to its budgets, on one bus and by one clock."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.ledger = Ledger()
        self.clock = HandClock(datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
        self._settings = settings
        self._stack = stack

    async def open(self) -> None:
        """The ledger answers from now on."""
        bus = await self.bus()

        async def list_budgets(asked: Msg) -> None:
            answer = self.ledger.list_budgets(msgspec.json.decode(asked.data, type=ListBudgets))
            await asked.respond(msgspec.json.encode({"value": answer}))

        async def show_spent(asked: Msg) -> None:
            answer = self.ledger.show_spent(msgspec.json.decode(asked.data, type=ShowSpent))
            await asked.respond(msgspec.json.encode({"value": answer}))

        await bus.nats.subscribe(command_subject(ListBudgets), cb=list_budgets)
        await bus.nats.subscribe(command_subject(ShowSpent), cb=show_spent)
        await bus.nats.flush()

    async def process(self, *, refresh_seconds: float = 600.0) -> Budgets:
        """Another process; it asks for the budgets once, unless it is told otherwise."""
        bus = await self.bus()
        log = Log(bus, self.clock, service="tests", settle_seconds=10.0)
        budgets = Budgets(bus, log, self.clock, refresh_seconds=refresh_seconds)
        self._stack.push_async_callback(budgets.close)
        return budgets

    async def bus(self) -> Bus:
        bus = await Bus.connect(self._settings.nats_url, "tests")
        self._stack.push_async_callback(bus.close)
        return bus

    async def exhausted(self) -> list[BudgetExhausted]:
        """What was said of exhausted budgets."""
        bus = await self.bus()
        last = (await bus.jetstream.stream_info("AI")).state.last_seq
        found = [await bus.jetstream.get_msg("AI", sequence) for sequence in range(1, last + 1)]
        return [msgspec.json.decode(one.data or b"", type=BudgetExhausted) for one in found]


@pytest.fixture(name="house")
async def _house(settings: Settings) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        house = House(settings, stack)
        await apply((await house.bus()).jetstream, [stream_of(JobStarted)], (), ())
        yield house


def a_job(*, feature: str = FEATURE, user: str | None = None) -> Job:
    return Job(
        job_id=JobId(JOB),
        attempt=1,
        type="chat",
        feature=feature,
        subject="artist:1",
        user=user,
        provider="anthropic",
        gateway=None,
        model="far-model",
        input_hash="0" * 64,
        input_ref=None,
    )


async def test_what_is_held_is_not_there_for_others(house: House) -> None:
    """Two processes share a budget: the second is refused what the first holds, and gets what it gives back."""
    house.ledger.set(100)
    await house.open()
    one, other = await house.process(), await house.process()
    held = await one.reserve(a_job(), 60)
    with pytest.raises(BudgetSpent) as refused:
        await other.reserve(a_job(), 60)
    assert refused.value.may_fall_back
    assert isinstance(refused.value, AIBudgetSpent)
    await held.settle(10)
    await (await other.reserve(a_job(), 60)).release()
    await other.reserve(a_job(), 90)
    with pytest.raises(BudgetSpent):
        await one.reserve(a_job(), 1)


async def test_processes_that_ask_at_once_never_overdraw(house: House) -> None:
    """Of forty calls at once for three each, a budget of a hundred lets thirty-three pass."""
    house.ledger.set(100)
    await house.open()
    processes = [await house.process() for _ in range(4)]
    asked = (process.reserve(a_job(), 3) for process in processes for _ in range(10))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in answers].count(Reservation) == 33
    assert [type(one) for one in answers].count(BudgetSpent) == 7


async def test_a_refusal_says_whose_budget_how_much_and_whether_to_fall_back(house: House) -> None:
    """In dollars, for a person; and for the router whether another target may be asked."""
    house.ledger.set(2 * 10**12, spent=15 * 10**11, when_exhausted="refuse")
    await house.open()
    with pytest.raises(BudgetSpent) as refused:
        await (await house.process()).reserve(a_job(), 10**12)
    assert refused.value.problem.detail == (
        "Of the day's 2 USD of feature copy.bio 0.5 USD are left, and the call may cost 1 USD."
    )
    assert not refused.value.may_fall_back


async def test_a_call_comes_under_its_feature_its_user_and_both(house: House) -> None:
    """All three are held, and where one has not enough none of the others keeps anything held."""
    house.ledger.set(100)
    house.ledger.set(100, feature=None, user="u1")
    house.ledger.set(10, user="u1")
    house.ledger.set(1, feature="dj")
    house.ledger.set(1, user="u2")
    await house.open()
    budgets = await house.process()
    with pytest.raises(BudgetSpent, match=r"feature copy\.bio and user u1 .* are left"):
        await budgets.reserve(a_job(user="u1"), 50)
    await budgets.reserve(a_job(), 100)
    with pytest.raises(BudgetSpent):
        await budgets.reserve(a_job(), 1)
    await budgets.reserve(a_job(feature="mood", user="u1"), 100)
    await budgets.reserve(a_job(feature="mood"), 10**15)


async def test_without_a_budget_there_is_no_round_trip(house: House) -> None:
    """The ledger is asked once; nothing is written, and free calls are not even asked about."""
    house.ledger.set(1, feature="dj")
    await house.open()
    budgets = await house.process()
    await budgets.reserve(a_job(feature="dj"), 0)
    assert house.ledger.asked == 0
    for _ in range(20):
        await (await budgets.reserve(a_job(), 10**15)).settle(10**15)
        assert await budgets.spent(a_job()) is None
    assert house.ledger.asked == 1
    assert (await (await house.bus()).jetstream.stream_info(AI_SHARES.name)).state.last_seq == 0


async def test_what_the_ledger_has_recorded_counts(house: House) -> None:
    """A day that is under way begins with its sum; a sum that is corrected upwards is believed."""
    house.ledger.set(100)
    house.ledger.spent[FEATURE, None, DAY] = 70
    await house.open()
    budgets = await house.process(refresh_seconds=0.0)
    await (await budgets.reserve(a_job(), 20)).settle(5)
    house.ledger.budgets.clear()
    house.ledger.set(100, spent=95)

    async def is_refused() -> bool:
        try:
            await (await budgets.reserve(a_job(), 10)).release()
        except BudgetSpent:
            return True
        return False

    async with asyncio.timeout(20):
        while not await is_refused():
            await asyncio.sleep(0.01)
    await budgets.reserve(a_job(), 5)


async def test_a_state_that_was_lost_begins_anew_from_the_ledger(house: House) -> None:
    """The shared state is no truth: the sums are the ledger's."""
    house.ledger.set(100)
    await house.open()
    budgets = await house.process()
    await (await budgets.reserve(a_job(), 40)).settle(40)
    await (await house.bus()).jetstream.purge_stream(AI_SHARES.name)
    house.ledger.spent[FEATURE, None, DAY] = 40
    with pytest.raises(BudgetSpent):
        await budgets.reserve(a_job(), 61)
    await budgets.reserve(a_job(), 60)


async def test_a_new_day_begins_with_nothing_spent(house: House) -> None:
    """At midnight UTC; what was held before belongs to the day before."""
    house.ledger.set(100, spent=90)
    house.ledger.spent[FEATURE, None, DAY] = 90
    await house.open()
    budgets = await house.process()
    late = await budgets.reserve(a_job(), 10)
    house.clock.turn(hours=12)
    await budgets.reserve(a_job(), 100)
    await late.settle(10)
    with pytest.raises(BudgetSpent):
        await budgets.reserve(a_job(), 1)


async def test_what_nobody_settles_is_free_again_after_a_while(house: House) -> None:
    """A process that was killed keeps nothing for ever."""
    house.ledger.set(100)
    await house.open()
    killed, other = await house.process(), await house.process()
    await killed.reserve(a_job(), 100)
    house.clock.turn(minutes=HELD_MINUTES)
    with pytest.raises(BudgetSpent):
        await other.reserve(a_job(), 1)
    house.clock.turn(minutes=1)
    await other.reserve(a_job(), 100)


async def test_an_unknown_price_passes_as_long_as_anything_is_left(house: House) -> None:
    """And an unknown cost counts as what was held."""
    house.ledger.set(100)
    await house.open()
    budgets = await house.process()
    await (await budgets.reserve(a_job(), None)).settle(99)
    held = await budgets.reserve(a_job(), 1)
    await held.settle(None)
    with pytest.raises(BudgetSpent, match="the price of the call is not known"):
        await budgets.reserve(a_job(), None)


async def test_a_reservation_is_settled_once(house: House) -> None:
    """Releasing it in the end, as a finally block would, takes nothing back."""
    house.ledger.set(100)
    await house.open()
    budgets = await house.process()
    held = await budgets.reserve(a_job(), 60)
    await held.settle(60)
    await held.release()
    await held.settle(60)
    await budgets.reserve(a_job(), 40)


async def test_whether_a_budget_is_spent_can_be_asked_before_a_target_is_chosen(house: House) -> None:
    """It holds nothing, and sees what others gave back."""
    house.ledger.set(100)
    await house.open()
    one, other = await house.process(), await house.process()
    assert await one.spent(a_job()) is None
    held = await other.reserve(a_job(), 100)
    assert isinstance(await (await house.process()).spent(a_job()), BudgetSpent)
    await held.settle(50)
    assert await other.spent(a_job(), 50) is None
    assert isinstance(await other.spent(a_job(), 51), BudgetSpent)
    assert await other.spent(a_job(), 0) is None


async def test_that_a_budget_is_exhausted_is_said_once_for_a_day_and_a_limit(house: House) -> None:
    """Not once for every call that is refused, and not by every process."""
    house.ledger.set(100, spent=20)
    house.ledger.spent[FEATURE, None, DAY] = 20
    await house.open()
    for _ in range(2):
        budgets = await house.process()
        for _ in range(3):
            with pytest.raises(BudgetSpent):
                await budgets.reserve(a_job(), 81)
    [said] = await house.exhausted()
    assert said == BudgetExhausted(
        budget_id=budget_id(FEATURE, None),
        feature=FEATURE,
        user=None,
        day=DAY,
        limit_pico_usd=100,
        spent_pico_usd=20,
        needed_pico_usd=81,
        job_id=JobId(JOB),
        exhausted_at="2026-11-22T12:00:00.000000Z",
    )
    house.ledger.budgets.clear()
    house.ledger.set(200, spent=20)
    with pytest.raises(BudgetSpent):
        await (await house.process()).reserve(a_job(), 181)
    assert [one.limit_pico_usd for one in await house.exhausted()] == [100, 200]


async def test_a_ledger_that_was_never_heard_stops_nobody(house: House) -> None:
    """Nothing is known of any budget then; once it answers its budgets are kept."""
    budgets = await house.process(refresh_seconds=0.0)
    await budgets.reserve(a_job(), 10**15)
    house.ledger.set(100)
    await house.open()

    async def is_refused() -> bool:
        return await budgets.spent(a_job(), 101) is not None

    async with asyncio.timeout(20):
        while not await is_refused():
            await asyncio.sleep(0.01)


async def test_without_the_shared_state_a_budgeted_call_is_not_made(house: House) -> None:
    """Settling is no reason to fail a call that was made."""
    house.ledger.set(100)
    await house.open()
    budgets = await house.process()
    held = await budgets.reserve(a_job(), 10)
    await (await house.bus()).jetstream.delete_stream(AI_SHARES.name)
    await held.settle(10)
    with pytest.raises(Unavailable, match="AI_SHARES"):
        await budgets.reserve(a_job(), 10)


holds = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 100), st.integers(0, 150)), max_size=30)


@given(holds)
def test_nothing_is_lost_between_holding_and_settling(asked: list[tuple[int, int, int]]) -> None:
    """Whatever is held and settled in whatever order: in the end all that is gone is what it cost."""
    till = Till(before=7)
    for owner, amount, _ in asked:
        till = till.hold(f"115.{owner}", amount, 100)
    assert till.held_in(100) == sum(amount for _, amount, _ in asked)
    for owner, amount, cost in reversed(asked):
        till = till.settle(f"115.{owner}", amount, cost)
    assert till.held == {}
    assert till.left(10_000, 0, 100) == 10_000 - 7 - sum(cost for _, _, cost in asked)
