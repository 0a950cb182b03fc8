"""How rebuilds look on a terminal."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from tonetouch_contracts.operating import RowDifference, TableComparison, TablesRebuild, TablesRebuilds
from tonetouch_deploy.ledger_showing import Column, Row, count, number, say, table, words

_STEPS = {"waiting": "waiting", "filling": "filling", "indexing": "indexing", "comparing": "comparing"}


class Bars:
    """A bar for each rebuild: its step, its events, rate and time left. Quiet, there is none."""

    def __init__(self, *, quiet: bool) -> None:
        columns = (TextColumn("{task.fields[table]}"), TextColumn("{task.fields[step]}"), BarColumn(32))
        speed = TextColumn("{task.fields[speed]}", markup=False)
        self._bars = Progress(*columns, MofNCompleteColumn(), speed, console=Console(quiet=quiet))
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def show(self, rebuilds: Sequence[TablesRebuild]) -> None:
        """As they are now, the first that was asked for on top."""
        for rebuild in reversed(rebuilds):
            if rebuild.id not in self._tasks:
                self._tasks[rebuild.id] = self._bars.add_task("", total=None, table=rebuild.table, step="", speed="")
            self._bars.update(
                self._tasks[rebuild.id],
                completed=rebuild.done,
                total=rebuild.total or None,
                step=_STEPS.get(rebuild.phase, rebuild.phase),
                speed=speed_words(rebuild),
            )


def speed_words(rebuild: TablesRebuild) -> str:
    """The rate, and the time that is left at it."""
    if not rebuild.per_second or rebuild.seconds_left is None:
        return ""
    return f"{rebuild.per_second:,.0f}/s, {rebuild.seconds_left:,.0f} s left"


def rebuild_table(found: TablesRebuilds) -> Table:
    """A line for each rebuild, the latest first."""
    columns = (
        words("table"),
        words("kind"),
        words("phase"),
        number("done", "events"),
        number("total", "of"),
        Column("rows", lambda row: count(sum(one.rows for one in row["comparisons"]))),
        Column("differ", lambda row: count(sum(_differing(one) for one in row["comparisons"]))),
        words("stands_as", "new table"),
        Column(
            "kept", lambda row: "replaced" if row["replaced_kept"] else "its own" if row["kept"] else "", right=False
        ),
        words("operator"),
        words("started_at", "since"),
        words("problem"),
    )
    return table(f"Rebuilds of {found.service}", columns, [msgspec.structs.asdict(one) for one in found.rebuilds])


def _kept(row: Row) -> str:
    return "replaced" if row["replaced_kept"] else "its own" if row["kept"] else ""


def rebuild_words(rebuild: TablesRebuild) -> str:
    """Where a rebuild stands, in a sentence or two."""
    match rebuild.phase:
        case "switched":
            kept = " The replaced tables are kept until `drop`." if rebuild.replaced_kept else ""
            return f"{rebuild.table}: {_compared(rebuild)} {rebuild.stands_as} answers now.{kept}"
        case "verified":
            return f"{rebuild.table}: {_compared(rebuild)} The scratch tables are gone."
        case "compared":
            return f"{rebuild.table}: {_compared(rebuild)} The live tables answer until `switch`; `drop` gives it up."
        case "recalled":
            return f"{rebuild.table} as it was at {_places(rebuild)}: {count(rebuild.done)} events read."
        case "failed":
            return f"{rebuild.table} failed: {rebuild.problem}. Mend the cause, then `continue`; `drop` gives it up."
        case "cancelled":
            return f"{rebuild.table} cancelled at {count(rebuild.done)} events: `continue` goes on, `drop` gives it up."
        case _:
            step, so_far = _STEPS[rebuild.phase], f"{count(rebuild.done)} of {count(rebuild.total)} events"
            return f"{rebuild.table} is {step}: {so_far}. `tonetouch events rebuilds` shows how far it is."


def say_differences(console: Console, rebuild: TablesRebuild) -> None:
    """What was compared and is not the same, with a few rows of each kind."""
    for compared in rebuild.comparisons:
        if not _differing(compared):
            continue
        say(
            console,
            f"  {compared.table}: {count(compared.different)} rows differ, {count(compared.missing)} only live, "
            f"{count(compared.extra)} only new.",
        )
        for example in compared.examples:
            say(console, f"    {_example(example)}")


def _example(example: RowDifference) -> str:
    key = ", ".join(f"{name} {value}" for name, value in example.key.items())
    if example.live is None or example.anew is None:
        return f"{key}: only {'new' if example.live is None else 'live'}"
    changed = (f"{name} {example.live[name]!r} live, {example.anew[name]!r} new" for name in example.live)
    return f"{key}: {'; '.join(changed)}"


def _compared(rebuild: TablesRebuild) -> str:
    rows, differing = (sum(of) for of in zip(*((c.rows, _differing(c)) for c in rebuild.comparisons), strict=True))
    return f"{count(rows)} rows, {'all the same' if not differing else f'{count(differing)} differ'}."


def _places(rebuild: TablesRebuild) -> str:
    return ", ".join(f"{stream}@{sequence}" for stream, sequence in sorted(rebuild.until.items()))


def _differing(compared: TableComparison) -> int:
    return compared.missing + compared.extra + compared.different
