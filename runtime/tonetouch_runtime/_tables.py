"""A service's two databases: `read` (projections, may be dropped and rebuilt) and `state` (what is not in the log).

SQLite files by default, schemas of one PostgreSQL database by URL. Rows are written through SQLAlchemy Core on a table
whose name is chosen at run time, so that a rebuild can stand beside the live table.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Engine,
    Float,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    cast,
    create_engine,
    delete,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import SQLModel

from tonetouch_runtime._looking import Looking, Statement, Values
from tonetouch_runtime.errors import Misconfigured
from tonetouch_runtime.settings import Settings

T = TypeVar("T")
Row = Mapping[str, Any]
Key = tuple[Any, ...]
Binding = tuple[Callable[[Any], Any] | None, ...]

MOST_VARIABLES = 32_000
"""Variables in one statement of SQLite; builds since 3.32 (2020) take 32,766."""

_PRAGMAS = (
    *("journal_mode=wal", "synchronous=normal", "foreign_keys=on", "cache_size=-65536"),
    # In 16 MiB of log the pages of the indexes are written many times, and moved to the file once.
    "wal_autocheckpoint=4000",
)

TOGETHER = (1000, 500, 100, 10, 1)
"""Rows in one statement of SQLite, as many as there are and fit: the first is a whole batch of a projection."""


class Database:
    """One database of a service, spoken to from threads. `name` is ``read`` or ``state``."""

    def __init__(self, engine: Engine, schema: str | None) -> None:
        self.engine = engine
        self.schema = schema
        # Another process may write too. Who reads first and then writes would find the file changed in between.
        self._written = engine.execution_options(is_writing=True)
        # SQLite has one writer; reads go on beside it in WAL mode.
        self._reading = ThreadPoolExecutor(max_workers=4, thread_name_prefix="reading")
        self._writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writing")
        self._looking = Looking(engine)

    @classmethod
    def open(cls, settings: Settings, service: str, name: str) -> "Database":
        """Open it, making the folder or the schema where it is missing. Raises Misconfigured."""
        url = settings.database_url.get_secret_value()
        if url:
            return cls._open_postgresql(url, f"{service.replace('-', '_')}_{name}")
        folder = settings.data / "tables" / service
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".writable").write_text("")
        except OSError as error:
            raise Misconfigured(f"{folder} cannot be written ({error.strerror}): set TONETOUCH_DATA") from error
        return cls(_sqlite_engine(folder / f"{name}.db"), None)

    @classmethod
    def _open_postgresql(cls, url: str, schema: str) -> "Database":
        engine = create_engine(url, pool_pre_ping=True, pool_size=6).execution_options(
            schema_translate_map={None: schema}
        )
        try:
            with engine.begin() as connection:
                connection.execute(text(f'create schema if not exists "{schema}"'))
        except Exception as error:
            # The URL holds the password: say where, never with what.
            raise Misconfigured(
                f"the database of TONETOUCH_DATABASE_URL cannot be opened: {type(error).__name__}"
            ) from None
        return cls(engine, schema)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a function on a connection of its own, beside the writer."""

        def run() -> T:
            with self.engine.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """`read` for a few rows found by their keys: from SQLite on the spot, for the way to a thread takes longer."""
        if self.schema is not None:
            return await self.read(work)
        with self.engine.connect() as connection:
            return work(connection)

    async def look(self, statement: Statement, values: Values) -> list[tuple[Any, ...]]:
        """A few rows found by their keys, as plain tuples; from SQLite on the spot and without a transaction.

        `values` are those of the statement's bind parameters. The statement has to be one that is built once.
        """
        if self.schema is not None:
            return await self.read(lambda connection: [tuple(row) for row in connection.execute(statement, values)])
        return self._looking.rows(statement, values)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in one transaction; it is committed when this returns and rolled back if it raises."""

        def run() -> T:
            with self._written.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    def create(self, *tables: Table) -> None:
        """Make the tables that are not there yet. Raises Misconfigured where they cannot be written."""
        try:
            for table in tables:
                table.create(self.engine, checkfirst=True)
        except DBAPIError as error:
            # What the driver says of a connection may name its user and its address: say where, never with what.
            where = self.engine.url.database if self.schema is None else f"schema {self.schema}"
            raise Misconfigured(f"the tables in {where} cannot be written ({type(error).__name__})") from None

    def drop_if_changed(self, table: Table, *beside: Table) -> bool:
        """Drop a read model whose columns are not the declared ones any more; it is built anew from the log.

        Its tables go with its positions in one transaction. Says whether there was anything to drop.
        """
        there = inspect(self.engine)
        for one in (table, *beside):
            if there.has_table(one.name, schema=self.schema):
                found = {column["name"] for column in there.get_columns(one.name, schema=self.schema)}
                if found != set(one.columns.keys()):
                    break
        else:
            return False
        with self.engine.begin() as connection:
            for one in (table, *beside):
                one.drop(connection, checkfirst=True)
            connection.execute(delete(positions).where(positions.c.table_name == table.name))
        return True

    def close(self) -> None:
        """Finish what runs and let go of the files."""
        self._writing.shutdown(wait=True)
        self._reading.shutdown(wait=True)
        self._looking.close()
        self.engine.dispose()


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "connect")
    def _tune(connection: Any, _: Any) -> None:
        # The driver's own transactions begin late and break savepoints: we begin ourselves, at once.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"pragma {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing")
        connection.exec_driver_sql("begin immediate" if is_writing else "begin")

    return engine


_META = MetaData()

positions = Table(
    "positions",
    _META,
    Column("table_name", String(120), primary_key=True),
    Column("stream", String(60), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""How far each live table has read each stream; it moves in the transaction that writes the rows."""

parked = Table(
    "parked",
    _META,
    Column("listener", String(120), primary_key=True),
    Column("stream", String(60), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("entity_id", String(64), nullable=False, index=True),
    Column("wire_name", String(80), nullable=False),
    Column("error", Text, nullable=True),
    Column("attempts", BigInteger, nullable=False),
    Column("parked_at", String(40), nullable=False),
)
"""Events that could not be handled, and those of their entity that wait behind them (these have no error)."""


def table_of(model: type[SQLModel]) -> Table:
    """The SQLAlchemy table of a row class."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def insert_into(connection: Connection, table: Table) -> Any:
    """The dialect's insert, which knows ``on conflict``."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


_SQLITE_BUGS = frozenset({"SQLITE_ERROR", "SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_MISUSE", "SQLITE_RANGE"})


def is_passing(error: Exception) -> bool:
    """Whether an error is the database's (full, locked, away) and not the statement's or its values'."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError):
            return True
        if isinstance(error, OperationalError):
            # SQLite says with the same class that a statement is wrong.
            return getattr(error.orig, "sqlite_errorname", "") not in _SQLITE_BUGS
        return False
    return isinstance(error, PoolTimeout)


_COUNTED = {"preserve_rowcount": True}
"""Of an insert SQLAlchemy forgets how many rows it wrote, unless it is asked to remember."""


class Writer:
    """What a projection writes with: one live table, inside the transaction of the batch."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self.table = table
        self._keys = [column.name for column in table.primary_key]

    def upsert_events(self, events: Sequence[msgspec.Struct], *, while_null: str | None = None) -> list[Key]:
        """`upsert` for events of one type, of one row each, whose fields are the columns.

        Nothing is copied on the way. Returns the keys of the rows that were written.
        """
        if not events:
            return []
        write = _Write(self.table, events[0].__struct_fields__, "replace", while_null, True)
        if self._connection.dialect.name != "sqlite":
            rows = list(map(attrgetter(*write.names), events))
            return [tuple(row) for row in self._connection.execute(*self._at_once(write, rows))]
        plain = _prepared(write._replace(returns_keys=False))
        rows = list(map(attrgetter(*plain.order), events))
        # The driver hands over to other threads at every row it is asked for, so nobody asks where all are written.
        before = self._connection.begin_nested()
        if self._run(plain.executions(rows)) == len(rows):
            before.commit()
            return list(map(attrgetter(*self._keys), events))
        # Not where it raised: on a full disk SQLite has ended the whole transaction, and would say only that.
        before.rollback()
        executions = _prepared(write).executions(rows)
        results = (self._connection.exec_driver_sql(sql, one) for sql, many in executions for one in many)
        return [tuple(row) for result in results for row in result]

    def upsert(self, rows: Sequence[Row], *, while_null: str | None = None) -> int:
        """Insert each row, or update exactly its columns where the key exists; in the order given.

        With `while_null` a row is updated only as long as that column of it is null: what was filled first stays.
        Returns how many rows were written.
        """
        writes = ((_Write(self.table, names, "replace", while_null), group) for names, group in _alike(rows))
        return sum(self._execute(write, group) for write, group in writes)

    def add(self, rows: Sequence[Row]) -> None:
        """Insert each row, or add its numbers to those of the row with its key."""
        for names, group in _alike(rows):
            self._execute(_Write(self.table, names, "add"), group)

    def insert_new(self, rows: Sequence[Row]) -> int:
        """Insert the rows whose key is not there, and return how many; leave the others as they are."""
        return sum(self._execute(_Write(self.table, names, "leave"), group) for names, group in _alike(rows))

    def get(self, keys: Iterable[str]) -> dict[str, RowMapping]:
        """The rows of these keys, by the first key column."""
        return {row[self._keys[0]]: row for row in self.rows(keys)}

    def rows(self, keys: Iterable[str]) -> list[RowMapping]:
        """All rows whose first key column is one of these."""
        column = self.table.c[self._keys[0]]
        return list(self._connection.execute(select(self.table).where(column.in_(list(keys)))).mappings())

    def delete(self, keys: Iterable[str]) -> None:
        """Delete the rows of these keys, by the first key column."""
        self._connection.execute(delete(self.table).where(self.table.c[self._keys[0]].in_(list(keys))))

    def _execute(self, write: "_Write", rows: list[Row]) -> int:
        if self._connection.dialect.name == "sqlite":
            # SQLAlchemy prepares each row by itself, which costs as much as SQLite does to write it.
            prepared = _prepared(write)
            return self._run(prepared.executions([tuple(row[name] for name in prepared.order) for row in rows]))
        if write.may_go_at_once and len({tuple(row[key] for key in self._keys) for row in rows}) == len(rows) > 1:
            values = [tuple(row[name] for name in write.names) for row in rows]
            statement, argument = self._at_once(write, values)
            return int(self._connection.execute(statement, argument, execution_options=_COUNTED).rowcount)
        statement = write.statement(insert_into(self._connection, self.table))
        return int(self._connection.execute(statement, rows, execution_options=_COUNTED).rowcount)

    def _at_once(self, write: "_Write", rows: Sequence[tuple[Any, ...]]) -> tuple[Any, dict[str, str]]:
        """The statement that writes all rows in one step of PostgreSQL, and its argument: the rows as JSON."""
        dialect = self._connection.dialect
        bound = _bound(rows, _binding(self.table, write.names, dialect))
        named = [dict(zip(write.names, row, strict=True)) for row in bound]
        return _from_json(write), {"rows": msgspec.json.encode(named).decode()}

    def _run(self, executions: Iterable[tuple[str, list[tuple[Any, ...]]]]) -> int:
        return sum(int(self._connection.exec_driver_sql(*execution).rowcount) for execution in executions)


class _Write(NamedTuple):
    """One kind of writing: what to do with which columns of which table."""

    table: Table
    names: tuple[str, ...]
    where_it_exists: Literal["leave", "replace", "add"]
    while_null: str | None = None
    returns_keys: bool = False

    def statement(self, insert: Any) -> Any:
        keys = [column.name for column in self.table.primary_key]
        changed = {name: self._changed(name, insert) for name in self.names if name not in keys}
        if self.where_it_exists == "leave" or not changed:
            return insert.on_conflict_do_nothing(index_elements=keys)
        condition = None if self.while_null is None else self.table.c[self.while_null].is_(None)
        statement = insert.on_conflict_do_update(index_elements=keys, set_=changed, where=condition)
        return statement.returning(*self.table.primary_key) if self.returns_keys else statement

    @property
    def may_go_at_once(self) -> bool:
        """Whether JSON says every value of these columns as it is."""
        types = (self.table.c[name].type for name in self.names)
        plain = (getattr(kind, "impl_instance", kind) for kind in types)
        return all(isinstance(kind, String | Integer | Float | Boolean) for kind in plain)

    def _changed(self, name: str, insert: Any) -> Any:
        new = insert.excluded[name]
        return new + self.table.c[name] if self.where_it_exists == "add" else new


class _Prepared(NamedTuple):
    """The statements of SQLite for many rows, for fewer and for one, and how rows become their arguments.

    The driver gives way to other threads at every step of a statement, and a busy event loop gives way back late:
    with many rows to a step it happens seldom.
    """

    statements: tuple[tuple[int, str], ...]
    order: tuple[str, ...]
    binding: Binding

    def executions(self, rows: Sequence[tuple[Any, ...]]) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
        """What to execute, in the order of the rows; each has its values in `order`."""
        values, done = _bound(rows, self.binding), 0
        for together, statement in self.statements:
            starts = range(done, len(values) - together + 1, together)
            if starts:
                yield statement, [tuple(chain.from_iterable(values[at : at + together])) for at in starts]
                done = starts[-1] + together


@lru_cache(maxsize=1024)
def _prepared(write: _Write) -> _Prepared:
    dialect = sqlite.dialect()
    compiled = write.statement(sqlite.insert(write.table)).compile(dialect=dialect, column_keys=list(write.names))
    order = tuple(compiled.positiontup)
    row, most = f"({', '.join('?' * len(order))})", MOST_VARIABLES // len(order)
    statements = tuple(
        (together, str(compiled).replace(f"VALUES {row}", f"VALUES {', '.join([row] * together)}", 1))
        for together in TOGETHER
        if together <= max(1, most)
    )
    return _Prepared(statements, order, _binding(write.table, order, dialect))


@lru_cache(maxsize=1024)
def _from_json(write: _Write) -> Any:
    """The same in PostgreSQL for rows that come as one JSON text: twice as fast as row by row."""
    columns = [Column(name, write.table.c[name].type) for name in write.names]
    said = cast(bindparam("rows", type_=Text()), postgresql.JSON)
    rows = func.json_to_recordset(said).table_valued(*columns, name="rows").render_derived(with_types=True)
    source = select(*(rows.c[name] for name in write.names))
    return write.statement(postgresql.insert(write.table).from_select(list(write.names), source))


def _binding(table: Table, names: Iterable[str], dialect: Dialect) -> Binding:
    """How the values of these columns become what the driver takes; None where they are that already."""
    return tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)


def _bound(rows: Sequence[tuple[Any, ...]], binding: Binding) -> list[tuple[Any, ...]]:
    if not any(binding):
        return list(rows)
    columns = zip(*rows, strict=True)
    bound = [map(bind, values) if bind else values for bind, values in zip(binding, columns, strict=True)]
    return list(zip(*bound, strict=True))


def _alike(rows: Sequence[Row]) -> Iterable[tuple[tuple[str, ...], list[Row]]]:
    """Neighbouring rows with the same columns, together: one prepared statement for all of them."""
    for names, group in groupby(rows, key=tuple):
        yield names, list(group)
