"""What the commands of `tonetouch ledger` print: a table for each question, and the story of one call."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from tonetouch_deploy.ledger_showing import (
    UNKNOWN,
    Column,
    Row,
    count,
    dollars,
    groups,
    money,
    number,
    ratio,
    say,
    share,
    table,
    text,
    time,
    words,
)

_VERDICTS = {"always": "cheaper always", "never": "never cheaper", "unknown": "not known yet"}
_WHERE = {"external": "outside", "in_runtime": "in-runtime", "embedded": "this machine"}
_LISTS = frozenset({"considered", "quantities"})


def usage_table(usage: dict[str, Any]) -> Table:
    """What each group used and cost."""
    columns = [
        *groups(usage["group_by"]),
        number("calls"),
        number("failed"),
        number("unknown"),
        Column("cached", lambda row: count(row["exact_hits"] + row["coalesced"])),
        number("prompt_tokens", "tokens in"),
        number("cached_tokens", "of it cached"),
        number("completion_tokens", "out"),
        money("cost_usd", "cost"),
        money("avoided_usd", "avoided"),
        number("unpriced"),
    ]
    return table("usage and cost", columns, usage["lines"], total=usage["total"])


def caching_table(caching: dict[str, Any]) -> Table:
    """What the two caches did."""
    columns = [
        *groups(caching["group_by"]),
        number("calls"),
        number("exact_hits", "exact hits"),
        number("coalesced"),
        ratio("exact_ratio", "answer there"),
        money("avoided_usd", "saved by it"),
        number("prompt_tokens", "tokens in"),
        number("cached_tokens", "of it cached"),
        ratio("prompt_ratio", "prompt kept"),
        money("prompt_saved_usd", "saved by it"),
    ]
    return table("exact cache and prompt caches", columns, caching["lines"], total=caching["total"])


def economics_table(lines: Iterable[Row]) -> Table:
    """Models outside against those in-runtime, a line for each comparison."""
    columns = [
        words("model"),
        Column("where", lambda row: _WHERE[row["where"]], right=False),
        number("calls"),
        money("mean_cost_usd", "per request"),
        money("hit_cost_usd", "prompt kept"),
        money("miss_cost_usd", "prompt new"),
        ratio("prompt_hit_ratio", "hit ratio"),
        Column("against", lambda row: "\n".join(_against(one) for one in row["against"]) or UNKNOWN, right=False),
    ]
    return table("cost per request", columns, lines)


def latency_table(latency: dict[str, Any]) -> Table:
    """How long calls took."""
    columns = [*groups(latency["group_by"]), number("timed", "calls")]
    columns += [time(f"{name}_ms", name) for name in ("mean", "p50", "p90", "p95", "p99")]
    columns += [time("first_token_p50_ms", "first token p50"), time("first_token_p95_ms", "p95")]
    columns += [time("queue_p50_ms", "queue p50"), time("queue_p95_ms", "p95")]
    return table("latency", columns, latency["lines"])


def throttling_table(lines: Iterable[Row]) -> Table:
    """When and why calls waited."""
    columns = [words(name) for name in ("start", "provider", "model", "type", "reason")]
    columns += [number("times"), number("jobs"), time("waited_ms", "waited"), time("longest_ms", "longest")]
    return table("throttling", [*columns, number("limit_per_minute", "limit a minute")], lines)


def job_table(rows: Iterable[Row], *, title: str) -> Table:
    """Calls in short."""
    columns = [
        Column("when (UTC)", lambda row: text(row["recorded_at"])[5:19].replace("T", " ") or UNKNOWN, right=False),
        Column("job", lambda row: text(row["id"]), right=False, whole=True),
        number("attempt", "#"),
        words("feature"),
        words("type"),
        Column("model", lambda row: text(row["model"]).rpartition("/")[2], right=False),
        number("prompt_tokens", "in"),
        number("completion_tokens", "out"),
        money("cost_usd", "cost"),
        time("latency_ms", "took"),
        words("outcome"),
        words("cache"),
    ]
    return table(title, columns, rows)


def budget_table(budgets: Iterable[Row]) -> Table:
    """Budgets and how they stand."""
    columns = [
        words("feature"),
        words("user"),
        words("day"),
        money("spent_usd", "spent"),
        money("limit_usd", "of"),
        Column("share", lambda row: share(row["spent_usd"] / row["limit_usd"] if row["limit_usd"] else None)),
        Column("then", lambda row: text(row["when_exhausted"]).replace("_", " "), right=False),
        number("refused"),
    ]
    return table("budgets", columns, budgets)


def say_job(console: Console, row: Row) -> None:
    """Whatever is known of an attempt, a line for each column."""
    say(console, f"{row['id']}, attempt {row['attempt']}")
    for name, value in row.items():
        if name in ("id", "attempt") or value is None or name in _LISTS:
            continue
        shown = dollars(value) if name.endswith("_usd") else text(value)
        say(console, f"  {name.replace('_', ' '):<20} {shown}")
    for used in row["quantities"]:
        kept = "" if used["cache"] == "none" else f", cache {used['cache']}"
        say(console, f"  {'used':<20} {count(used['amount'])} {used['unit']} {used['direction']}{kept}")
    for one in row["considered"]:
        say(
            console,
            f"  {'considered':<20} {one['target']}, {dollars(one['cost_usd'])}: {one['passed_over'] or 'chosen'}",
        )


def say_trace(console: Console, trace: dict[str, Any]) -> None:
    """A text from its sentences back to the exact input."""
    for sentence in trace["sentences"]:
        say(console, sentence["text"])
        for fact in sentence["facts"]:
            say(console, f"    {fact['id']}  {fact['name']}: {fact['value']}")
        if not sentence["facts"]:
            say(console, "    on no fact that was said")
    if not trace["sentences"]:
        say(console, trace["text"] or "The text was not kept, or its time is over.")
    say(console, "")
    asked, made_by = trace["asked"], trace["made_by"]
    say(console, f"asked by  {_in_short(asked)}")
    if made_by is not None and (made_by["id"], made_by["attempt"]) != (asked["id"], asked["attempt"]):
        say(console, f"made by   {_in_short(made_by)}")
    say(console, f"input     {trace['input_ref'] or 'not kept'}{' (its beginning)' if trace['input_cut'] else ''}")
    say(console, trace["input"] or "The exact input was not kept, or its time is over.")


def say_replay(console: Console, replay: dict[str, Any]) -> None:
    """Two answers to one question, claim by claim."""
    say(console, f"was   {_in_short(replay['original'])}")
    say(console, f"now   {_in_short(replay['replayed'])}")
    for sign, name in (("=", "kept"), ("-", "dropped"), ("+", "added")):
        for claim in replay[name]:
            say(console, f"  {sign} {claim['kind']} {claim['value']}: {claim['sentence']}")
    say(console, f"\nwas:\n{replay['original_text']}\n\nnow:\n{replay['replayed_text']}")


def _in_short(job: Row) -> str:
    prompt = f", prompt {job['prompt']}" if job["prompt"] else ""
    return (
        f"{job['id']} #{job['attempt']} {job['feature']}: {job['model']} at {job['provider']}{prompt}, "
        f"{count(job['prompt_tokens'])} tokens in, {count(job['completion_tokens'])} out, {dollars(job['cost_usd'])}, "
        f"{text(job['recorded_at'])}"
    )


def _against(one: Row) -> str:
    verdict = _VERDICTS.get(one["verdict"]) or f"cheaper from {share(one['hit_ratio'])}"
    was = "" if one["holds"] is None else " (it was)" if one["holds"] else " (it was not)"
    return f"{one['model']}: {verdict}{was}"
