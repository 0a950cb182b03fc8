"""Looking up a few rows by their keys in SQLite, for handlers that answer within a millisecond or two.

SQLAlchemy prepares each execution anew, which takes longer than SQLite needs to find the rows. Here a statement is
compiled once, and runs on a connection that stays open, outside a transaction: each look sees what is committed.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, LargeBinary, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import CompoundSelect, SelectBase

Statement = Select[Any] | CompoundSelect[Any]
Values = Mapping[str, Any]
_Argument = tuple[str, int, Any]
"""A value by its name, how many places it fills (0: it is no list), and what it is where the statement says so."""
_Lengths = tuple[tuple[str, int], ...]

MAPPED_BYTES = 1 << 30
"""How much of the file is read as memory: without a copy of each page, a look at twelve scattered rows of a file of
330 MB takes 45 us instead of 75 to 130. The system takes the pages back where others need them."""

_LENGTHS = (1, 5, 20, 50, 100, 250, 500, 1000)
"""How many values a list is filled up to, so that lists of nearly one length share a statement."""


class Looking:
    """Rows of one SQLite file as plain tuples. Use it from one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: Any = None
        self._compiled = lru_cache(maxsize=256)(self._compile)

    def rows(self, statement: Statement, values: Values) -> list[tuple[Any, ...]]:
        """What a statement selects; values that are lists are for its expanding parameters.

        The statement has to be the same object each time. Raises ValueError for a column that would have to be
        converted (JSON, a flag), and for a list that is too long.
        """
        lengths = tuple((name, _length(value)) for name, value in values.items() if isinstance(value, list))
        text, arguments = self._compiled(statement, lengths)
        found: list[tuple[Any, ...]] = self._connection().execute(text, _filled(arguments, values)).fetchall()
        return found

    def close(self) -> None:
        """Give the connection back."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def _connection(self) -> Any:
        if self._held is None:
            self._held = self._engine.raw_connection()
            self._held.driver_connection.execute(f"pragma mmap_size={MAPPED_BYTES}")
        return self._held.driver_connection

    def _compile(self, statement: Statement, lengths: _Lengths) -> tuple[str, list[_Argument]]:
        _refuse_what_is_converted(statement, self._engine)
        compiled = statement.compile(self._engine)
        assert isinstance(compiled, SQLCompiler)
        fixed = compiled.params
        lists = {name: [None] * length for name, length in lengths}
        expanded = compiled.construct_expanded_state({**dict.fromkeys(fixed), **lists})
        # The places of a list stand side by side, and are filled together from the first one on.
        begins = {f"{name}_1": (name, length, None) for name, length in lengths}
        goes_on = {f"{name}_{place}" for name, length in lengths for place in range(2, length + 1)}
        order = [name for name in expanded.positiontup or () if name not in goes_on]
        return expanded.statement, [begins[name] if name in begins else (name, 0, fixed[name]) for name in order]


def _filled(arguments: Sequence[_Argument], values: Values) -> list[Any]:
    """What is bound to the places of the statement, in their order."""
    filled = list[Any]()
    for name, length, fixed in arguments:
        if not length:
            filled.append(values[name] if fixed is None else fixed)
            continue
        given = values[name]
        # What a list is filled up with is its last value: found once, however often it is asked for.
        filled += given
        filled += [given[-1] if given else None] * (length - len(given))
    return filled


def _refuse_what_is_converted(statement: SelectBase, engine: Engine) -> None:
    for column in statement.selected_columns:
        converted = column.type.result_processor(engine.dialect, None) is not None
        if converted and not isinstance(column.type, LargeBinary):
            raise ValueError(f"{column} is no plain value in SQLite: read it through a connection")


def _length(values: list[Any]) -> int:
    for length in _LENGTHS:
        if len(values) <= length:
            return length
    raise ValueError(f"{len(values)} values are more than the {_LENGTHS[-1]} of one look")
