"""How the indexes look on a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from tonetouch_deploy.ledger_showing import UNKNOWN, Column, count, number, say, table, words

Row = dict[str, Any]

_REASONS = {"asked": "", "model": " for another embedding model"}


def index_table(rows: list[Row]) -> Table:
    """A line for each index."""
    columns = (
        words("name", "index"),
        number("points"),
        Column("by index", lambda row: count(row["indexed"])),
        words("model"),
        number("dimension"),
        words("engine"),
        Column("position", _position, right=False),
        number("behind"),
        number("dirty"),
        number("refused"),
        Column("on disk", lambda row: size(row["disk_bytes"])),
        Column("in memory", lambda row: size(row["memory_bytes"])),
    )
    return table("indexes", columns, rows)


def say_notes(console: Console, answer: Row) -> None:
    """What there is to say beside the table: memory, how questions are understood, and the rebuild."""
    if answer["resident_bytes"]:
        say(console, f"The process that has them holds {size(answer['resident_bytes'])} of memory.")
    if answer["search"]:
        say(console, answer["search"])
    if answer["rebuild"]:
        say(console, rebuild_words(answer["rebuild"]))


def rebuild_words(rebuild: Row) -> str:
    """Where a rebuild stands, in a sentence."""
    names, why = ", ".join(rebuild["names"]), _REASONS[rebuild["reason"]]
    of = f"{rebuild['model']}" if rebuild["reason"] == "model" else ""
    done = f"{count(rebuild['done'])} of {count(rebuild['total'])}"
    match rebuild["phase"]:
        case "done":
            return f"{names} made anew{why}." if names else f"Every text has a vector of {rebuild['model']}."
        case "cancelled":
            return f"Cancelled: {names} stay as they were."
        case "embedding":
            said = f"Embedding again with {of}: {done} texts" + (f", then {names}." if names else ".")
        case "filling":
            said = f"Making {names} anew{why}: {done}."
        case _:
            said = f"Building the index of {names}: {done} points."
    return f"{said} Waiting: {rebuild['waiting']}." if rebuild["waiting"] else said


def size(value: int | None) -> str:
    """Bytes as people read them.

    >>> size(512), size(171966464), size(6_900_000_000)
    ('512 B', '164.0 MiB', '6.4 GiB')
    """
    if value is None:
        return UNKNOWN
    amount, units = float(value), iter(("B", "KiB", "MiB", "GiB"))
    unit = next(units)
    for larger in units:
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:,.0f} B" if unit == "B" else f"{amount:,.1f} {unit}"


def _position(row: Row) -> str:
    return ", ".join(f"{stream} {sequence:,}" for stream, sequence in sorted(row["positions"].items()))
