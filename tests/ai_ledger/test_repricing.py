"""History is priced again by adding corrections; what was said stays as it was."""

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from math import floor as whole
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from tests.ai_ledger.jobs import recorded
from tests.runtime.installation import provision
from tonetouch_ai_ledger import repricing
from tonetouch_ai_ledger.app import app
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobRecorded, JobRepriced, JobView, ListJobs
from tonetouch_contracts.pricing import RepriceJobs, Repricing
from tonetouch_deploy.pricing import prices as commands
from tonetouch_runtime import Floor, Refused, Settings, running
from tonetouch_runtime.ai.pricing import PriceBook
from tonetouch_runtime.ai.usage import tokens

BOOK = """
revision = "{revision}"
[sources.invented]
page = "invented"
read = 2026-01-01
"""
PRICE = """
[[price]]
provider = "one"
models = ["writer"]
source = "invented"
from = {since}
million_tokens = {{ input = {input}, output = {output} }}
"""


def book(revision: str, *prices: tuple[str, str, str]) -> str:
    """A file of prices: from a day on, so many dollars for a million tokens in and out."""
    entries = [PRICE.format(since=since, input=going_in, output=out) for since, going_in, out in prices]
    return BOOK.format(revision=revision) + "".join(entries)


OLD = book("old", ("2026-01-01", "1", "4"))
NEW = book("new", ("2026-01-01", "1", "4"), ("2026-02-01", "0.5", "2"))


@pytest.fixture(name="prices")
def _prices(tmp_path: Path) -> Path:
    """An operator's price book."""
    path = tmp_path / "prices.toml"
    path.write_text(OLD)
    return path


@pytest.fixture(name="floor")
async def _floor(any_settings: Settings, prices: Path) -> AsyncIterator[Floor]:
    """A running ledger with that book."""
    await provision(any_settings)
    settings = any_settings.model_copy(update={"ai_prices": prices})
    routers = app.routers if repricing.router in app.routers else (*app.routers, repricing.router)
    async with running(msgspec.structs.replace(app, routers=routers), settings) as floor:
        yield floor


def writing(job_id: str, at: str = "2026-02-03T10:00:00.000000Z", attempt: int = 1, **said: Any) -> JobRecorded:
    """A paid attempt of 100 tokens in and 10 out, which cost 140 micro-dollars by the old book."""
    quantities = tokens(prompt=100, completion=10)
    paid = {"provider": "one", "model": "writer", "quantities": quantities, "cost_pico_usd": 140_000_000}
    return recorded(job_id, attempt, **{**paid, "price_revision": "old", "started_at": at, **said})


async def keep(floor: Floor, *events: JobRecorded) -> None:
    """Have the ledger know these."""
    await floor.seen(await floor.log.pour(*events))


async def reprice(floor: Floor, **said: Any) -> Repricing:
    """Ask for it, and wait until the table shows what it said."""
    answered = await floor.ask(RepriceJobs(**said))
    await floor.seen(answered.positions)
    return answered.value


async def corrections(floor: Floor, job_id: str) -> list[JobRepriced]:
    """What the log says about the costs of a job."""
    return [fact.event for fact in await floor.log.history("AI", job_id) if isinstance(fact.event, JobRepriced)]


async def view(floor: Floor, job_id: str) -> JobView:
    """The row of a job's first attempt."""
    [row] = (await floor.ask(ListJobs(job_id=JobId(job_id)))).value.items
    return row


async def test_only_what_costs_something_else_by_the_book_of_today_is_corrected(floor: Floor, prices: Path) -> None:
    """At the prices of its own day: what was started before the change keeps its cost."""
    await keep(floor, writing("before", "2026-01-31T23:59:59.999999Z"), writing("after", "2026-02-01T00:00:00.000000Z"))
    prices.write_text(NEW)
    done = await reprice(floor)
    assert (done.examined, done.corrected, done.unpriced) == (2, 1, 0)
    assert (done.before_pico_usd, done.after_pico_usd) == (140_000_000, 70_000_000)
    assert await corrections(floor, "before") == []
    [correction] = await corrections(floor, "after")
    assert (correction.cost_pico_usd, correction.previous_pico_usd) == (70_000_000, 140_000_000)
    assert correction.price_revision == PriceBook.load(prices).revision
    row = await view(floor, "after")
    assert (row.cost_pico_usd, row.price_revision) == (140_000_000, "old")
    assert (row.repriced_pico_usd, row.repriced_revision) == (70_000_000, correction.price_revision)


async def test_asking_again_corrects_nothing_again(floor: Floor, prices: Path) -> None:
    """Neither when the table has seen the corrections, nor at the same time, when it has not."""
    await keep(floor, *(writing(f"j{number}") for number in range(5)), writing("j1", attempt=2))
    prices.write_text(NEW)
    await asyncio.gather(*(reprice(floor) for _ in range(4)))
    again = await reprice(floor)
    assert (again.examined, again.corrected) == (0, 0)
    assert [len(await corrections(floor, f"j{number}")) for number in range(5)] == [1, 2, 1, 1, 1]


async def test_going_back_to_old_prices_and_forth_again_is_said_each_time(floor: Floor, prices: Path) -> None:
    """The latest correction counts, so a revision may have to be said twice."""
    await keep(floor, writing("j1"))
    for text in (NEW, OLD, NEW):
        prices.write_text(text)
        assert (await reprice(floor)).corrected == 1
    said = [correction.cost_pico_usd for correction in await corrections(floor, "j1")]
    assert said == [70_000_000, 140_000_000, 70_000_000]
    assert (await view(floor, "j1")).repriced_pico_usd == 70_000_000


async def test_what_had_no_price_gets_one_and_what_lost_it_keeps_its_cost(floor: Floor, prices: Path) -> None:
    """Knowing a price corrects not knowing it; the other way round corrects nothing."""
    await keep(floor, writing("unpriced", cost_pico_usd=None), writing("elsewhere", model="reader", cost_pico_usd=7))
    done = await reprice(floor)
    assert (done.examined, done.corrected, done.newly_priced, done.unpriced) == (2, 1, 1, 1)
    assert (await view(floor, "unpriced")).repriced_pico_usd == 140_000_000
    assert await corrections(floor, "elsewhere") == []


async def test_what_was_not_bought_or_not_told_is_not_priced(floor: Floor, prices: Path) -> None:
    """Answers that were there already, embedded engines, unknown usage."""
    prices.write_text(NEW)
    await keep(
        floor,
        writing("hit", cache="exact_hit", cost_pico_usd=0),
        writing("shared", cache="coalesced", cost_pico_usd=0),
        writing("embedded", provider="local", cost_pico_usd=0),
        writing("unknown", usage_source="none", quantities=(), cost_pico_usd=None, outcome="unknown"),
    )
    assert (await reprice(floor)).examined == 0


async def test_a_page_goes_on_where_the_last_one_ended(floor: Floor, prices: Path) -> None:
    """Stopped in the middle, it is gone on with by its cursor or from the start, and misses nothing."""
    names = [f"j{number:02}" for number in range(25)]
    await keep(floor, *(writing(name) for name in names))
    prices.write_text(NEW)
    page = await reprice(floor, limit=10)
    assert (page.examined, page.corrected, page.next_cursor is None) == (10, 10, False)
    page = await reprice(floor, limit=10, cursor=page.next_cursor)
    assert page.corrected == 10
    page = await reprice(floor, limit=10)
    assert (page.corrected, page.next_cursor) == (5, None)
    assert [len(await corrections(floor, name)) for name in names] == [1] * 25


async def test_days_and_kinds_can_be_chosen_and_looking_changes_nothing(floor: Floor, prices: Path) -> None:
    """Both days are included."""
    days = ("2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04")
    await keep(floor, *(writing(f"j{day}", f"{day}T23:59:59.999999Z") for day in days))
    await keep(floor, writing("other", "2026-02-02T00:00:00.000000Z", feature="agents.about"))
    prices.write_text(NEW)
    looked = await reprice(floor, from_day="2026-02-02", to_day="2026-02-03", only_show=True)
    assert (looked.examined, looked.corrected, looked.after_pico_usd) == (3, 3, 210_000_000)
    assert await corrections(floor, "other") == []
    assert (await reprice(floor, from_day="2026-02-02", to_day="2026-02-03", feature="agents.about")).corrected == 1
    assert (await reprice(floor, model="nobody's")).examined == 0
    assert (await reprice(floor, provider="one")).corrected == 4


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"from_day": "yesterday"}, "2026-01-31"),
    ({"to_day": "9999-12-31"}, "2026-01-31"),
    ({"limit": 0}, "limit"),
    ({"limit": 1_000_000}, "limit"),
    ({"cursor": "mine"}, "cursor"),
]


async def test_a_question_that_makes_no_sense_is_refused(floor: Floor) -> None:
    """In words for a person."""
    for said, words in NONSENSE:
        with pytest.raises(Refused, match=words):
            await reprice(floor, **said)


async def test_a_book_that_cannot_be_read_prices_nothing(floor: Floor, prices: Path) -> None:
    """It says what is wrong with it; nothing is appended."""
    await keep(floor, writing("j1"))
    prices.write_text(NEW.replace("input = 0.5", "inptu = 0.5"))
    with pytest.raises(Refused, match="inptu"):
        await reprice(floor)
    assert await corrections(floor, "j1") == []


def test_corrections_of_one_job_are_never_in_one_append() -> None:
    """The log lets a job be decided once in an append; the order of its attempts stays."""
    said = [
        repricing.Correction(
            JobRepriced(
                job_id=JobId(job_id),
                attempt=attempt,
                cost_pico_usd=1,
                previous_pico_usd=2,
                price_revision="new",
                repriced_at="2026-03-01T00:00:00.000000Z",
            ),
            "old",
        )
        for job_id in ("a", "b", *map(str, range(300)))
        for attempt in (1, 2)
    ]
    batches = list(repricing.batches(said))
    assert [len(batch) for batch in batches] == [200, 102, 200, 102]
    for batch in batches:
        assert len({decision.entity_id for decision in batch}) == len(batch)


async def test_a_year_across_twelve_price_changes(floor: Floor, prices: Path) -> None:
    """400 attempts priced by one flat price cost what their months say, summed by another calculator."""
    months = [(f"2026-{month:02}-01", Fraction(100 - month, 10), Fraction(300 + month, 10)) for month in range(1, 13)]
    prices.write_text(book("year", *((since, f"{float(a):.1f}", f"{float(b):.1f}") for since, a, b in months)))
    expected = 0
    events = []
    for number in range(400):
        month, day = number % 12, 1 + number % 28
        prompt, completion = 1 + 37 * number, 1 + 11 * (number % 50)
        quantities = tokens(prompt=prompt, completion=completion)
        events.append(writing(f"j{number}", f"2026-{month + 1:02}-{day:02}T12:00:00.000000Z", quantities=quantities))
        expected += whole((prompt * months[month][1] + completion * months[month][2]) * 1_000_000)
    await keep(floor, *events)
    total, cursor, seen = 0, None, 0
    while True:
        page = await reprice(floor, limit=150, cursor=cursor)
        total, seen, cursor = total + page.after_pico_usd, seen + page.examined, page.next_cursor
        if cursor is None:
            break
    assert (seen, total) == (400, expected)


async def test_an_operator_prices_history_again_from_the_command_line(floor: Floor, prices: Path) -> None:
    """All pages of it, and what came of it in a sentence."""
    await keep(floor, *(writing(f"j{number}") for number in range(3)))
    prices.write_text(NEW)
    environment = {"TONETOUCH_NATS_URL": floor.settings.nats_url}
    for option, words in (("--only-show", "3 would be corrected"), ("--from=2026-02-01", "3 are corrected")):
        run = CliRunner().invoke
        done = await asyncio.to_thread(run, commands, ["reprice", option], env=environment)
        assert done.exit_code == 0, done.output
        assert f"3 attempts looked at, {words} from 0.00042 to 0.00021 USD" in done.output
    done = await asyncio.to_thread(run, commands, ["reprice", "--from=soon"], env=environment)
    assert (done.exit_code, "2026-01-31" in done.output) == (2, True)
