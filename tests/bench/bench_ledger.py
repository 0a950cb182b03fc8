"""The ledger's tables: how fast they follow the log, and how fast they answer, in SQLite and in PostgreSQL.

    TONETOUCH_BENCH_JOBS=50000 TONETOUCH_BENCH_ROWS=1000000 pytest -m bench tests/bench/bench_ledger.py -s

Events are starts and ends of calls as they come: a start and an end each, ends with quantities, costs and users, from
sixteen features of three providers. *Living* goes on in tables that have the first half; *rebuilding* reads the whole
stream into empty ones. All tables of the service that follow AI are kept, as the service keeps them.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
import pytest
from nats.aio.msg import Msg
from sqlalchemy import ColumnElement, Connection, String, cast, func, insert, literal, select

from tests.ai_ledger.jobs import recorded, started
from tests.postgresql import _any_settings, _postgresql, drop_read_database
from tests.runtime.installation import provision
from tonetouch_ai_ledger.app import app
from tonetouch_ai_ledger.latency import SPANS, span_of
from tonetouch_ai_ledger.recording import AIJobRow
from tonetouch_ai_ledger.usage import KEY, SUMS, UsageDayRow
from tonetouch_contracts.job import Attempt, JobRecorded, JobStarted, Quantity
from tonetouch_contracts.ledger import ShowUsage
from tonetouch_runtime import Bus, Decision, Log, Settings, SystemClock, running
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._memory import settle_memory
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._projecting import Projection
from tonetouch_runtime._tables import Database, positions, table_of

__all__ = ["_any_settings", "_postgresql"]

JOBS = int(os.environ.get("TONETOUCH_BENCH_JOBS", "30000"))
ROWS = int(os.environ.get("TONETOUCH_BENCH_ROWS", "1000000"))
ROUNDS = int(os.environ.get("TONETOUCH_BENCH_ROUNDS", "3"))
QUERIES = 15

EVENTS_PER_SECOND, REBUILDING_FASTER, MILLISECONDS = 10_000.0, 1.2, 100.0
SHARES = {"SQLite": 0.25, "PostgreSQL": 0.15}
"""Of bare reading, that keeping the tables has to reach on any machine, however busy."""

FREE_MACHINE = 45_000.0
"""Events a second of bare reading below which a machine has no two cores free."""


@pytest.mark.bench
@pytest.mark.timeout(900)
async def test_keeping_up_and_rebuilding(any_settings: Settings) -> None:
    """A share of what bare reading reaches; with two cores free 10,000 events a second, rebuilding 1.2 times that."""
    await provision(any_settings)
    bus = await Bus.connect(any_settings.nats_url, "bench")
    rates: dict[str, list[float]] = {"reading": [], "living": [], "rebuilding": []}
    try:
        await say(bus, 0, JOBS)
        settle_memory()
        for _ in range(ROUNDS):
            rates["reading"].append(2 * JOBS / await bare_reading(any_settings.nats_url, 2 * JOBS))
            for kind, first in (("rebuilding", 0), ("living", JOBS)):
                async with ledger(any_settings) as read_up_to:
                    await read_up_to(bus, first)
                    rates[kind].append((2 * JOBS - first) / await read_up_to(bus, 2 * JOBS))
                drop_read_database(any_settings, "ai-ledger")
    finally:
        await bus.close()
    best = {kind: max(measured) for kind, measured in rates.items()}
    print(f"\n{where(any_settings)}: " + ", ".join(f"{kind} {rate:,.0f} events/s" for kind, rate in best.items()))
    wanted = SHARES[where(any_settings)]
    assert statistics.median(a / b for a, b in zip(rates["living"], rates["reading"], strict=True)) >= wanted
    assert statistics.median(a / b for a, b in zip(rates["rebuilding"], rates["reading"], strict=True)) >= wanted
    if best["reading"] >= FREE_MACHINE:
        assert best["living"] >= EVENTS_PER_SECOND
        assert best["rebuilding"] >= REBUILDING_FASTER * EVENTS_PER_SECOND


async def bare_reading(url: str, last: int) -> float:
    """Seconds to read the stream by an ordered consumer and to decode it, and to do nothing with it."""
    client = await nats.connect(url)
    decode = msgspec.json.Decoder(JobStarted | JobRecorded).decode
    queue: asyncio.Queue[Msg] = asyncio.Queue(maxsize=4000)
    began, left = time.perf_counter(), last
    await client.jetstream().subscribe(">", stream="AI", ordered_consumer=True, cb=queue.put)
    while left:
        decode((await queue.get()).data)
        left -= 1
    seconds = time.perf_counter() - began
    await client.close()
    return seconds


@asynccontextmanager
async def ledger(settings: Settings) -> AsyncIterator[Any]:
    """Empty tables of a ledger, and how to bring them up to a place in AI; that returns its seconds."""
    read, state = Database.open(settings, "ai-ledger", "read"), Database.open(settings, "ai-ledger", "state")
    entries = [entry for router in app.routers for entry in router.keeping]
    read.create(positions, *(table_of(model) for entry in entries for model in (entry.model, *entry.beside)))
    projections = [
        Projection(
            name=str(table_of(entry.model).name),
            table=table_of(entry.model),
            hears=frozenset(entry.hears),
            project=entry.handler,
            beside=tuple(table_of(model) for model in entry.beside),
        )
        for entry in entries
    ]

    async def read_up_to(bus: Bus, last: int) -> float:
        keeper = Keeper(bus, "AI", projections, read, Lot(state, SystemClock()))
        began = time.perf_counter()
        following = asyncio.create_task(keeper.run())
        await keeper.wait_for(last, 300.0)
        seconds = time.perf_counter() - began
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return seconds

    try:
        yield read_up_to
    finally:
        for database in (read, state):
            database.close()


async def say(bus: Bus, first: int, last: int) -> None:
    """Fill the log with starts and ends of calls, five hundred of each in turn."""
    log = Log(bus, SystemClock(), service="bench")
    for start in range(first, last, 500):
        numbers = range(start, min(start + 500, last))
        for make in (begun, ended):
            events = [make(number) for number in numbers]
            await log.append(*(Decision(entity_id=event.job_id, events=(event,), expected=None) for event in events))


def begun(number: int) -> Attempt:
    """The start of a call."""
    return started(f"0192f0c4-7a1e-7c53-9c0d-{number:012x}", **_kind(number), started_at=_at(number))


def ended(number: int) -> Attempt:
    """Its end, with what it used."""
    return recorded(
        f"0192f0c4-7a1e-7c53-9c0d-{number:012x}",
        **_kind(number),
        started_at=_at(number),
        recorded_at=_at(number + 1),
        prompt_tokens=2000 + number % 500,
        cached_tokens=1500,
        completion_tokens=300,
        quantities=(
            Quantity(unit="token", direction="input", amount=500 + number % 500),
            Quantity(unit="token", direction="input", cache="read", amount=1500),
            Quantity(unit="token", direction="output", amount=300),
        ),
        raw_usage='{"input_tokens":500,"cache_read_input_tokens":1500,"output_tokens":300}',
        cost_pico_usd=1_000_000 + number,
        price_revision="2026-01-01",
        latency_ms=20.0 + number % 3000,
        queue_ms=0.5,
        http_status=200,
        finish_reason="stop",
    )


def _kind(number: int) -> dict[str, Any]:
    provider, model = (("anthropic", "haiku"), ("cloudflare", "llama"), ("local", "small"))[number % 3]
    return {
        "type": "chat",
        "feature": f"feature.{number % 16}",
        "subject": f"track:{number // 8:012x}",
        "user": f"user-{number % 200}" if number % 4 == 0 else None,
        "provider": provider,
        "model": model,
        "prompt": "about@1",
    }


def _at(number: int) -> str:
    day, hour = 1 + number // 86_400 % 28, number // 3600 % 24
    return f"2026-01-{day:02}T{hour:02}:{number // 60 % 60:02}:{number % 60:02}.000000Z"


@pytest.mark.bench
@pytest.mark.timeout(900)
async def test_usage_by_feature(any_settings: Settings) -> None:
    """Over a million attempts of a year, under 100 ms in the median, asked over the bus."""
    await provision(any_settings)
    async with running(app, any_settings) as floor:
        await floor.read.write(lambda connection: fill(connection, ROWS))
        seconds = []
        for _ in range(QUERIES):
            began = time.perf_counter()
            answer = (await floor.ask(ShowUsage(group_by=("feature",)))).value
            seconds.append(time.perf_counter() - began)
        assert answer.total.calls == ROWS
        assert len(answer.lines) == 16
    median = statistics.median(seconds) * 1000
    print(f"\n{where(any_settings)}: usage by feature over {ROWS:,} attempts {median:.1f} ms")
    assert median < MILLISECONDS


def fill(connection: Connection, rows: int) -> None:
    """336 days of attempts in the table of jobs, by SQL, and the sums over them as the projection would make them."""
    jobs, days = table_of(AIJobRow), table_of(UsageDayRow)
    numbers = select(literal(0).label("i")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.i + 1).where(numbers.c.i < rows - 1))
    number = numbers.c.i
    day = literal("2026-") + _two_digits(number / 1344 % 12 + 1) + "-" + _two_digits(number / 48 % 28 + 1)
    filled: dict[str, ColumnElement[Any]] = {
        "job_id": cast(number, String),
        "attempt": literal(1),
        "type": literal("chat"),
        "feature": literal("feature.") + cast(number % 16, String),
        "subject": literal("track:") + cast(number / 8, String),
        "provider": literal("provider.") + cast(number / 16 % 3, String),
        "model": literal("model.") + cast(number / 16 % 3, String),
        "purpose": literal("serve"),
        "cache": literal("miss"),
        "outcome": literal("succeeded"),
        "usage_source": literal("reported"),
        "prompt_tokens": number % 4000,
        "cost_pico_usd": number % 1_000_000,
        "latency_ms": literal(40.0),
        "started_at": day + literal("T00:00:00.000000Z"),
        "recorded_at": day + literal("T00:00:01.000000Z"),
    }
    made = select(*(column.label(name) for name, column in filled.items()))
    connection.execute(insert(jobs).from_select(list(filled), made))
    key = {**{name: func.coalesce(jobs.c[name], "") for name in KEY[1:]}, "day": func.substr(jobs.c.started_at, 1, 10)}
    sums: dict[str, ColumnElement[Any]] = {name: literal(0) for name in (*SUMS, *SPANS)}
    sums["calls"] = sums["timed"] = sums[SPANS[span_of(40.0)]] = func.count()
    sums["latency_us"] = func.count() * 40_000
    for name in ("prompt_tokens", "cost_pico_usd"):
        sums[name] = func.sum(jobs.c[name])
    added = select(*key.values(), *sums.values()).group_by(*key.values())
    connection.execute(insert(days).from_select([*key, *sums], added))


def _two_digits(number: ColumnElement[Any]) -> ColumnElement[str]:
    return func.substr(cast(number + 100, String), 2, 2)


def where(settings: Settings) -> str:
    """Which kind of tables these are."""
    return "PostgreSQL" if settings.database_url.get_secret_value() else "SQLite"
