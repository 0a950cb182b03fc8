"""How streams, consumers and their differences from the manifest look on a terminal."""

from collections.abc import Iterable
from typing import Any

import msgspec
from rich.table import Table

from tonetouch_deploy.indexes_showing import size
from tonetouch_deploy.ledger_showing import UNKNOWN, Column, Row, number, table, words


def stream_table(rows: Iterable[Any]) -> Table:
    """A line for each stream."""
    columns = (
        words("name", "stream"),
        words("kind"),
        words("owner"),
        number("head"),
        number("events"),
        Column("size", lambda row: size(row["bytes"])),
        Column("events/s", lambda row: per_second(row["per_second"])),
        number("consumers"),
        Column("last", lambda row: moment(row["last_at"]), right=False),
    )
    return table("streams", columns, _plain(rows))


def consumer_table(rows: Iterable[Any]) -> Table:
    """A line for each consumer."""
    columns = (
        words("stream"),
        words("name", "consumer"),
        words("kind"),
        words("owner"),
        number("reached"),
        number("acknowledged"),
        number("pending"),
        number("in_hand"),
        number("redelivered"),
        Column("paused", lambda row: "paused" if row["paused"] else "", right=False),
    )
    return table("consumers", columns, _plain(rows))


def drift_table(rows: Iterable[Any]) -> Table:
    """A line for each difference."""
    columns = (words("what"), Column("how it differs", lambda row: "; ".join(row["how"]), right=False))
    return table("drift", columns, _plain(rows))


def per_second(rate: float | None) -> str:
    """A rate with as many digits as matter."""
    if rate is None:
        return UNKNOWN
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def moment(text: str | None) -> str:
    """A time to the second.

    >>> moment("2026-01-31T10:00:00.123456Z")
    '2026-01-31 10:00:00'
    """
    return UNKNOWN if text is None else text[:19].replace("T", " ")


def _plain(rows: Iterable[Any]) -> list[Row]:
    plain: list[Row] = msgspec.to_builtins(list(rows))
    return plain
