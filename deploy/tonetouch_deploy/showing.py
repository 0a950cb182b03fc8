"""What the person at the terminal sees: tables, and one progress line per file (plain lines without a terminal)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from tonetouch_deploy.run_record import RunRecord
from tonetouch_deploy.supervising import Row
from tonetouch_deploy.uploading import FINAL, Ending, Progress

_LINES = 24
_TO_LOOK_UP = ("failed", "unfinished")
_COLOURS = {"ready": "green", "stopped": "dim", "published": "green", "duplicate": "yellow"}


def process_table(rows: Iterable[Row]) -> Table:
    """What runs, where, its process id and its health."""
    table = Table(title="Tone Touch Music")
    for heading in ("what", "where", "pid", "health"):
        table.add_column(heading, justify="right" if heading == "pid" else "left", overflow="fold")
    for row in rows:
        colour = _COLOURS.get(row.state, "red")
        health = escape(row.health) + (f" (restarted {row.restarts}x)" if row.restarts else "")
        table.add_row(row.name, row.where, str(row.pid or "-"), f"[{colour}]{health}[/{colour}]")
    return table


def say_where(console: Console, record: RunRecord, data_folder: Path) -> None:
    """The addresses and the token, one to a line so that they can be copied, and what to do next."""
    lines = [
        ("API", f"{record.api_url}/api/v1"),
        ("API docs", f"{record.api_url}/docs"),
        ("AI ledger", f"{record.api_url}/ledger"),
        ("admin token", record.admin_token),
        ("data folder", str(data_folder)),
    ]
    for name, value in lines:
        console.print(f"  {name:<12} {value}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        "\n  Add your music from another terminal with `uv run just upload PATH...`; Ctrl-C here stops everything.\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def say_failure(error: Exception) -> None:
    """Why a command did nothing, on standard error."""
    Console(stderr=True).print(f"{error}", style="red", markup=False, highlight=False, soft_wrap=True)


def ending_table(endings: Iterable[Ending]) -> Table:
    """How each file ended: published, duplicate of what, rejected or failed and why."""
    listed = list(endings)
    counts = Counter(ending.outcome for ending in listed)
    words = ", ".join(f"{counts[name]} {name}" for name in (*FINAL, "unfinished") if counts[name])
    table = Table(title=words or "nothing to upload")
    for heading in ("file", "outcome", "track", "of what, or why"):
        table.add_column(heading, overflow="fold")
    for ending in listed:
        colour = _COLOURS.get(ending.outcome, "red")
        table.add_row(
            escape(printable(ending.file.name)),
            f"[{colour}]{ending.outcome}[/{colour}]",
            escape(printable(ending.title or (ending.track_id if ending.outcome in _TO_LOOK_UP else None) or "")),
            escape(printable(ending.why)),
        )
    return table


@contextmanager
def file_progress(console: Console) -> Iterator[Progress]:
    """One line per file with its current step: bars on a terminal, else a plain line whenever the step changes."""
    if not console.is_terminal:
        yield _PlainLines(console)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(24), TextColumn("{task.fields[step]}"))
    with Bars(*columns, TimeElapsedColumn(), console=console) as bars:
        yield _BarLines(bars)


def printable(text: str) -> str:
    """Text from file names and tags without what would steer the terminal (control and bidirectional characters)."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


class _PlainLines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[Path, str] = {}

    def show(self, file: Path, step: str, share: float) -> None:
        if self._last.get(file) != step:
            self._last[file] = step
            line = printable(f"{file.name}: {step}")
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _BarLines:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[Path, TaskID] = {}

    def show(self, file: Path, step: str, share: float) -> None:
        if file not in self._tasks:
            name = printable(file.name)
            self._tasks[file] = self._bars.add_task(name[:48], total=1.0, step=step)
        self._bars.update(self._tasks[file], completed=share, step=step)
        if step in FINAL:
            self._bars.stop_task(self._tasks[file])
            if len(self._tasks) > _LINES:  # the end of a long list would be below the screen; the table has them all
                self._bars.update(self._tasks[file], visible=False)
