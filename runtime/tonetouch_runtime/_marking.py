"""Marks on parked events that a table shows already, so that a redrive that is killed on the way shows none twice."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, delete, select

from tonetouch_runtime._parking import Lot
from tonetouch_runtime._tables import Database, insert_into

redriven = Table(
    "redriven",
    MetaData(),
    Column("table_name", String(120), primary_key=True),
    Column("stream", String(60), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
)
"""Events that a table shows, and that are parked for it still."""


class Marks:
    """The marks of the tables that follow one stream, in the database of the tables."""

    def __init__(self, read: Database, lot: Lot, stream: str) -> None:
        read.create(redriven)
        self._read = read
        self._lot = lot
        self._stream = stream

    def make(self, connection: Connection, name: str, sequence: int) -> bool:
        """Mark an event in the transaction that shows it; False where it is marked, and so is shown, already."""
        mark = {"table_name": name, "stream": self._stream, "sequence": sequence}
        insert = insert_into(connection, redriven).on_conflict_do_nothing()
        # Of an insert SQLAlchemy forgets how many rows it wrote, unless it is asked to remember.
        return connection.execute(insert, mark, execution_options={"preserve_rowcount": True}).rowcount > 0

    async def take_away(self, name: str, sequences: Sequence[int]) -> None:
        """The events are parked no more."""
        mine = (redriven.c.table_name == name) & (redriven.c.stream == self._stream)
        over = delete(redriven).where(mine & redriven.c.sequence.in_(sequences))
        await self._read.write(lambda connection: connection.execute(over))

    async def tidy_up(self) -> None:
        """Take away the marks of what is parked no more: a killed redrive may have left one."""
        wanted = select(redriven.c.table_name, redriven.c.sequence).where(redriven.c.stream == self._stream)
        marks = await self._read.read(lambda connection: connection.execute(wanted).all())
        for name in {mark.table_name for mark in marks}:
            mine = [mark.sequence for mark in marks if mark.table_name == name]
            left = await asyncio.to_thread(self._lot.still_parked, name, self._stream, mine)
            await self.take_away(name, [sequence for sequence in mine if sequence not in left])
