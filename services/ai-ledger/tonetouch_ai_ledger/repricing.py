"""Re-pricing: what attempts cost by today's book, at the prices of the day each was started on.

Answers `RepriceJobs`; says `JobRepriced` where the cost differs from the one that counts. Nothing that was said is
changed. Only attempts that asked somebody for an answer and told what they used are looked at; one whose price the book
does not know keeps what it had, for not knowing corrects nothing.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import structlog
from sqlalchemy import ColumnElement, Select, Table, false, func, select, tuple_

from tonetouch_ai_ledger.recording import RUNNING, AIJobRow, effective
from tonetouch_contracts.job import JobRepriced
from tonetouch_contracts.message import Positions, same_positions
from tonetouch_contracts.pricing import RepriceJobs, Repricing
from tonetouch_runtime import (
    Answered,
    ConflictError,
    Decision,
    Floor,
    Misconfigured,
    Refused,
    Router,
    decode_cursor,
    encode_cursor,
    stamp,
)
from tonetouch_runtime.ai.pricing import LOCAL, PriceBook
from tonetouch_runtime.ai.usage import Usage

log = structlog.get_logger()
router = Router()

MOST = 5_000
"""Attempts a page may look at: about two seconds' work when all of them are corrected."""

MOST_AT_ONCE = 200
"""Corrections in one append."""

_KEY = ("started_at", "job_id", "attempt")
_NEEDED = (
    *_KEY,
    "provider",
    "model",
    "quantities",
    "usage_source",
    "cost_pico_usd",
    "price_revision",
    "repriced_pico_usd",
    "repriced_revision",
    "repriced_at",
)


class Correction(msgspec.Struct, frozen=True):
    """What an attempt costs now, and the revision it was priced by before."""

    event: JobRepriced
    priced_by: str


@router.answers(RepriceJobs)
async def reprice_jobs(command: RepriceJobs, floor: Floor) -> Answered[Repricing]:
    """A page at a time, so that it can be stopped and gone on with anywhere."""
    if not 1 <= command.limit <= MOST:
        raise Refused("invalid", f"A limit is a number from 1 to {MOST}, not {command.limit}.")
    book = await _book(floor)
    page = _page(command, floor.tables.live(AIJobRow), book.revision)
    rows: list[dict[str, Any]] = [
        dict(zip(_NEEDED, row.values(), strict=True)) for row in await floor.tables.all(page.limit(command.limit + 1))
    ]
    examined = rows[: command.limit]
    costs = [_cost(row, book) for row in examined]
    corrections = list(_corrections(examined, costs, book.revision, stamp(floor.clock.now())))
    positions = {} if command.only_show else await _say(corrections, floor)
    if corrections and not command.only_show:
        log.info("jobs_repriced", attempts=len(corrections), price_revision=book.revision)
    events = [correction.event for correction in corrections]
    more = len(rows) > command.limit
    return Answered(
        value=Repricing(
            price_revision=book.revision,
            examined=len(examined),
            corrected=len(events),
            newly_priced=sum(event.previous_pico_usd is None for event in events),
            unpriced=costs.count(None),
            before_pico_usd=sum(event.previous_pico_usd or 0 for event in events),
            after_pico_usd=sum(event.cost_pico_usd or 0 for event in events),
            next_cursor=encode_cursor(*(examined[-1][name] for name in _KEY)) if more else None,
        ),
        positions=positions,
    )


async def _book(floor: Floor) -> PriceBook:
    """The book as it stands in its file now: whoever changes it asks next what that changes."""
    try:
        return await asyncio.to_thread(PriceBook.load, floor.settings.ai_prices)
    except Misconfigured as error:
        raise Refused("invalid", str(error), "Correct the file of prices.") from error


def _page(command: RepriceJobs, jobs: Table, revision: str) -> Select[Any]:
    """Attempts that another revision priced, the oldest first."""
    priced_by = func.coalesce(jobs.c.repriced_revision, jobs.c.price_revision)
    query = (
        select(*(jobs.c[name] for name in _NEEDED))
        .where(jobs.c.cache == "miss", jobs.c.usage_source != "none")
        .where(jobs.c.outcome != RUNNING, jobs.c.provider != LOCAL)
        .where(priced_by.is_distinct_from(revision))
        .where(*_asked_for(command, jobs))
    )
    key = [jobs.c[name] for name in _KEY]
    if command.cursor:
        query = query.where(tuple_(*key) > tuple_(*decode_cursor(command.cursor, str, str, int)))
    return query.order_by(*key)


def _asked_for(command: RepriceJobs, jobs: Table) -> Iterator[ColumnElement[bool]]:
    if command.from_day is not None:
        yield jobs.c.started_at >= _day(command.from_day).isoformat()
    if command.to_day is not None:
        yield jobs.c.started_at < (_day(command.to_day) + timedelta(days=1)).isoformat()
    for name in ("feature", "provider", "model"):
        if (wanted := getattr(command, name)) is not None:
            # PostgreSQL refuses to compare with a text that holds a NUL; no row can have one there.
            yield jobs.c[name] == wanted if "\0" not in wanted else false()


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day == date.max:
        raise Refused("invalid", f"A day is written as 2026-01-31, not {text!r}.")
    return day


def _cost(row: Mapping[str, Any], book: PriceBook) -> int | None:
    usage = Usage(quantities=row["quantities"], source=row["usage_source"])
    return book.cost(provider=row["provider"], model=row["model"], usage=usage, at=row["started_at"]).pico_usd


def _corrections(
    rows: Sequence[Mapping[str, Any]], costs: Sequence[int | None], revision: str, now: str
) -> Iterator[Correction]:
    for row, cost in zip(rows, costs, strict=True):
        if cost is not None and cost != (previous := effective(row)):
            event = JobRepriced(
                job_id=row["job_id"],
                attempt=row["attempt"],
                cost_pico_usd=cost,
                previous_pico_usd=previous,
                price_revision=revision,
                repriced_at=now,
            )
            yield Correction(event, row["repriced_revision"] or row["price_revision"] or "")


async def _say(corrections: Sequence[Correction], floor: Floor) -> Positions:
    """Append them, many jobs at a time."""
    positions: Positions = {}
    for batch in batches(corrections):
        try:
            positions = same_positions(positions, await floor.log.append(*batch))
        except ConflictError:
            # Some of these were said before, by somebody who asked the same just now: singly, they are told apart.
            for decision in batch:
                positions = same_positions(positions, await floor.log.append(decision))
    return positions


def batches(corrections: Sequence[Correction]) -> Iterator[list[Decision]]:
    """What can be appended together: a job is in an append once, however many of its attempts are corrected."""
    turns: dict[str, int] = {}
    by_turn: dict[int, list[Decision]] = {}
    for correction in corrections:
        job_id = correction.event.job_id
        turns[job_id] = turn = turns.get(job_id, 0) + 1
        by_turn.setdefault(turn, []).append(_decision(correction))
    for decisions in by_turn.values():
        for start in range(0, len(decisions), MOST_AT_ONCE):
            yield decisions[start : start + MOST_AT_ONCE]


def _decision(correction: Correction) -> Decision:
    """Its key names the revision and the one before it.

    The same correction asked for twice, before the table has seen the first, is one in the log; going back to old
    prices, and forth again, is not the same correction.
    """
    event = correction.event
    key = f"{event.attempt} {correction.priced_by} {event.price_revision}"
    return Decision(entity_id=event.job_id, events=(event,), expected=None, key=key)
