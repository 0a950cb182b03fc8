"""A rebuild: which read model is made anew, under which names, and how far it is. A row in the tables it changes."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    select,
    update,
)

from tonetouch_contracts.message import Positions
from tonetouch_contracts.operating import RebuildKind, TableComparison, TablesPhase

rebuilds = Table(
    "rebuilds",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("table_name", String(120), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("phase", String(20), nullable=False),
    Column("switch", String(20), nullable=False),
    Column("operator", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("ended_at", String(40), nullable=True),
    Column("began_at", Float, nullable=False),
    Column("began_with", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
    Column("until", Text, nullable=False),
    Column("comparisons", Text, nullable=False),
    Column("replaced", Text, nullable=False),
    Column("kept", Integer, nullable=False),
)
"""The rebuilds of a service's read models. It lies beside them: they change in one transaction with it."""

UNFINISHED: tuple[TablesPhase, ...] = ("waiting", "filling", "indexing", "comparing")
_AS_TEXT = ("until", "comparisons", "replaced")


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """One rebuild. `number` makes the names of its tables; `replaced` are the tables it took the place of.

    `began_at` (seconds since the epoch) and `began_with` (events) are of the last time it was taken up, for its rate.
    """

    id: str
    table_name: str
    number: int
    kind: RebuildKind
    operator: str
    reason: str
    started_at: str
    phase: TablesPhase = "waiting"
    switch: Literal["same", "always", "when_told"] = "same"
    ended_at: str | None = None
    began_at: float = 0.0
    began_with: int = 0
    done: int = 0
    total: int = 0
    problem: str = ""
    until: Positions = {}
    comparisons: tuple[TableComparison, ...] = ()
    replaced: tuple[str, ...] = ()
    kept: bool = True

    @property
    def is_over(self) -> bool:
        """Whether nothing happens to it any more unless somebody says so."""
        return self.phase not in UNFINISHED

    @property
    def is_same(self) -> bool:
        """Whether no row differed when it was compared."""
        return not any(found.missing or found.extra or found.different for found in self.comparisons)

    @property
    def stands_as(self) -> str:
        """The name of its first table."""
        return self.name_of(self.table_name)

    def name_of(self, declared: str) -> str:
        """The name of its table for a declared one.

        >>> made = dict(id="r", kind="rebuild", operator="me", reason="", started_at="")
        >>> Rebuild(table_name="tracks", number=2, **made).name_of("tracks")
        'tracks__2'
        """
        return f"{declared}__{self.number}"


def next_number(connection: Connection, table_name: str) -> int:
    """A number that no rebuild of this table had before; the declared table is the first."""
    highest = select(func.max(rebuilds.c.number)).where(rebuilds.c.table_name == table_name)
    return int(connection.execute(highest).scalar() or 1) + 1


def add(connection: Connection, rebuild: Rebuild) -> None:
    """Keep a new one."""
    connection.execute(rebuilds.insert().values(_row(msgspec.structs.asdict(rebuild))))


def change(connection: Connection, rebuild_id: str, *, among: Sequence[TablesPhase], **columns: Any) -> bool:
    """Change it, if it is in one of these phases; says whether it was."""
    mine = (rebuilds.c.id == rebuild_id) & rebuilds.c.phase.in_(among)
    return bool(connection.execute(update(rebuilds).where(mine).values(_row(columns))).rowcount)


def find(connection: Connection, rebuild_id: str) -> Rebuild | None:
    """The one of this id."""
    found = connection.execute(select(rebuilds).where(rebuilds.c.id == rebuild_id)).mappings().first()
    return None if found is None else _rebuild(found)


def oldest_unfinished(connection: Connection) -> Rebuild | None:
    """What is to be done next."""
    wanted = select(rebuilds).where(rebuilds.c.phase.in_(UNFINISHED)).order_by(rebuilds.c.started_at, rebuilds.c.id)
    found = connection.execute(wanted.limit(1)).mappings().first()
    return None if found is None else _rebuild(found)


def latest(connection: Connection, most: int) -> list[Rebuild]:
    """The latest ones, the newest first."""
    wanted = select(rebuilds).order_by(rebuilds.c.started_at.desc(), rebuilds.c.id.desc()).limit(most)
    return [_rebuild(row) for row in connection.execute(wanted).mappings()]


def _row(columns: dict[str, Any]) -> dict[str, Any]:
    told = {name: msgspec.json.encode(value).decode() for name, value in columns.items() if name in _AS_TEXT}
    return {name: int(value) if isinstance(value, bool) else value for name, value in (columns | told).items()}


def _rebuild(row: Any) -> Rebuild:
    told = {name: msgspec.json.decode(row[name]) for name in _AS_TEXT}
    columns = {name: row[name] for name in Rebuild.__struct_fields__}
    return msgspec.convert({**columns, **told, "kept": bool(row["kept"])}, Rebuild)
