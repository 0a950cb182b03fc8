"""How the ledger looks on a terminal: tables, and numbers as people read them. Unknown is a dash, never zero."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tonetouch_deploy.showing import printable

Row = dict[str, Any]
UNKNOWN = "–"
_ALARMING = frozenset({"failed", "unknown", "cancelled"})


@dataclass(frozen=True)
class Column:
    """A column: its heading, and the words of a row in it. `right` is for numbers, `whole` for what will be copied."""

    name: str
    of: Callable[[Row], str]
    right: bool = True
    whole: bool = False


def table(title: str, columns: Iterable[Column], rows: Iterable[Row], *, total: Row | None = None) -> Table:
    """The rows under their columns, and a last line for the total."""
    columns, rows = list(columns), list(rows)
    made = Table(title=escape(title), show_footer=total is not None, caption=None if rows else "nothing")
    for column in columns:
        footer = escape(column.of(total)) if total is not None else ""
        made.add_column(
            column.name,
            footer=footer,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=column.whole,
        )
    for row in rows:
        alarming = row.get("outcome") in _ALARMING
        made.add_row(*(escape(column.of(row)) for column in columns), style="red" if alarming else None)
    return made


def words(name: str, heading: str = "") -> Column:
    """A column of text as it was said, without what would steer the terminal."""
    return Column(heading or name.replace("_", " "), lambda row: text(row.get(name)), right=False)


def number(name: str, heading: str = "") -> Column:
    """A column of counts."""
    return Column(heading or name.replace("_", " "), lambda row: count(row.get(name)))


def money(name: str, heading: str) -> Column:
    """A column of dollars."""
    return Column(heading, lambda row: dollars(row.get(name)))


def ratio(name: str, heading: str) -> Column:
    """A column of shares."""
    return Column(heading, lambda row: share(row.get(name)))


def time(name: str, heading: str) -> Column:
    """A column of durations."""
    return Column(heading, lambda row: milliseconds(row.get(name)))


def groups(names: Iterable[str]) -> list[Column]:
    """The columns a question was grouped by; a total has no group."""
    return [
        Column(name, partial(_in_group, name, "" if place else "total"), right=False)
        for place, name in enumerate(names)
    ]


def text(value: Any) -> str:
    """Any value as text that a terminal may show."""
    return UNKNOWN if value is None else printable(str(value))


def count(value: int | None) -> str:
    """A number of things."""
    return UNKNOWN if value is None else f"{value:,}"


def dollars(value: Decimal | int | None) -> str:
    """Money with four digits that matter, however small.

    >>> dollars(Decimal("0.000001234567")), dollars(Decimal("0.5")), dollars(Decimal("1234.5"))
    ('$0.000001235', '$0.50', '$1,234.50')
    """
    if value is None:
        return UNKNOWN
    amount = Decimal(value)
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    if amount == 0:
        return "$0"
    if amount >= 1:
        return f"{sign}${amount:,.2f}"
    digits = f"{round(amount, 3 - amount.adjusted()):f}".rstrip("0")
    return f"{sign}${digits.ljust(4, '0')}"


def share(value: Decimal | float | None) -> str:
    """A ratio in per cent."""
    return UNKNOWN if value is None else f"{float(value):.1%}"


def milliseconds(value: Decimal | float | None) -> str:
    """A duration, in seconds where it is that long."""
    if value is None:
        return UNKNOWN
    return f"{float(value) / 1000:,.1f} s" if value >= 1000 else f"{float(value):.3g} ms"


def say(console: Console, line: str) -> None:
    """A line as it is, which may be longer than the terminal is wide."""
    shown = "\n".join(printable(part) for part in line.split("\n"))
    console.print(shown, markup=False, highlight=False, soft_wrap=True)


def _in_group(name: str, otherwise: str, row: Row) -> str:
    group: Row = row["group"]
    return text(group.get(name)) if group else otherwise
