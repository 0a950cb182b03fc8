"""The command `tonetouch ai-check`: one small call for each task, through the client that the services use.

The routing table says who answers; of further providers that are configured for the task, one target each is asked too,
so that every key is tried. The calls are paced and accounted like any other and cost what they cost. Nothing comes out
of a cache: a second check is a check too.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
from rich.table import Table

from tonetouch_contracts.job import JobRecorded
from tonetouch_deploy.ai_check_questions import QUESTIONS, Answers, in_words
from tonetouch_deploy.ledger_showing import UNKNOWN, Column, count, dollars, milliseconds, table, text
from tonetouch_deploy.nats_accounts import OPERATOR
from tonetouch_deploy.settings import CannotStartError
from tonetouch_runtime import Bus, Log, Objects, SystemClock, TonetouchError
from tonetouch_runtime import Settings as RuntimeSettings
from tonetouch_runtime.ai import AIUnavailable, Whose
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect, providers_of, routes_of
from tonetouch_runtime.ai.providers import Target
from tonetouch_runtime.ai.routing import Route, Routes
from tonetouch_runtime.ai.tasks import Request, SpeechResult
from tonetouch_runtime.ai.upstream import LOCAL

FEATURE = "ai-check"
_CONNECT_SECONDS = 5.0


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How the call for one task ended: with an answer, for want of a setting, or with a failure."""

    task: str
    answer: str = ""
    missing: str = ""
    failure: str = ""
    job: JobRecorded | None = None


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """The client as a service has it, and the targets that are configured, in the order of the routing table."""

    ai: AIClient
    log: Log
    clock: SystemClock
    configured: tuple[Target, ...]


async def check_ai(client: Client) -> AsyncIterator[Check]:
    """Ask one question of every task, one after the other. What goes wrong with a call is what is told of it."""
    answers = Answers()
    for question in QUESTIONS:
        asked = question(answers)
        first = await _check(client, asked, FEATURE, answers)
        yield first
        seen = {first.job.provider if first.job else ""}
        for target in client.configured:
            if target.task == asked.task() and target.provider not in seen:
                seen.add(target.provider)
                yield await _check(client, asked, _feature_of(target), answers)


async def all_checks(settings: RuntimeSettings) -> list[Check]:
    """Check an installation. Raises CannotStartError where it does not run, Misconfigured where a setting is wrong."""
    async with connected(settings) as client:
        return [check async for check in check_ai(client)]


@asynccontextmanager
async def connected(settings: RuntimeSettings) -> AsyncIterator[Client]:
    """The client as a service has it. Raises CannotStartError where there is no bus."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        try:
            bus = await asyncio.wait_for(Bus.join(settings, OPERATOR), _CONNECT_SECONDS)
        except TimeoutError:
            raise CannotStartError(
                "There is no bus at TONETOUCH_NATS_URL; start everything with `uv run just up`."
            ) from None
        stack.push_async_callback(bus.close)
        objects = Objects(settings.object_store)
        stack.push_async_callback(objects.close)
        log = Log(bus, clock, service=FEATURE, settle_seconds=settings.settle_seconds)
        providers, routes = providers_of(settings), routes_of(settings)
        configured = _configured(routes, providers)
        upstream = connect(
            settings, bus=bus, log=log, clock=clock, providers=providers, routes=_with_each(configured, routes)
        )
        ai = AIClient(service=FEATURE, bus=bus, log=log, objects=objects, clock=clock, upstream=upstream)
        stack.push_async_callback(ai.close)
        yield Client(ai=ai, log=log, clock=clock, configured=configured)


def check_table(checks: Iterable[Check]) -> Table:
    """What came back for each task, from where, what was used and what it cost."""
    rows = [{"check": check, "outcome": "failed" if check.failure else None} for check in checks]
    columns = [
        Column("task", lambda row: row["check"].task, right=False),
        Column("target", lambda row: _target(row["check"]), right=False),
        Column("what came back", lambda row: text(_came_back(row["check"])), right=False),
        Column("used", lambda row: _used(row["check"].job), right=False),
        Column("cost", lambda row: dollars(_cost(row["check"].job))),
        Column("took", lambda row: milliseconds(row["check"].job and row["check"].job.latency_ms)),
    ]
    return table("one small call for each task", columns, rows)


def waiting_for(checks: Iterable[Check]) -> dict[str, list[str]]:
    """What would have to be set for targets that were passed over, and those targets by name."""
    ways: dict[str, list[str]] = {}
    for check in checks:
        for one in check.job.considered if check.job else ():
            if one.passed_over.startswith("set "):
                ways.setdefault(one.passed_over, []).append(one.target)
    return ways


def _configured(routes: Routes, providers: Collection[str]) -> tuple[Target, ...]:
    """What the routes of our questions name and some provider serves, without the embedded engines."""
    tasks = dict.fromkeys(question(Answers()).task() for question in QUESTIONS)
    named = (target for task in tasks for target in routes.candidates(routes.route(task, FEATURE)))
    return tuple(one for one in named if one.provider in providers and one.provider != LOCAL)


def _with_each(targets: Iterable[Target], routes: Routes) -> Routes:
    """The same routes behind one for each target, by which it alone is asked."""
    alone = [Route(task=one.task, feature=_feature_of(one), candidates=(one.name,), embedded=False) for one in targets]
    return Routes(FEATURE, routes.providers, routes.targets, [*alone, *routes.routes])


def _feature_of(target: Target) -> str:
    return f"{FEATURE}.{target.name}"


async def _check(client: Client, question: Request[Any], feature: str, answers: Answers) -> Check:
    task, job_id = question.task(), client.clock.new_id()
    whose = Whose(feature=feature, subject=FEATURE, job_id=job_id, purpose="evaluate", share=False)
    try:
        answered = await client.ai.ask(question, whose)
    except AIUnavailable as error:
        job = await _recorded(client.log, job_id)
        if job is None or job.target is None:
            return Check(task=task, missing=error.setting)
        # Somebody was asked and turned us away: what is set is wrong.
        return Check(task=task, failure=error.setting, job=job)
    except TonetouchError as error:
        return Check(task=task, failure=str(error), job=await _recorded(client.log, job_id))
    if isinstance(answered.result, SpeechResult):
        answers.recording = answered.result
    return Check(task=task, answer=in_words(answered.result), job=await _recorded(client.log, job_id))


async def _recorded(log: Log, job_id: str) -> JobRecorded | None:
    """The end of the job, from the log itself: the ledger's table may be a moment behind."""
    facts = [fact.event for fact in await log.history("AI", job_id)]
    return next((event for event in reversed(facts) if isinstance(event, JobRecorded)), None)


def _came_back(check: Check) -> str:
    # Why each target was passed over is in the ledger; here it would be a page.
    return check.answer or check.failure or f"No model answers: {check.missing.partition(' Passed over:')[0]}"


def _target(check: Check) -> str:
    job = check.job
    return UNKNOWN if job is None or job.target is None else text(job.target)


def _used(job: JobRecorded | None) -> str:
    if job is None or not job.quantities:
        return UNKNOWN
    said = (f"{count(one.amount)} {one.unit.replace('_', ' ')} {one.direction}" for one in job.quantities)
    return ", ".join(said) + (f" ({job.usage_source})" if job.usage_source != "reported" else "")


def _cost(job: JobRecorded | None) -> Decimal | None:
    cost = job.cost_pico_usd if job is not None else None
    return None if cost is None else Decimal(cost).scaleb(-12)
