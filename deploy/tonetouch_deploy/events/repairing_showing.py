"""How lag, parked events, operations and replays look on a terminal."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tonetouch_contracts.operating import (
    Attempted,
    Operation,
    ParkedDetail,
    ParkedEvent,
    PartLag,
    Redriven,
    ReplayedEvent,
)
from tonetouch_contracts.upload import IngestView
from tonetouch_deploy.events.streams_showing import moment, per_second
from tonetouch_deploy.ledger_showing import Column, Row, number, say, table, text, words

_STYLES = {"stalled": "red", "broken": "red", "paused": "yellow"}


def duration(seconds: float) -> str:
    """A length of time in its largest unit.

    >>> duration(0.0), duration(0.25), duration(42.0), duration(5400.0), duration(200_000.0)
    ('0', '0.3 s', '42.0 s', '1.5 h', '2.3 d')
    """
    if not seconds:
        return "0"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} s"


def lag_table(parts: Sequence[tuple[str, PartLag]]) -> Table:
    """A line for each part; what needs somebody is coloured."""
    made = Table(title="lag", caption=None if parts else "nothing")
    for heading in ("service", "part", "kind", "stream"):
        made.add_column(heading, overflow="fold")
    for heading in ("position", "behind", "for", "events/s", "in hand", "parked"):
        made.add_column(heading, justify="right")
    made.add_column("state", overflow="fold")
    for service, part in parts:
        parked = f"{part.parked:,} for {duration(part.oldest_parked_seconds)}" if part.parked else ""
        made.add_row(
            service,
            escape(text(part.part)),
            part.kind,
            part.stream,
            f"{part.position:,}",
            f"{part.events_behind:,}",
            duration(part.seconds_behind),
            per_second(part.rate),
            f"{part.in_hand:,}" if part.in_hand else "",
            parked,
            escape(text(f"{part.state} {part.note}".strip())),
            style=_STYLES.get(part.state),
        )
    return made


def parked_table(rows: Sequence[tuple[str, ParkedEvent]]) -> Table:
    """A line for each parked event, with where it stands as `parked show` takes it."""
    columns = (
        words("service"),
        words("part"),
        Column("event", lambda row: f"{row['stream']}@{row['sequence']}", right=False, whole=True),
        words("wire_name", "type"),
        Column("entity", lambda row: text(row["entity_id"]), right=False, whole=True),
        Column("since", lambda row: moment(row["parked_at"]), right=False),
        number("attempts"),
        Column("error", lambda row: "waits behind it" if row["error"] is None else text(row["error"]), right=False),
    )
    return table("parked", columns, [{"service": service, **msgspec.to_builtins(event)} for service, event in rows])


def say_parked(console: Console, service: str, detail: ParkedDetail) -> None:
    """One parked event in full."""
    event = detail.parked
    say(console, f"{event.stream}@{event.sequence}  {detail.subject}  {detail.time}")
    say(console, f"parked by {event.part} of {service} since {event.parked_at}, attempts: {event.attempts}")
    say(console, f"error: {event.error or 'none: it waits behind an event of its entity'}")
    say(console, f"waiting behind it: {detail.waiting}; correlation: {detail.correlation or 'none'}")
    say(console, "its body is no text" if detail.body is None else detail.body)


def redriven_table(answers: Sequence[tuple[str, Redriven]]) -> Table:
    """A line for each event that was tried."""
    rows = [{"service": service, **_tried(one)} for service, answer in answers for one in answer.attempted]
    columns = (words("service"), words("part"), words("event"), words("entity"), words("outcome"), words("note"))
    return table("redriven", columns, rows)


def operation_table(rows: Sequence[tuple[str, Operation]]) -> Table:
    """A line for each operation, the latest first."""
    columns = (
        Column("when", lambda row: moment(row["at"]), right=False),
        words("service"),
        words("operator"),
        words("what"),
        words("about"),
        words("reason"),
    )
    return table("operations", columns, [{"service": service, **msgspec.to_builtins(one)} for service, one in rows])


def say_replayed(console: Console, event: ReplayedEvent, stream: str) -> None:
    """One event, and below it what it does."""
    note = f"  ({event.note})" if event.note else ""
    say(console, f"{stream}@{event.sequence}  {event.wire_name}  {event.entity_id}  {event.outcome}{note}")
    for effect in event.effects:
        say(console, f"    {effect}")


def ingest_table(rows: Sequence[IngestView]) -> Table:
    """A line for each upload: where it stands, and why."""
    columns = (
        Column("track", lambda row: text(row["track_id"]), right=False, whole=True),
        words("file_name", "file"),
        words("step"),
        number("attempts"),
        Column("since", lambda row: moment(row["updated_at"]), right=False),
        words("why"),
    )
    return table("uploads", columns, [_standing(view) for view in rows])


def _tried(one: Attempted) -> Row:
    event = f"{one.stream}@{one.sequence} {one.wire_name}"
    return {"part": one.part, "event": event, "entity": one.entity_id, "outcome": one.outcome, "note": one.note}


def _standing(view: IngestView) -> Row:
    """The step an upload waits for: the one that failed, else the one that runs, else the first that is not done."""
    order = {"failed": 0, "running": 1}
    undone = [step for step in view.steps if step.state not in ("done", "skipped")]
    step = min(undone, key=lambda one: order.get(one.state, 2), default=None)
    why = view.reason or (step.error if step else None) or ""
    said = {"step": f"{step.name} {step.state}" if step else view.status, "attempts": step.attempts if step else 0}
    return {**msgspec.to_builtins(view), **said, "why": why}
