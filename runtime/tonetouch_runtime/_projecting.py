"""How a batch of events becomes rows: in one transaction, in which the positions of the tables move with them."""

from collections.abc import Callable, Sequence, Set

import msgspec
from sqlalchemy import Connection, Table, select, update

from tonetouch_contracts.manifest import stream_of
from tonetouch_contracts.message import Event
from tonetouch_runtime._marking import Marks
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._recorded import Recorded
from tonetouch_runtime._tables import Database, Writer, insert_into, positions

Project = Callable[..., None]


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """One table and how it follows events. `name` is its key in the positions: a new name is a new table.

    Tables `beside` it have no position of their own: they move with it, and each has a writer after its own.
    """

    name: str
    table: Table
    hears: frozenset[type[Event]]
    project: Project
    beside: tuple[Table, ...] = ()

    @property
    def streams(self) -> set[str]:
        return {stream_of(event).name for event in self.hears}


class Projector:
    """Writes the tables of one service that follow one stream."""

    def __init__(self, stream: str, projections: Sequence[Projection], read: Database, lot: Lot) -> None:
        self.stream = stream
        self.marks = Marks(read, lot, stream)
        self._projections = projections
        self._read = read
        self._lot = lot

    @property
    def _names(self) -> list[str]:
        return [projection.name for projection in self._projections]

    def _project_all(
        self, connection: Connection, projections: Sequence[Projection], batch: Sequence[Recorded[Event]], last: int
    ) -> dict[str, int]:
        """Move rows and positions on to `last` in this transaction, and say where the tables are then."""
        names = [projection.name for projection in projections]
        reached = self._claim(connection, names, last)
        held = self._lot.held(names)
        for projection in projections:
            self._project(connection, projection, batch, reached[projection.name], held)
        return {name: max(position, last) for name, position in reached.items()}

    def _project(
        self,
        connection: Connection,
        projection: Projection,
        batch: Sequence[Recorded[Event]],
        reached: int,
        held: Set[tuple[str, str]],
    ) -> None:
        name = projection.name
        facts = [fact for fact in batch if type(fact.event) in projection.hears and fact.sequence > reached]
        if skips := self._lot.skips(name, self.stream):
            facts = [fact for fact in facts if fact.sequence not in skips]
        if waiting := {entity for listener, entity in held if listener == name}:
            facts = [fact for fact in facts if fact.event.entity_id not in waiting or not self._lot.holds(name, fact)]
        if facts:
            tables = (projection.table, *projection.beside)
            projection.project(facts, *(Writer(connection, table) for table in tables))

    def _load_positions(self, connection: Connection) -> dict[str, int]:
        for projection in self._projections:
            row = {"table_name": projection.name, "stream": self.stream, "position": 0}
            connection.execute(insert_into(connection, positions).on_conflict_do_nothing(), row)
        found = connection.execute(
            select(positions.c.table_name, positions.c.position)
            .where(positions.c.stream == self.stream)
            .where(positions.c.table_name.in_(self._names))
        )
        return {row.table_name: row.position for row in found}

    def _claim(self, connection: Connection, names: Sequence[str], last: int) -> dict[str, int]:
        """Move the positions on to `last` and say where they stood.

        This comes first in the transaction: another replica that keeps the same tables waits here until we are done,
        and then sees how far we came. So a position never goes back, and no event is applied twice.
        """
        mine = (positions.c.stream == self.stream) & positions.c.table_name.in_(names)
        # SQLite has no locks of rows: there the transaction itself began as one that writes.
        found = connection.execute(select(positions.c.table_name, positions.c.position).where(mine).with_for_update())
        reached = {row.table_name: row.position for row in found}
        connection.execute(update(positions).where(mine & (positions.c.position < last)).values(position=last))
        return reached
