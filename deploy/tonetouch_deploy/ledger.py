"""The commands `tonetouch ledger ...`: what AI did, what it cost, what it may cost, and why a text says what it says.

They ask the HTTP API of the running installation, with the token of its run record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tonetouch_deploy.ledger_asking import LedgerClient
from tonetouch_deploy.ledger_exporting import write_csv, write_parquet
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.ledger_tables import (
    budget_table,
    caching_table,
    economics_table,
    job_table,
    latency_table,
    say_job,
    say_replay,
    say_trace,
    throttling_table,
    usage_table,
)
from tonetouch_deploy.run_record import run_record
from tonetouch_deploy.settings import CannotStartError, read_settings
from tonetouch_deploy.showing import say_failure

ledger = typer.Typer(help="What AI did and what it cost, from the running installation.", no_args_is_help=True)


class GroupBy(StrEnum):
    """What can be grouped by."""

    DAY = "day"
    FEATURE = "feature"
    TYPE = "type"
    PROVIDER = "provider"
    MODEL = "model"
    GATEWAY = "gateway"
    USER = "user"
    SUBJECT = "subject"
    PURPOSE = "purpose"
    CACHE = "cache"
    OUTCOME = "outcome"


class Every(StrEnum):
    """How long a span is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class Missing(StrEnum):
    """What may not be known."""

    PRICE = "price"
    USAGE = "usage"
    OUTCOME = "outcome"


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    PARQUET = "parquet"


class Then(StrEnum):
    """What the router does when a budget is spent."""

    FALL_BACK = "fall-back"
    REFUSE = "refuse"


By = Annotated[list[GroupBy] | None, typer.Option("--by", help="What to group by; may be said more than once.")]
Days = Annotated[int, typer.Option(min=1, max=3660, help="The last so many days, today included (UTC).")]
From = Annotated[str | None, typer.Option("--from", help="The first day, as 2026-01-31, instead of --days.")]
To = Annotated[str | None, typer.Option("--to", help="The last day.")]
Feature = Annotated[str | None, typer.Option(help="Only of this feature.")]
Task = Annotated[str | None, typer.Option("--type", help="Only of this task or step: chat, embeddings, ...")]
Provider = Annotated[str | None, typer.Option(help="Only of this provider.")]
Model = Annotated[str | None, typer.Option(help="Only of this model.")]
User = Annotated[str | None, typer.Option(help="Only for this user.")]
Track = Annotated[str | None, typer.Option(help="Only about this track, by its id.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="The most rows.")]
JobId = Annotated[str, typer.Argument(help="The id of the job; `tonetouch ledger jobs` lists them.")]
WhichAttempt = Annotated[int | None, typer.Option("--attempt", min=1, help="Which attempt at it.")]


@ledger.command()
def usage(
    by: By = None,
    days: Days = 30,
    from_day: From = None,
    to_day: To = None,
    feature: Feature = None,
    task: Task = None,
    provider: Provider = None,
    model: Model = None,
    user: User = None,
    track: Track = None,
) -> None:
    """Usage and cost by feature, model, provider, user, subject, day and more."""
    names = _names(by, GroupBy.FEATURE)
    which = _which(days, from_day, to_day) | _filters(feature, task, provider, model, user, track)
    with _asking() as (client, console):
        console.print(usage_table(client.get("usage", by=names, **which)))


@ledger.command()
def cache(
    by: By = None,
    days: Days = 30,
    from_day: From = None,
    to_day: To = None,
    feature: Feature = None,
    task: Task = None,
    provider: Provider = None,
    model: Model = None,
) -> None:
    """Cache-hit ratio and money saved, the exact cache and the providers' prompt caches apart."""
    names = _names(by, GroupBy.DAY)
    which = _which(days, from_day, to_day) | _filters(feature, task, provider, model)
    with _asking() as (client, console):
        console.print(caching_table(client.get("caching", by=names, **which)))


@ledger.command()
def economics(
    days: Days = 30, from_day: From = None, to_day: To = None, feature: Feature = None, task: Task = None
) -> None:
    """Cost per request outside against in-runtime, and the hit ratio at which they are equal."""
    which = _which(days, from_day, to_day) | _filters(feature, task)
    with _asking() as (client, console):
        console.print(economics_table(client.get("economics", **which)["lines"]))


@ledger.command()
def latency(
    by: By = None,
    days: Days = 30,
    from_day: From = None,
    to_day: To = None,
    feature: Feature = None,
    task: Task = None,
    provider: Provider = None,
    model: Model = None,
) -> None:
    """Percentiles of latency, time to first token and queue time, of calls that were made."""
    names = _names(by, GroupBy.MODEL)
    which = _which(days, from_day, to_day) | _filters(feature, task, provider, model)
    with _asking() as (client, console):
        answer = client.get("latency", by=names, **which)
        console.print(latency_table(answer))
        if answer["source"] == "roll_ups":
            say(console, f"From roll-ups: within {float(answer['error_ratio']):.1%} of the true value.")


@ledger.command()
def throttling(
    every: Annotated[Every, typer.Option(help="How long a span is.")] = Every.HOUR,
    days: Days = 7,
    from_day: From = None,
    to_day: To = None,
    feature: Feature = None,
    provider: Provider = None,
    model: Model = None,
) -> None:
    """The history of waiting: for our own pace, and because a provider would not take a call then."""
    which = _which(days, from_day, to_day) | _filters(feature, None, provider, model)
    with _asking() as (client, console):
        console.print(throttling_table(client.get("throttling", every=every.value, **which)["lines"]))


@ledger.command()
def unpriced(
    missing: Annotated[Missing | None, typer.Option(help="Only what has no price, usage, or known outcome.")] = None,
    days: Days = 30,
    from_day: From = None,
    to_day: To = None,
    limit: Most = 50,
) -> None:
    """Calls of which something is not known; fails where there is one."""
    with _asking() as (client, console):
        which = _which(days, from_day, to_day)
        rows = client.listed("unaccounted", limit, missing=missing and missing.value, **which)
        console.print(job_table(rows, title="not accounted for" if rows else "everything is accounted for"))
        if rows:
            raise typer.Exit(1)


@ledger.command()
def jobs(
    job_id: Annotated[str | None, typer.Argument(help="Show this job in full.")] = None,
    *,
    feature: Feature = None,
    task: Task = None,
    provider: Provider = None,
    model: Model = None,
    user: User = None,
    track: Track = None,
    outcome: Annotated[str | None, typer.Option(help="Only with this outcome.")] = None,
    limit: Most = 50,
) -> None:
    """The latest calls, or every attempt at one job with all that is known of it."""
    with _asking() as (client, console):
        if job_id is not None:
            for row in client.listed(f"jobs/{job_id}", limit):
                say_job(console, row)
            return
        filters = _filters(feature, task, provider, model, user, track)
        console.print(job_table(client.listed("jobs", limit, outcome=outcome, **filters), title="the latest calls"))


@ledger.command()
def trace(
    job_id: JobId,
    words: Annotated[str | None, typer.Option(help="Only sentences with all these words.")] = None,
    attempt: WhichAttempt = None,
) -> None:
    """Why a text says what it says: sentence, facts, job, exact input."""
    with _asking() as (client, console):
        say_trace(console, client.get(f"jobs/{job_id}/trace", words=words, attempt=attempt))


@ledger.command()
def replay(
    job_id: JobId,
    target: Annotated[str, typer.Option(help="The target of the routing table to ask instead.")],
    attempt: WhichAttempt = None,
) -> None:
    """Ask another model what a job asked, and compare what the two answers claim. It costs what the call costs."""
    with _asking() as (client, console):
        say_replay(console, client.replay(job_id, {"target": target, "attempt": attempt}))


@ledger.command()
def budgets(feature: Feature = None, user: User = None) -> None:
    """What features and users may cost a day, and what they cost today."""
    with _asking() as (client, console):
        console.print(budget_table(client.listed("budgets", 1000, feature=feature, user=user)))


@ledger.command("set-budget")
def set_budget(
    dollars: Annotated[str, typer.Argument(help="Dollars a UTC day, as 2.50; `none` takes the budget away.")],
    feature: Annotated[str | None, typer.Option(help="The budget of this feature.")] = None,
    user: Annotated[str | None, typer.Option(help="The budget of this user; with a feature: of both together.")] = None,
    then: Annotated[Then, typer.Option(help="What the router does when it is spent.")] = Then.FALL_BACK,
) -> None:
    """Set, change or take away a budget of a feature, a user, or a feature for one user."""
    with _asking() as (client, console):
        limit = None if dollars.lower() == "none" else str(_amount(dollars))
        said = {"feature": feature, "user": user, "limit_usd": limit, "when_exhausted": then.value.replace("-", "_")}
        budget = client.put("budgets", said)
        if budget["limit_usd"] is None:
            say(console, "There is no such budget (any more).")
        else:
            console.print(budget_table([budget]))


@ledger.command()
def export(
    path: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[Format | None, typer.Option(help="As the name of the file says, if not said.")] = None,  # noqa: A002 - the option's name
    days: Days = 30,
    from_day: From = None,
    to_day: To = None,
    feature: Feature = None,
    task: Task = None,
    provider: Provider = None,
    model: Model = None,
    user: User = None,
    track: Track = None,
) -> None:
    """Write every column of the rows to a file, CSV or Parquet, however many there are."""
    which = _which(days, from_day, to_day) | _filters(feature, task, provider, model, user, track)
    chosen = format or (Format.PARQUET if path.suffix == ".parquet" else Format.CSV)
    with _asking() as (client, console), client.streamed("jobs.csv", **which) as response:
        if chosen is Format.PARQUET:
            say(console, f"{write_parquet(response, path):,} rows in {path}.")
        else:
            say(console, f"{write_csv(response, path):,} bytes in {path}.")


@contextmanager
def _asking() -> Iterator[tuple[LedgerClient, Console]]:
    """The running API and the terminal; what goes wrong is one sentence, and exit code 2."""
    try:
        with LedgerClient(run_record(read_settings().data_folder)) as client:
            yield client, Console()
    except CannotStartError as error:
        say_failure(error)
        raise typer.Exit(2) from error


def _names(by: list[GroupBy] | None, otherwise: GroupBy) -> list[str]:
    return [name.value for name in by or [otherwise]]


def _which(days: int, from_day: str | None, to_day: str | None) -> dict[str, Any]:
    if from_day is None and to_day is None:
        from_day = (datetime.now(UTC) - timedelta(days=days - 1)).date().isoformat()
    return {"from_day": from_day, "to_day": to_day}


def _filters(
    feature: str | None = None,
    task: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    user: str | None = None,
    track: str | None = None,
) -> dict[str, Any]:
    subject = f"track:{track}" if track else None
    said = {"feature": feature, "type": task, "provider": provider, "model": model, "user": user, "subject": subject}
    return {name: value for name, value in said.items() if value is not None}


def _amount(words: str) -> Decimal:
    try:
        return Decimal(words.removeprefix("$"))
    except InvalidOperation as error:
        raise CannotStartError(f"{words} is not an amount of dollars; say 2.50, or none.") from error
