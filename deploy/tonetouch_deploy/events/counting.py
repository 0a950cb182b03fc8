"""How far something is that takes a while: a bar on standard error, where somebody looks."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Counter:
    """What is told of the way: how much there is, and how much of it is done."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def expect(self, total: int) -> None:
        """There is so much to do."""
        self._bars.update(self._task, total=total)

    def add(self, count: int) -> None:
        """So much more is done."""
        self._bars.advance(self._task, count)


@contextmanager
def counting(what: str, *, shown: bool = True) -> Iterator[Counter]:
    """A counter for as long as the block lasts."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(32), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bars:
        yield Counter(bars, bars.add_task(what, total=None))
