"""A stand-in for the ledger: it answers every question about AI's cost from what a test put there."""

from dataclasses import dataclass, field
from typing import Any

from tonetouch_contracts.job import JobView, ListJobs
from tonetouch_contracts.ledger import (
    BudgetSet,
    BudgetView,
    Caching,
    CachingLine,
    Economics,
    ExportJobs,
    Latency,
    ListBudgets,
    ListUnaccounted,
    Replay,
    ReplayJob,
    SetBudget,
    ShowCaching,
    ShowEconomics,
    ShowLatency,
    ShowSpent,
    ShowThrottling,
    ShowUsage,
    Spent,
    Throttling,
    Trace,
    TraceText,
    Usage,
    UsageLine,
    budget_id,
)
from tonetouch_contracts.message import Event, Page
from tonetouch_runtime import Answered, Floor, Refused, Router, decode_cursor, encode_cursor

TODAY = "2026-11-22"


class Budget:
    """A noun without rules."""

    def evolve(self, event: Event) -> "Budget":
        return self


def usage_line(*group: str | None, **said: Any) -> UsageLine:
    """A line in which nothing was used, but for what is said."""
    fields: dict[str, Any] = dict.fromkeys(UsageLine.__struct_fields__, 0)
    return UsageLine(**(fields | {"group": group, "latency_ms": 0.0} | said))


def caching_line(*group: str | None, **said: Any) -> CachingLine:
    """A line in which nothing was there already, but for what is said."""
    fields: dict[str, Any] = dict.fromkeys(CachingLine.__struct_fields__, 0)
    unknown = {"exact_ratio": None, "prompt_ratio": None, "prompt_saved_pico_usd": None}
    return CachingLine(**(fields | unknown | {"group": group} | said))


def job(**said: Any) -> JobView:
    """A row of which only what has to be known is known, and what is said."""
    fields: dict[str, Any] = dict.fromkeys(JobView.__struct_fields__)
    fields |= {"id": "j", "attempt": 1, "type": "embeddings", "feature": "ingest.embed", "subject": "track:t"}
    fields |= {"provider": "local", "model": "m", "input_hash": "h", "outcome": "succeeded", "purpose": "serve"}
    fields |= {"priority": "ingest", "considered": (), "quantities": ()}
    return JobView(**(fields | said))


@dataclass
class Ledger:
    """What the ledger knows and what it was asked. Rows come in pages of as many as were asked for."""

    jobs: list[JobView] = field(default_factory=list)
    answers: dict[type[Any], Any] = field(default_factory=dict)
    budgets: dict[str, BudgetView] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    pages_before_it_breaks: int = 1000

    def router(self) -> Router:
        """The questions it answers."""
        router = Router()
        router.answers(ListJobs)(self._list_jobs)
        router.answers(ListUnaccounted)(self._list_unaccounted)
        router.answers(ExportJobs)(self._export)
        router.answers(ShowUsage)(self._usage)
        router.answers(ShowCaching)(self._caching)
        router.answers(ShowEconomics)(self._economics)
        router.answers(ShowLatency)(self._latency)
        router.answers(ShowThrottling)(self._throttling)
        router.answers(ListBudgets)(self._list_budgets)
        router.answers(SetBudget)(self._set_budget)
        router.answers(ShowSpent)(self._spent)
        router.answers(TraceText)(self._trace)
        router.answers(ReplayJob)(self._replay)
        return router

    def forget(self) -> None:
        """Be as new."""
        for known in (self.jobs, self.answers, self.budgets, self.asked):
            known.clear()
        self.pages_before_it_breaks = 1000

    def last(self, kind: type[Any]) -> Any:
        """The last command of this kind that was asked."""
        return next(command for command in reversed(self.asked) if isinstance(command, kind))

    def _answer(self, command: Any, otherwise: Any) -> Any:
        self.asked.append(command)
        answer = self.answers.get(type(command), otherwise)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _page(self, rows: list[JobView], command: ExportJobs | ListUnaccounted | ListJobs) -> Page[JobView]:
        self.asked.append(command)
        start = int(decode_cursor(command.cursor, int)[0]) if command.cursor else 0
        end = start + command.limit
        return Page(items=tuple(rows[start:end]), next_cursor=encode_cursor(end) if end < len(rows) else None)

    async def _list_jobs(self, command: ListJobs, _: Floor) -> Page[JobView]:
        return self._page([row for row in self.jobs if command.job_id in (None, row.id)], command)

    async def _list_unaccounted(self, command: ListUnaccounted, _: Floor) -> Page[JobView]:
        return self._page([row for row in self.jobs if row.cost_pico_usd is None], command)

    async def _export(self, command: ExportJobs, _: Floor) -> Page[JobView]:
        pages = sum(isinstance(earlier, ExportJobs) for earlier in self.asked)
        if pages >= self.pages_before_it_breaks:
            raise Refused("unavailable", "The ledger is gone.")
        return self._page(self.jobs, command)

    async def _usage(self, command: ShowUsage, _: Floor) -> Usage:
        empty = Usage(group_by=command.group_by, lines=(), total=usage_line(), source="roll_ups")
        answer: Usage = self._answer(command, empty)
        return answer

    async def _caching(self, command: ShowCaching, _: Floor) -> Caching:
        answer: Caching = self._answer(command, Caching(group_by=command.group_by, lines=(), total=caching_line()))
        return answer

    async def _economics(self, command: ShowEconomics, _: Floor) -> Economics:
        answer: Economics = self._answer(command, Economics(lines=()))
        return answer

    async def _latency(self, command: ShowLatency, _: Floor) -> Latency:
        empty = Latency(group_by=command.group_by, lines=(), source="rows", error_ratio=0.0)
        answer: Latency = self._answer(command, empty)
        return answer

    async def _throttling(self, command: ShowThrottling, _: Floor) -> Throttling:
        answer: Throttling = self._answer(command, Throttling(every=command.every, lines=()))
        return answer

    async def _list_budgets(self, command: ListBudgets, _: Floor) -> Page[BudgetView]:
        self.asked.append(command)
        return Page(items=tuple(self.budgets.values()))

    async def _set_budget(self, command: SetBudget, floor: Floor) -> Answered[BudgetView]:
        self.asked.append(command)
        if not (command.feature or command.user):
            raise Refused("invalid", "A budget is of a feature, a user, or both.")
        key = budget_id(command.feature, command.user)
        said: dict[str, Any] = {name: getattr(command, name) for name in command.__struct_fields__}
        said |= {"budget_id": key, "set_at": "2026-11-22T10:00:00Z"}
        self.budgets[key] = BudgetView(**said, day=TODAY, spent_pico_usd=0, refused=0)
        outcome = await floor.log.transact("AI", key, Budget(), lambda _: BudgetSet(**said))
        return Answered(value=self.budgets[key], positions=outcome.positions)

    async def _spent(self, command: ShowSpent, _: Floor) -> Spent:
        nothing = Spent(day=command.day or TODAY, spent_pico_usd=0, calls=0, unpriced=0, running=0, budgets=())
        answer: Spent = self._answer(command, nothing)
        return answer

    async def _trace(self, command: TraceText, _: Floor) -> Trace:
        answer: Trace = self._answer(command, Refused("not_found", f"There is no job {command.job_id}."))
        return answer

    async def _replay(self, command: ReplayJob, _: Floor) -> Replay:
        answer: Replay = self._answer(command, Refused("not_found", f"There is no job {command.job_id}."))
        return answer
