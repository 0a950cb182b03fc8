"""Which table stands for a read model right now, and asking it.

A read model is declared once and may stand several times: the live table, one that is being made anew beside it, and
the one it replaced. A row says which of them answers, so that the change from one to the other is one transaction.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import Column, Connection, Executable, MetaData, RowMapping, String, Table, select
from sqlalchemy.sql.elements import quoted_name
from sqlmodel import SQLModel

from tonetouch_runtime._tables import Database, insert_into, table_of

standing = Table(
    "standing",
    MetaData(),
    Column("table_name", String(120), primary_key=True),
    Column("stands_as", String(120), nullable=False),
)
"""The table that answers for a declared one, where it is not that table itself."""


@cache
def copy_of(table: Table, name: str) -> Table:
    """The declared table under another name, its indexes too; the same object each time, as statements are kept by it.

    >>> from sqlalchemy import Column, MetaData, String, Table
    >>> declared = Table("tracks", MetaData(), Column("id", String, primary_key=True), Column("at", String, index=True))
    >>> [index.name for index in copy_of(declared, "tracks__2").indexes]
    ['ix_tracks_at__2']
    """
    if name == table.name:
        return table
    copy = table.to_metadata(MetaData(), name=name)
    ending = name.removeprefix(table.name)
    for index in copy.indexes:
        index.name = quoted_name(f"{index.name}{ending}", None)
    return copy


class Tables:
    """What a service asks its read models with."""

    def __init__(self, read: Database) -> None:
        self._read = read
        self._stands: Mapping[str, str] = {}

    def live(self, model: type[SQLModel]) -> Table:
        """The table that answers for this row class right now. Ask for it anew with each question."""
        return self.standing_for(table_of(model))

    def standing_for(self, declared: Table) -> Table:
        """The same for a declared table."""
        return copy_of(declared, self._stands.get(declared.name, declared.name))

    def refresh(self) -> None:
        """Look up which tables stand. Call it from a thread."""
        self._stands = self._looked_up()

    def are_others(self) -> bool:
        """Whether other tables stand than `live` says: another replica has exchanged them. Call it from a thread."""
        return self._stands != self._looked_up()

    def _looked_up(self) -> dict[str, str]:
        with self._read.engine.connect() as connection:
            return stands(connection)

    async def all(self, statement: Executable) -> list[RowMapping]:
        """All rows of a query."""
        return await self._read.read(lambda connection: list(connection.execute(statement).mappings()))

    async def one(self, statement: Executable) -> RowMapping | None:
        """The first row of a query, or None."""
        return await self._read.read(lambda connection: connection.execute(statement).mappings().first())


def stands(connection: Connection) -> dict[str, str]:
    """What stands for which declared table, where it is not that table itself."""
    return {row.table_name: row.stands_as for row in connection.execute(select(standing))}


def let_stand(connection: Connection, declared: Sequence[Table], names: Sequence[str]) -> None:
    """From the end of this transaction on these tables answer for the declared ones."""
    for table, name in zip(declared, names, strict=True):
        row = {"table_name": table.name, "stands_as": name}
        insert = insert_into(connection, standing).values(row)
        connection.execute(insert.on_conflict_do_update(index_elements=["table_name"], set_={"stands_as": name}))
