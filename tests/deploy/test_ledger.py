"""`tonetouch ledger` against the real API, with a stand-in for the ledger behind it."""

import asyncio
import csv
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pyarrow import parquet
from typer.testing import CliRunner, Result

from tests.gateway.ledger import Ledger, caching_line, job, usage_line
from tests.gateway.standins import TOKEN, Installation, installation
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import Considered, ListJobs, Quantity
from tonetouch_contracts.ledger import (
    BreakEven,
    Caching,
    Claim,
    Economics,
    EconomicsLine,
    ExportJobs,
    Latency,
    LatencyLine,
    ListUnaccounted,
    Replay,
    ReplayJob,
    SetBudget,
    ShowCaching,
    ShowEconomics,
    ShowLatency,
    ShowThrottling,
    ShowUsage,
    Throttling,
    ThrottlingLine,
    Trace,
    TracedFact,
    TracedSentence,
    TraceText,
    Usage,
    Which,
)
from tonetouch_deploy.commands import app
from tonetouch_deploy.run_record import RunRecord, write_run_record
from tonetouch_runtime import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Command = Callable[..., Awaitable[Result]]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="running")
async def _running(
    settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    async with installation(settings_in(tmp_path_factory.mktemp("ledger"))) as installed:
        yield installed


@pytest_asyncio.fixture(loop_scope="module", name="ledger")
async def _ledger(running: Installation) -> AsyncIterator[Ledger]:
    """The ledger that answers."""
    yield running.services.ledger
    running.services.forget()


@pytest.fixture(name="command")
def _command(running: Installation, tmp_path: Path) -> Command:
    """Runs `tonetouch ledger ...` on a data folder whose run record points at the API, on a wide terminal."""
    data = tmp_path / "data"
    data.mkdir()

    async def command(*arguments: str, token: str = TOKEN) -> Result:
        api_url = f"http://127.0.0.1:{running.port}"
        write_run_record(data, RunRecord(api_url=api_url, admin_token=token, ports={}))
        environment = {"TONETOUCH_DATA": str(data), "COLUMNS": "250"}
        # The API answers on this loop meanwhile.
        return await asyncio.to_thread(CliRunner().invoke, app, ["ledger", *arguments], env=environment)

    return command


def cells(result: Result) -> list[list[str]]:
    """The words in the table, line by line, headings first."""
    lines = (line for line in result.output.splitlines() if line[:1] in "│┃")
    return [[cell.strip() for cell in line[1:-1].replace("┃", "│").split("│")] for line in lines]


async def test_usage_is_a_table_with_a_total(ledger: Ledger, command: Command) -> None:
    """Groups by their names, money with the digits that matter, and a last line."""
    line = usage_line("2026-11-22", "write.bio", calls=1234, cost_pico_usd=1_234_567, unpriced=2)
    usage = Usage(
        group_by=("day", "feature"), lines=(line,), total=usage_line(calls=1240, cost_pico_usd=10**12), source="rows"
    )
    ledger.answers[ShowUsage] = usage
    result = await command("usage", "--by", "day", "--by", "feature", "--track", "t1", "--from", "2026-11-01")
    assert result.exit_code == 0, result.output
    headings, first, total = cells(result)
    row = dict(zip(headings, first, strict=True))
    assert (row["day"], row["feature"], row["calls"], row["cost"]) == (
        "2026-11-22",
        "write.bio",
        "1,234",
        "$0.000001235",
    )
    assert dict(zip(headings, total, strict=True))["cost"] == "$1.00"
    asked = ledger.last(ShowUsage)
    assert asked.group_by == ("day", "feature")
    assert asked.which == Which(from_day="2026-11-01", subject="track:t1")


async def test_days_count_back_from_today(ledger: Ledger, command: Command) -> None:
    """Today is one of them; a month is meant where nothing is said."""
    today = datetime.now(UTC).date()
    await command("usage", "--days", "1")
    assert ledger.last(ShowUsage).which.from_day == today.isoformat()
    await command("cache")
    assert ledger.last(ShowCaching).which.from_day == (today - timedelta(days=29)).isoformat()


async def test_the_caches_are_apart(ledger: Ledger, command: Command) -> None:
    """Unknown savings are a dash, losses have a sign."""
    line = caching_line("2026-11-22", calls=4, exact_ratio=0.25, avoided_pico_usd=5 * 10**11)
    caching = Caching(group_by=("day",), lines=(line,), total=caching_line(prompt_saved_pico_usd=-(10**10)))
    ledger.answers[ShowCaching] = caching
    _, first, total = cells(await command("cache"))
    assert (first[4], first[5], first[-1], total[-1]) == ("25.0%", "$0.50", "–", "-$0.01")


async def test_economics_says_from_which_hit_ratio_outside_is_cheaper(ledger: Ledger, command: Command) -> None:
    """And whether it was."""
    line = EconomicsLine(
        provider="anthropic",
        model="claude",
        gateway=None,
        where="external",
        calls=3,
        mean_prompt_tokens=1.0,
        mean_completion_tokens=1.0,
        mean_cost_pico_usd=1.26e9,
        hit_cost_pico_usd=None,
        miss_cost_pico_usd=None,
        prompt_hit_ratio=0.5,
        prompt_token_ratio=None,
        against=(
            BreakEven(model="llama", hit_ratio=0.284, verdict="from_hit_ratio", holds=True),
            BreakEven(model="gemma", hit_ratio=None, verdict="never", holds=False),
        ),
    )
    ledger.answers[ShowEconomics] = Economics(lines=(line,))
    result = await command("economics")
    assert "llama: cheaper from 28.4% (it was)" in result.output
    assert "gemma: never cheaper (it was not)" in result.output
    assert "$0.00126" in result.output


async def test_latency_and_throttling_are_tables(ledger: Ledger, command: Command) -> None:
    """Durations with their unit; what comes from roll-ups says how near it is."""
    nothing: dict[str, Any] = dict.fromkeys(LatencyLine.__struct_fields__)
    line = LatencyLine(**(nothing | {"group": ("m",), "timed": 4, "p95_ms": 1250.0}))
    ledger.answers[ShowLatency] = Latency(group_by=("model",), lines=(line,), source="roll_ups", error_ratio=0.04)
    result = await command("latency", "--by", "model")
    assert ("1.2 s" in result.output, "within 4.0%" in result.output) == (True, True)
    waits = ThrottlingLine(
        start="2026-11-22T10",
        provider="cloudflare",
        model="bge-m3",
        type="embeddings",
        reason="paced",
        times=3,
        jobs=2,
        waited_ms=120.0,
        longest_ms=60.0,
        limit_per_minute=None,
    )
    ledger.answers[ShowThrottling] = Throttling(every="minute", lines=(waits,))
    _, first = cells(await command("throttling", "--every", "minute"))
    assert first == ["2026-11-22T10", "cloudflare", "bge-m3", "embeddings", "paced", "3", "2", "120 ms", "60 ms", "–"]
    assert ledger.last(ShowThrottling).every == "minute"


async def test_what_is_not_accounted_for_fails_the_command(ledger: Ledger, command: Command) -> None:
    """So that a script notices."""
    assert (await command("unpriced")).exit_code == 0
    ledger.jobs += [job(id=f"j{number}") for number in range(250)]
    result = await command("unpriced", "--missing", "price", "--limit", "230")
    assert result.exit_code == 1
    assert len(cells(result)) == 231
    assert ledger.last(ListUnaccounted).limit == 30


async def test_a_job_is_shown_in_full(ledger: Ledger, command: Command) -> None:
    """With what it used and what the router looked at; nothing in it steers the terminal."""
    considered = Considered(target="dear", cost_pico_usd=2 * 10**12, passed_over="too dear")
    used = Quantity(unit="token", direction="input", amount=9000, cache="read")
    ledger.jobs += [job(id="j1", error="\x1b[31m[bold]x", considered=(considered,), quantities=(used,)), job(id="j2")]
    result = await command("jobs", "j1")
    assert "9,000 token input, cache read" in result.output
    assert "dear, $2.00: too dear" in result.output
    assert "\x1b" not in result.output
    assert "[bold]x" in result.output
    _, *rows = cells(await command("jobs", "--limit", "5"))
    assert [row[1] for row in rows] == ["j1", "j2"]
    assert ledger.last(ListJobs).limit == 5


async def test_a_text_is_traced(ledger: Ledger, command: Command) -> None:
    """Sentence, fact, who was paid, exact input."""
    ledger.answers[TraceText] = Trace(
        asked=job(id="j1", cache="exact_hit"),
        made_by=job(id="j0", cost_pico_usd=3_000_000),
        text="They split in 2019.",
        sentences=(
            TracedSentence(
                text="They split in 2019.", facts=(TracedFact(id="F17", name="artist.split", value="2019-04"),)
            ),
            TracedSentence(text="They were loud."),
        ),
        input_ref="ai/ab",
        input='{\n  "task": "chat"\n}',
    )
    output = (await command("trace", "j1", "--words", "split")).output
    lines = ["They split in 2019.", "    F17  artist.split: 2019-04", "They were loud.", "    on no fact that was said"]
    assert output.splitlines()[:4] == lines
    assert "made by   j0 #1" in output
    assert '{\n  "task": "chat"\n}' in output
    assert ledger.last(TraceText).words == "split"


async def test_a_replay_is_a_difference_of_claims(ledger: Ledger, command: Command) -> None:
    """With both texts and both costs."""
    year = Claim(kind="year", value="2019", sentence="They split in 2019.")
    ledger.answers[ReplayJob] = Replay(
        original=job(id="j1", cost_pico_usd=0),
        replayed=job(id="j9", cost_pico_usd=10**9),
        original_text="They split in 2019.",
        replayed_text="They split.",
        kept=(),
        dropped=(year,),
        added=(),
    )
    output = (await command("replay", "j1", "--target", "haiku")).output
    assert "  - year 2019: They split in 2019." in output
    assert "$0.001" in output
    assert ledger.last(ReplayJob) == ReplayJob(job_id=JobId("j1"), target="haiku")


async def test_budgets_are_set_listed_and_taken_away(ledger: Ledger, command: Command) -> None:
    """In dollars, to the pico-dollar."""
    result = await command("set-budget", "2.000000000001", "--feature", "write.bio", "--then", "refuse")
    assert result.exit_code == 0, result.output
    assert ledger.last(SetBudget).limit_pico_usd == 2_000_000_000_001
    _, row = cells(await command("budgets"))
    assert (row[0], row[3], row[4], row[6]) == ("write.bio", "$0", "$2.00", "refuse")
    assert "no such budget" in (await command("set-budget", "none", "--feature", "write.bio")).output
    assert ledger.last(SetBudget).limit_pico_usd is None
    assert (await command("set-budget", "much", "--feature", "f")).exit_code == 2
    assert (await command("set-budget", "1")).exit_code == 2


async def test_rows_are_exported_as_csv(ledger: Ledger, command: Command, tmp_path: Path) -> None:
    """All of them; CSV is meant where the name does not say otherwise."""
    ledger.jobs += [job(id=f"j{number}") for number in range(450)]
    path = tmp_path / "jobs.txt"
    result = await command("export", str(path), "--feature", "f")
    assert result.exit_code == 0, result.output
    with path.open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [f"j{number}" for number in range(450)]
    assert ledger.last(ExportJobs).which.feature == "f"


async def test_rows_are_exported_as_parquet_with_types(ledger: Ledger, command: Command, tmp_path: Path) -> None:
    """Money is exact, times are times, unknown is null and not zero."""
    said = {"cost_pico_usd": 1, "prompt_tokens": 0, "latency_ms": 1.5, "recorded_at": "2026-11-22T10:00:00.123456Z"}
    error = 'said "no",\r\nthen – nothing'
    ledger.jobs += [job(**said, error=error), *(job(id=f"j{number}") for number in range(300))]
    path = tmp_path / "jobs.parquet"
    result = await command("export", str(path))
    assert "301 rows" in result.output
    table = parquet.read_table(path)
    first, second = table.slice(0, 2).to_pylist()
    assert (first["cost_usd"], first["prompt_tokens"], first["latency_ms"]) == (Decimal("0.000000000001"), 0, 1.5)
    assert first["recorded_at"] == datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
    assert first["error"] == error
    assert (second["cost_usd"], second["prompt_tokens"], second["error"]) == (None, None, None)


async def test_an_export_of_nothing_has_its_columns(ledger: Ledger, command: Command, tmp_path: Path) -> None:
    """So that what reads it does not have to know."""
    path = tmp_path / "jobs.parquet"
    assert "0 rows" in (await command("export", str(path), "--format", "parquet")).output
    assert ledger.asked
    assert "cost_usd" in parquet.read_schema(path).names


@pytest.mark.parametrize("name", ["jobs.csv", "jobs.parquet"])
async def test_half_an_export_is_no_file(ledger: Ledger, command: Command, tmp_path: Path, name: str) -> None:
    """What broke off leaves what was there before."""
    path = tmp_path / name
    path.write_text("before")
    ledger.jobs += [job(id=f"j{number}") for number in range(450)]
    ledger.pages_before_it_breaks = 2
    result = await command("export", str(path))
    assert (result.exit_code, path.read_text()) == (2, "before")
    assert "gave no whole answer" in result.output
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(["data", name])


async def test_what_goes_wrong_is_one_sentence(ledger: Ledger, command: Command, tmp_path: Path) -> None:
    """A wrong token, a job that is not there, a day that is none, a folder on which nothing ran."""
    assert "refuses the admin token" in (await command("usage", token="another-token-than-that")).output
    assert "There is no job nobody." in (await command("jobs", "nobody")).output
    assert "query.from" in (await command("usage", "--from", "yesterday")).output
    assert ledger.asked[-1].__class__ is ListJobs
    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["ledger", "usage"], env={"TONETOUCH_DATA": str(tmp_path / "empty")}
    )
    assert (result.exit_code, "Nothing has been started" in result.output) == (2, True)


async def test_an_api_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    """With what to do about it."""
    write_run_record(tmp_path, RunRecord(api_url="http://127.0.0.1:9", admin_token=TOKEN, ports={}))
    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["ledger", "budgets"], env={"TONETOUCH_DATA": str(tmp_path)}
    )
    assert (result.exit_code, "just up" in result.output) == (2, True)
